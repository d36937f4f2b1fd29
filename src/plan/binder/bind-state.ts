/** What is shared while one statement is bound: its context, subqueries, parameters' types, relations read. */

import { SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { CastContext } from '../../expr/casts.ts';
import { coerce } from '../../expr/coerce.ts';
import { type DataType, isSameType, TEXT, UNKNOWN } from '../../types/data-type.ts';
import { plainTypeName } from '../../types/type-name.ts';
import type { PlannerContext } from '../context.ts';
import type { Coercer } from '../expr-make.ts';
import { declaredNotNull } from '../nullability.ts';
import { numberedPlaceholder } from '../placeholder.ts';
import { type BoundSubquery, SubqueryAttacher } from './subquery.ts';

export class BindState implements Coercer {
  readonly context: PlannerContext;
  /** Ids of user relations that the statement reads. */
  readonly relationIds = new Set<number>();
  readonly attacher: SubqueryAttacher;
  /** `allowed_lateness` of the view being bound, for its windows. */
  readonly allowedLatenessUs: string;
  readonly #subqueries: BoundSubquery[] = [];
  readonly #parameterTypes: (DataType | null)[];
  readonly #parameterPositions: (number | undefined)[] = [];
  readonly #positions = new WeakMap<BoundExpr, number>();
  #scopes = 0;

  constructor(context: PlannerContext, allowedLatenessUs = '0') {
    this.context = context;
    this.allowedLatenessUs = allowedLatenessUs;
    this.#parameterTypes = [...(context.parameterTypes ?? [])].map((type) =>
      type !== null && isSameType(type, UNKNOWN) ? null : type,
    );
    this.attacher = new SubqueryAttacher(
      this.#subqueries,
      () => this.newScopeId(),
      declaredNotNull(context.catalog),
    );
  }

  /** The literal or column reference, remembered with where it stands in the text: for errors found later. */
  located(expr: BoundExpr, position: number): BoundExpr {
    if (expr.kind !== 'literal' && expr.kind !== 'column') return expr;
    const own = { ...expr };
    this.#positions.set(own, position);
    return own;
  }

  positionOf(expr: BoundExpr): number | undefined {
    return this.#positions.get(expr);
  }

  newScopeId(): number {
    return this.#scopes++;
  }

  /** A placeholder for the subquery, for expressions. */
  addSubquery(subquery: BoundSubquery, position: number): BoundExpr {
    this.#subqueries.push(subquery);
    const number = this.#subqueries.length - 1;
    return numberedPlaceholder('subquery', number, subquery.type, position);
  }

  /** `$n` (index from 0): of its type if that is known, else UNKNOWN until it is coerced to something. */
  parameter(index: number, position: number): BoundExpr {
    if (index < 0 || index >= 65_535) {
      throw new SqlError('42P02', `there is no parameter $${index + 1}`, { position });
    }
    while (this.#parameterTypes.length <= index) this.#parameterTypes.push(null);
    this.#parameterPositions[index] ??= position;
    return { kind: 'parameter', index, type: this.#parameterTypes[index] ?? UNKNOWN };
  }

  coerce(
    expr: BoundExpr,
    type: DataType,
    context: CastContext,
    position?: number,
  ): BoundExpr | null {
    if (expr.kind !== 'parameter' || expr.type.id !== 'unknown') {
      const own = expr.type.id === 'unknown' ? this.positionOf(expr) : undefined;
      return coerce(expr, type, context, this.context.settings, own ?? position);
    }
    const known = this.#parameterTypes[expr.index] ?? null;
    if (known === null) {
      const declared = type.id === 'unknown' ? TEXT : type;
      this.#parameterTypes[expr.index] =
        declared.typmod === -1 ? declared : { ...declared, typmod: -1 };
    } else if (!isSameType(known, type)) {
      const typed: BoundExpr = { ...expr, type: known };
      const cast = coerce(typed, type, context, this.context.settings, position);
      if (cast !== null) return cast;
      throw new SqlError('42P08', `inconsistent types deduced for parameter $${expr.index + 1}`, {
        position,
        detail: `${plainTypeName(known)} versus ${plainTypeName(type)}`,
      });
    }
    const typed: BoundExpr = { ...expr, type: this.#parameterTypes[expr.index] ?? type };
    return coerce(typed, type, context, this.context.settings, position);
  }

  /** Views hold no parameters. */
  refuseParameters(): void {
    if (this.#parameterTypes.length === 0 || this.#parameterPositions.length === 0) return;
    const position = this.#parameterPositions.find((p) => p !== undefined);
    throw new SqlError('42P02', 'a view cannot hold parameters', { position });
  }

  /** Types of all parameters at the end of binding (42P18 where one was never used as something). */
  parameterTypes(): readonly DataType[] {
    return this.#parameterTypes.map((type, index) => {
      if (type !== null) return type;
      const message = `could not determine data type of parameter $${index + 1}`;
      throw new SqlError('42P18', message, { position: this.#parameterPositions[index] });
    });
  }
}
