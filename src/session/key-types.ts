/** Which types a key may have. */

import { must } from '../base/assert.ts';
import { notSupported } from '../base/sql-error.ts';
import type { TableObject } from '../catalog/objects.ts';
import { isIdentityEquality, typeName } from '../types/value.ts';

/**
 * Unique keys are kept by the bytes of their values: types whose equal values have several forms (1.0 and 1.00) would let
 * duplicates in.
 */
export function checkKeyTypes({
  columns,
  constraints,
}: Pick<TableObject, 'columns' | 'constraints'>): void {
  for (const constraint of constraints) {
    if (constraint.kind === 'check') continue;
    for (const index of constraint.columns) {
      const { name, type } = must(columns[index]);
      const hasOneForm = type.typmod !== -1 && (type.id === 'numeric' || type.id === 'bpchar');
      if (hasOneForm || isIdentityEquality(type)) continue;
      throw notSupported(`a unique key over column "${name}" of type ${typeName(type)}`, {
        hint: type.id === 'numeric' ? 'Give it a precision and scale: numeric(p,s).' : undefined,
      });
    }
  }
}
