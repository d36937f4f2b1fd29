/** GREATEST, LEAST, NULLIF's parts, counting of NULLs, and the plan's own run-time checks. */

import { SqlError } from '../../base/sql-error.ts';
import type { Value } from '../../types/data-type.ts';
import { compareValues } from '../../types/value.ts';
import {
  type CallContext,
  defineFunction,
  defineGeneral,
  defineGeneralOperator,
} from '../registry.ts';

/** NULL arguments are passed over; all NULL gives NULL. */
function extreme(sign: 1 | -1): (args: readonly Value[], call: CallContext) => Value {
  return (args, call) => {
    let best: Value = null;
    for (const value of args) {
      if (value === null) continue;
      if (best === null || sign * compareValues(call.type, value, best) > 0) best = value;
    }
    return best;
  };
}

const VARIADIC = { isStrict: false, canFail: false, variadic: 'anycompatible' } as const;

defineGeneral('greatest(anycompatible)', 'anycompatible', extreme(1), VARIADIC);
defineGeneral('least(anycompatible)', 'anycompatible', extreme(-1), VARIADIC);

const COUNTING = { isStrict: false, canFail: false, variadic: 'any' } as const;
defineGeneral(
  'num_nulls(any)',
  'int4',
  (args) => args.filter((value) => value === null).length,
  COUNTING,
);
defineGeneral(
  'num_nonnulls(any)',
  'int4',
  (args) => args.filter((value) => value !== null).length,
  COUNTING,
);

/** IS [NOT] DISTINCT FROM as an operator: never NULL. */
defineGeneralOperator(
  'is_distinct(anycompatible,anycompatible)',
  'bool',
  ([a, b], call) => {
    if (a === null || b === null || a === undefined || b === undefined) return a !== b;
    return compareValues(call.argTypes[0]!, a, b) !== 0;
  },
  { isStrict: false, canFail: false },
);

/** What a scalar subquery's row count is checked by. */
defineFunction(
  'single_row(int8)',
  'bool',
  (count) => {
    if (count <= 1n) return true;
    throw new SqlError('21000', 'more than one row returned by a subquery used as an expression');
  },
  { isVisible: false },
);

/** LIMIT and OFFSET that are computed: is the row of this number, from 1, among those that are wanted? NULL: no bound. */
defineGeneral(
  'row_is_wanted(int8,int8,int8)',
  'bool',
  ([rank, limit, offset]) => {
    if (typeof offset === 'bigint' && offset < 0n) {
      throw new SqlError('2201X', 'OFFSET must not be negative');
    }
    if (typeof limit === 'bigint' && limit < 0n) {
      throw new SqlError('2201W', 'LIMIT must not be negative');
    }
    const place = (rank as bigint) - ((offset as bigint | null) ?? 0n);
    return place > 0n && (limit === null || place <= (limit as bigint));
  },
  { isStrict: false, isVisible: false },
);
