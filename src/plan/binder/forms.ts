/** SQL's expression forms over operands that are bound already: typing by PostgreSQL's rules, sugar taken apart. */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import {
  commonType,
  resolveArrayOperator,
  resolveFunction,
  resolveOperator,
} from '../../expr/resolve.ts';
import {
  arrayOf,
  BOOL,
  DATE,
  type DataType,
  INT4,
  INT8,
  isSameType,
  NUMERIC,
  TEXT,
  TIME,
  TIMESTAMP,
  TIMESTAMPTZ,
  UNKNOWN,
} from '../../types/data-type.ts';
import { plainTypeName } from '../../types/type-name.ts';
import { castTo, literal, makeCall } from '../expr-make.ts';
import { isNullTest, notExpr } from '../expr-tree.ts';
import type { BindState } from './bind-state.ts';

const INT4_MAX = 2_147_483_647n;
const INT8_MAX = 9_223_372_036_854_775_807n;

export class Forms {
  readonly #state: BindState;

  constructor(state: BindState) {
    this.#state = state;
  }

  text(value: string): BoundExpr {
    return literal(value, UNKNOWN);
  }

  nullValue(): BoundExpr {
    return literal(null, UNKNOWN);
  }

  bool(value: boolean): BoundExpr {
    return literal(value ? 't' : 'f', BOOL);
  }

  /** An unsigned number as written: int4, int8 or numeric, the first that holds it. */
  number(text: string, position: number): BoundExpr {
    const plain = text.replaceAll('_', '');
    const isInteger = /^(\d+|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.test(plain);
    if (isInteger) {
      const value = BigInt(
        /^\d/.test(plain) && /^0+\d/.test(plain) ? plain.replace(/^0+(?=\d)/, '') : plain,
      );
      if (value <= INT4_MAX) return literal(String(value), INT4);
      if (value <= INT8_MAX) return literal(String(value), INT8);
      return this.cast(this.text(String(value)), NUMERIC, position);
    }
    return this.cast(this.text(plain), NUMERIC, position);
  }

  cast(expr: BoundExpr, type: DataType, position?: number): BoundExpr {
    return castTo(expr, type, 'explicit', this.#state, position);
  }

  /** Coerced to `type`, or a 42804 that names the construct. */
  require(expr: BoundExpr, type: DataType, construct: string, position?: number): BoundExpr {
    const coerced = this.#state.coerce(expr, type, 'implicit', position);
    if (coerced !== null) return coerced;
    const message = `argument of ${construct} must be type ${plainTypeName(type)}, not type ${plainTypeName(expr.type)}`;
    throw new SqlError('42804', message, { position });
  }

  boolean(expr: BoundExpr, construct: string, position?: number): BoundExpr {
    return this.require(expr, BOOL, construct, position);
  }

  operator(name: string, left: BoundExpr | null, right: BoundExpr, position: number): BoundExpr {
    if (name === '!=') return this.operator('<>', left, right, position);
    if (left === null && name === '-') {
      const negative = negatedLiteral(right);
      if (negative !== null) return negative;
    }
    const resolved = resolveOperator(name, left?.type ?? null, right.type, position);
    const args = left === null ? [right] : [left, right];
    return makeCall(resolved, args, this.#state, position);
  }

  call(name: string, args: readonly BoundExpr[], position: number): BoundExpr {
    const resolved = resolveFunction(
      name,
      args.map((arg) => arg.type),
      position,
    );
    return makeCall(resolved, args, this.#state, position);
  }

  logic(kind: 'and' | 'or', args: readonly BoundExpr[], positions: readonly number[]): BoundExpr {
    const construct = kind.toUpperCase();
    const parts = args.map((arg, i) => this.boolean(arg, construct, positions[i]));
    const flat = parts.flatMap((part) => (part.kind === kind ? part.args : [part]));
    return { kind, args: flat, type: BOOL };
  }

  not(arg: BoundExpr, position: number): BoundExpr {
    return notExpr(this.boolean(arg, 'NOT', position));
  }

  is(
    test: 'null' | 'true' | 'false' | 'unknown',
    negated: boolean,
    arg: BoundExpr,
    position: number,
  ): BoundExpr {
    if (test === 'null') {
      const known = arg.type.id === 'unknown' ? castTo(arg, TEXT, 'implicit', this.#state) : arg;
      return isNullTest(known, negated);
    }
    const name = `IS${negated ? ' NOT' : ''} ${test.toUpperCase()}`;
    const condition = this.boolean(arg, name, position);
    if (test === 'unknown') return isNullTest(condition, negated);
    return { kind: 'is', test, negated, arg: condition, type: BOOL };
  }

  /** IS [NOT] DISTINCT FROM. */
  distinct(left: BoundExpr, right: BoundExpr, negated: boolean, position: number): BoundExpr {
    const equal = this.operator('=', left, right, position);
    const [a, b] = equal.kind === 'call' ? equal.args : [left, right];
    const isDistinct: BoundExpr = {
      kind: 'case',
      branches: [
        { condition: isNullTest(a ?? left), result: isNullTest(b ?? right, true) },
        { condition: isNullTest(b ?? right), result: this.bool(true) },
      ],
      otherwise: notExpr(equal),
      type: BOOL,
    };
    return negated ? notExpr(isDistinct) : isDistinct;
  }

  between(
    x: BoundExpr,
    low: BoundExpr,
    high: BoundExpr,
    options: { readonly negated: boolean; readonly symmetric: boolean },
    position: number,
  ): BoundExpr {
    const within = (a: BoundExpr, b: BoundExpr): BoundExpr => ({
      kind: 'and',
      args: [this.operator('>=', x, a, position), this.operator('<=', x, b, position)],
      type: BOOL,
    });
    const inside: BoundExpr = options.symmetric
      ? { kind: 'or', args: [within(low, high), within(high, low)], type: BOOL }
      : within(low, high);
    return options.negated ? notExpr(inside) : inside;
  }

  /** x [NOT] IN (a, b, ...). A long list of constants becomes one comparison with an array. */
  inList(x: BoundExpr, list: readonly BoundExpr[], negated: boolean, position: number): BoundExpr {
    const compared = this.#inArray(x, list, negated, position);
    if (compared !== null) return compared;
    const name = negated ? '<>' : '=';
    const parts = list.map((item) => this.operator(name, x, item, position));
    if (parts.length === 1) return must(parts[0]);
    return { kind: negated ? 'and' : 'or', args: parts, type: BOOL };
  }

  #inArray(
    x: BoundExpr,
    list: readonly BoundExpr[],
    negated: boolean,
    position: number,
  ): BoundExpr | null {
    const isConstant = (item: BoundExpr): boolean =>
      item.kind === 'literal' || item.kind === 'parameter';
    if (list.length < 2 || !list.every(isConstant)) return null;
    let type: DataType;
    try {
      type = commonType(
        [x, ...list].map((item) => item.type),
        'IN',
        position,
      );
    } catch (error) {
      if (error instanceof SqlError) return null;
      throw error;
    }
    const arrayType = arrayOf({ ...type, typmod: -1 });
    if (arrayType === undefined) return null;
    const elements = list.map((item) => castTo(item, type, 'implicit', this.#state, position));
    const array: BoundExpr = { kind: 'array', elements, type: arrayType };
    const quantifier = negated ? 'all' : 'any';
    return this.quantified(negated ? '<>' : '=', quantifier, x, array, position);
  }

  /** x op ANY|ALL (array). */
  quantified(
    name: string,
    quantifier: 'any' | 'all',
    left: BoundExpr,
    right: BoundExpr,
    position: number,
  ): BoundExpr {
    const operator = name === '!=' ? '<>' : name;
    const resolved = resolveArrayOperator(operator, quantifier, left.type, right.type, position);
    return makeCall(resolved, [left, right], this.#state, position);
  }

  /** Row comparison: = and <> by columns, < and its kin from left to right. */
  rows(
    name: string,
    left: readonly BoundExpr[],
    right: readonly BoundExpr[],
    position: number,
  ): BoundExpr {
    if (left.length !== right.length) {
      throw new SqlError('42601', 'unequal number of entries in row expressions', { position });
    }
    if (left.length === 1) return this.operator(name, must(left[0]), must(right[0]), position);
    const pair = (operator: string, i: number): BoundExpr =>
      this.operator(operator, must(left[i]), must(right[i]), position);
    if (name === '=' || name === '<>' || name === '!=') {
      const kind = name === '=' ? 'and' : 'or';
      return { kind, args: left.map((_, i) => pair(name, i)), type: BOOL };
    }
    if (!/^[<>]=?$/.test(name)) throw notSupported(`row comparison with ${name}`, { position });
    const strict = name.slice(0, 1);
    const last = left.length - 1;
    let result = pair(name, last);
    for (let i = last - 1; i >= 0; i--) {
      const equalThen: BoundExpr = { kind: 'and', args: [pair('=', i), result], type: BOOL };
      result = { kind: 'or', args: [pair(strict, i), equalThen], type: BOOL };
    }
    return result;
  }

  /** The common type; an error points at the first operand that does not go with those before it. */
  #commonTypeOf(operands: readonly BoundExpr[], construct: string, position: number): DataType {
    const types = operands.map((operand) => operand.type);
    try {
      return commonType(types, construct, position);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      for (const [index, operand] of operands.entries()) {
        commonType(
          types.slice(0, index + 1),
          construct,
          this.#state.positionOf?.(operand) ?? position,
        );
      }
      throw error;
    }
  }

  /** Every operand in their common type. */
  unify(
    operands: readonly BoundExpr[],
    construct: string,
    position: number,
  ): { readonly type: DataType; readonly operands: readonly BoundExpr[] } {
    const type = this.#commonTypeOf(operands, construct, position);
    const cast = operands.map((operand) =>
      castTo(operand, type, 'implicit', this.#state, position),
    );
    const typmods = new Set(operands.map((operand) => operand.type.typmod));
    const same = operands.every((operand) => isSameType(operand.type, type));
    const first = operands[0];
    const kept = same && typmods.size === 1 && first !== undefined ? first.type : type;
    return { type: kept, operands: cast };
  }

  coalesce(args: readonly BoundExpr[], position: number): BoundExpr {
    const { type, operands } = this.unify(args, 'COALESCE', position);
    return { kind: 'coalesce', args: operands, type };
  }

  /** GREATEST and LEAST. */
  extreme(name: 'greatest' | 'least', args: readonly BoundExpr[], position: number): BoundExpr {
    const { operands } = this.unify(args, name.toUpperCase(), position);
    return this.call(name, operands, position);
  }

  nullif(left: BoundExpr, right: BoundExpr, position: number): BoundExpr {
    const condition = this.operator('=', left, right, position);
    const [compared] = condition.kind === 'call' ? condition.args : [left];
    const value = left.type.id === 'unknown' ? (compared ?? left) : left;
    const branches = [{ condition, result: literal(null, value.type) }];
    return { kind: 'case', branches, otherwise: value, type: value.type };
  }

  /** CASE; `operand` null: searched. */
  caseOf(
    operand: BoundExpr | null,
    branches: readonly { readonly when: BoundExpr; readonly result: BoundExpr }[],
    otherwise: BoundExpr | null,
    position: number,
  ): BoundExpr {
    const results = branches.map((branch) => branch.result);
    // PostgreSQL looks at the ELSE first: it decides ties of types and the order in the message.
    const all = otherwise === null ? results : [otherwise, ...results];
    const { type, operands } = this.unify(all, 'CASE', position);
    const shift = all.length - results.length;
    const tested =
      operand?.type.id === 'unknown' ? castTo(operand, TEXT, 'implicit', this.#state) : operand;
    return {
      kind: 'case',
      branches: branches.map((branch, i) => ({
        condition:
          tested === null
            ? this.boolean(branch.when, 'CASE/WHEN', position)
            : this.operator('=', tested, branch.when, position),
        result: must(operands[i + shift]),
      })),
      otherwise: otherwise === null ? null : must(operands[0]),
      type,
    };
  }

  array(elements: readonly BoundExpr[], position: number): BoundExpr {
    if (elements.length === 0) {
      throw new SqlError('42P18', 'cannot determine type of empty array', {
        position,
        hint: 'Explicitly cast to the desired type, for example ARRAY[]::integer[].',
      });
    }
    const { operands, type } = this.unify(elements, 'ARRAY', position);
    const arrayType = arrayOf({ ...type, typmod: -1 });
    if (type.element !== null)
      throw notSupported('a multidimensional array constructor', { position });
    if (arrayType === undefined) {
      const message = `could not find array type for data type ${plainTypeName(type)}`;
      throw new SqlError('42704', message, { position });
    }
    return { kind: 'array', elements: operands, type: arrayType };
  }

  subscript(array: BoundExpr, index: BoundExpr, position: number): BoundExpr {
    if (array.type.element === null && array.type.id !== 'jsonb') {
      const message = `cannot subscript type ${plainTypeName(array.type)} because it does not support subscripting`;
      throw new SqlError('42804', message, { position });
    }
    return this.call('subscript', [array, index], position);
  }

  /** a[lower:upper]; an open end goes as far as the array does. */
  slice(
    array: BoundExpr,
    lower: BoundExpr | null,
    upper: BoundExpr | null,
    position: number,
  ): BoundExpr {
    const first = lower ?? literal('1', INT4);
    const last = upper ?? literal(String(INT4_MAX), INT4);
    return this.call('array_slice', [array, first, last], position);
  }

  /** CURRENT_DATE and its kin, from the statement's or the epoch's instant. */
  currentTime(
    name: 'current_date' | 'current_time' | 'current_timestamp' | 'localtime' | 'localtimestamp',
    position: number,
  ): BoundExpr {
    const now: BoundExpr = { kind: 'now', type: TIMESTAMPTZ };
    switch (name) {
      case 'current_timestamp':
        return now;
      case 'current_date':
        return this.cast(now, DATE, position);
      case 'localtimestamp':
        return this.cast(now, TIMESTAMP, position);
      case 'localtime':
        return this.cast(now, TIME, position);
      case 'current_time':
        throw notSupported('type time with time zone', { position });
    }
  }
}

/** `-5` as a literal; null: the operand is no number as written. The greatest negative int4 and int8 get their type. */
function negatedLiteral(expr: BoundExpr): BoundExpr | null {
  if (expr.kind !== 'literal' || expr.text === null || expr.text.startsWith('-')) return null;
  if (!/^\d+(\.\d+)?$/.test(expr.text)) return null;
  switch (expr.type.id) {
    case 'int4':
      return literal(expr.text === '0' ? '0' : `-${expr.text}`, INT4);
    case 'int8':
      return literal(`-${expr.text}`, expr.text === String(INT4_MAX + 1n) ? INT4 : INT8);
    case 'numeric':
      if (expr.text === String(INT8_MAX + 1n)) return literal(`-${expr.text}`, INT8);
      return /^0(\.0*)?$/.test(expr.text) ? expr : literal(`-${expr.text}`, NUMERIC);
    default:
      return null;
  }
}
