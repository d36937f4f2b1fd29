/**
 * Random scalar expressions of a wanted type over given columns. Unless asked for they cannot fail: no division by columns, no
 * products that overflow. What two correct engines may answer differently (a number's text, sums in float order) is left out or exact.
 */

import type { Random } from '../../base/random.ts';

export const TYPES = ['int', 'big', 'num', 'float', 'text', 'ts', 'bool'] as const;
export type FuzzType = (typeof TYPES)[number];

export const SQL_TYPES: Readonly<Record<FuzzType, string>> = {
  int: 'integer',
  big: 'bigint',
  num: 'numeric',
  float: 'double precision',
  text: 'text',
  ts: 'timestamp',
  bool: 'boolean',
};

/** A column that an expression may name. */
export interface Ref {
  readonly sql: string;
  readonly type: FuzzType;
}

/** A relation of the case. */
export interface Relation {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: FuzzType }[];
}

const LITERALS: Readonly<Record<FuzzType, readonly string[]>> = {
  int: ['-3', '-1', '0', '1', '2', '3', '5', '7'],
  big: ['-2', '0', '1', '2', '4', '9007199254740993', '-9007199254740993'],
  num: [
    '-1.5',
    '0',
    '0.00',
    '1',
    '1.0',
    '1.00',
    '2.50',
    '2.5',
    '100',
    "'NaN'",
    '12345678901234567890.5',
  ],
  float: ['-1.5', '0', "'-0'", '0.5', '0.25', '2', "'NaN'", "'Infinity'", "'-Infinity'"],
  text: [
    "''",
    "'a'",
    "'b'",
    "'ab'",
    "'B'",
    "'zz'",
    "'a long text of more than twelve bytes'",
    "'日a'",
  ],
  ts: [
    '00:00:00',
    '00:00:03',
    '00:00:07',
    '00:00:10',
    '00:00:20',
    '00:00:31',
    '00:01:05',
    '23:59:58',
  ].map((time) => `'2024-01-01 ${time}'`),
  bool: ['true', 'false'],
};

const NULL_CHANCE = 0.2;

/** A stored value as a bare literal: the column gives the type. */
export function storedValue(random: Random, type: FuzzType, nullChance = NULL_CHANCE): string {
  return random.chance(nullChance) ? 'NULL' : random.pick(LITERALS[type]);
}

/** A literal that has its type by itself. */
export function literal(random: Random, type: FuzzType): string {
  const value = random.chance(0.07) ? 'NULL' : random.pick(LITERALS[type]);
  return type === 'bool' && value !== 'NULL' ? value : `${quoted(value)}::${SQL_TYPES[type]}`;
}

/** A negative number's cast binds tighter than its sign. */
function quoted(value: string): string {
  return value.startsWith('-') ? `(${value})` : value;
}

export class Expressions {
  readonly #random: Random;
  readonly #relations: readonly Relation[];
  readonly #refs: readonly Ref[];
  readonly #alias: () => string;
  readonly #canFail: boolean;

  /** `relations`: what subqueries may read; empty: no subqueries. `canFail`: with divisions by columns. */
  constructor(
    random: Random,
    refs: readonly Ref[],
    relations: readonly Relation[],
    alias: () => string,
    canFail = false,
  ) {
    this.#canFail = canFail;
    this.#random = random;
    this.#refs = refs;
    this.#relations = relations;
    this.#alias = alias;
  }

  /** A column of the type, else a literal. */
  leaf(type: FuzzType): string {
    const fitting = this.#refs.filter((ref) => ref.type === type);
    return fitting.length > 0 && !this.#random.chance(0.25)
      ? this.#random.pick(fitting).sql
      : literal(this.#random, type);
  }

  /** An expression of the type, at most `depth` operators deep. */
  any(type: FuzzType, depth: number): string {
    const random = this.#random;
    if (depth <= 0 || random.chance(0.35)) return this.leaf(type);
    if (random.chance(0.25)) return this.#conditional(type, depth - 1);
    if (type === 'bool') return this.condition(depth);
    return this.#operation(type, depth - 1);
  }

  #conditional(type: FuzzType, depth: number): string {
    const one = this.any(type, depth);
    const other = this.any(type, depth);
    switch (this.#random.below(5)) {
      case 0:
        return `CASE WHEN ${this.condition(depth)} THEN ${one} ELSE ${other} END`;
      case 1:
        return `CASE ${this.leaf('int')} WHEN 1 THEN ${one} WHEN 2 THEN ${other} END`;
      case 2:
        return `COALESCE(${one}, ${other})`;
      case 3:
        return `NULLIF(${one}, ${other})`;
      default:
        return type === 'bool'
          ? `COALESCE(${one}, ${other})`
          : `${this.#random.pick(['GREATEST', 'LEAST'])}(${one}, ${other})`;
    }
  }

  #operation(type: Exclude<FuzzType, 'bool'>, depth: number): string {
    const random = this.#random;
    const self = (): string => this.any(type, depth);
    if (this.#canFail && type === 'int' && random.chance(0.4)) return this.#division();
    switch (type) {
      case 'int':
        return random.pick([
          () => `(${self()} + ${self()})`,
          () => `(${self()} - ${self()})`,
          () => `(${this.leaf('int')} * 3)`,
          () => `abs(${self()})`,
          () => `(${self()} % 3)`,
          () => `length(${this.any('text', depth)})`,
          () => `(- ${self()})`,
        ])();
      case 'big':
        return random.pick([
          () => `(${self()} + ${this.any('int', depth)})`,
          () => `(${self()} - ${this.leaf('big')})`,
          () => `${this.any('int', depth)}::bigint`,
          () => `(${self()} / 2)`,
        ])();
      case 'num':
        return random.pick([
          () => `(${self()} + ${this.leaf('num')})`,
          () => `(${this.leaf('num')} * ${this.leaf('int')})`,
          () => `${this.any('int', depth)}::numeric`,
          () => `round(${self()}, 1)`,
          () => `(- ${self()})`,
        ])();
      case 'float':
        return random.pick([
          () => `(${self()} + ${this.leaf('float')})`,
          () => `(${this.leaf('float')} * 2)`,
          () => `${this.any('int', depth)}::double precision`,
          () => `abs(${self()})`,
        ])();
      case 'text':
        return random.pick([
          () => `(${self()} || ${this.leaf('text')})`,
          () => `upper(${self()})`,
          () => `substring(${self()}, 1, 2)`,
          () => `${this.any('int', depth)}::text`,
          () => `replace(${self()}, 'a', 'xy')`,
        ])();
      case 'ts':
        return random.pick([
          () => `(${self()} + INTERVAL '5 seconds')`,
          () => `date_trunc('minute', ${self()})`,
        ])();
    }
  }

  /** Bare, or guarded so that it never fails. */
  #division(): string {
    const divisor = this.leaf('int');
    const division = `(${this.leaf('int')} / ${divisor})`;
    return this.#random.pick([
      division,
      `(${this.leaf('int')} / COALESCE(${divisor}, 1))`,
      `CASE WHEN ${divisor} <> 0 THEN ${division} END`,
    ]);
  }

  /** A boolean expression. */
  condition(depth: number): string {
    const random = this.#random;
    if (depth > 0 && random.chance(0.35)) {
      const one = this.condition(depth - 1);
      const other = this.condition(depth - 1);
      return random.pick([
        `(${one} AND ${other})`,
        `(${one} OR ${other})`,
        `(NOT ${one})`,
        `(${one} OR ${other})`,
      ]);
    }
    if (this.#relations.length > 0 && depth > 0 && random.chance(0.25)) return this.#subquery();
    return this.#test(depth - 1);
  }

  #test(depth: number): string {
    const random = this.#random;
    const type = random.pick(TYPES);
    const one = this.any(type, depth);
    switch (random.below(9)) {
      case 0:
        return `(${one} IS ${random.pick(['', 'NOT '])}NULL)`;
      case 1:
        return `(${one} IS ${random.pick(['', 'NOT '])}DISTINCT FROM ${this.any(type, depth)})`;
      case 2:
        return `(${one} BETWEEN ${this.leaf(type)} AND ${this.leaf(type)})`;
      case 3:
        return `(${one} ${random.pick(['IN', 'NOT IN'])} (${this.leaf(type)}, ${this.leaf(type)}))`;
      case 4:
        return `(${this.any('text', depth)} LIKE ${random.pick(["'a%'", "'%b'", "'_'", "'%'"])})`;
      default:
        return `(${one} ${random.pick(['=', '<>', '<', '<=', '>', '>=', '='])} ${this.any(type, depth)})`;
    }
  }

  /** [NOT] IN, [NOT] EXISTS, a comparison with a scalar subquery; correlated or not. */
  #subquery(): string {
    const random = this.#random;
    const relation = random.pick(this.#relations);
    const alias = this.#alias();
    const inner: Ref[] = relation.columns.map((c) => ({ sql: `${alias}.${c.name}`, type: c.type }));
    const column = random.pick(inner);
    const inside = new Expressions(random, inner, [], this.#alias, this.#canFail);
    const partner = this.#refs.filter((ref) => ref.type === column.type);
    const tests: string[] = [];
    if (random.chance(0.6) && partner.length > 0) {
      const operator = random.chance(0.8) ? '=' : random.pick(['<', '<>']);
      tests.push(`${column.sql} ${operator} ${random.pick(partner).sql}`);
    }
    if (random.chance(0.4)) tests.push(inside.condition(1));
    const from = `FROM ${relation.name} ${alias}${tests.length > 0 ? ` WHERE ${tests.join(' AND ')}` : ''}`;
    const not = random.pick(['', 'NOT ']);
    switch (random.below(3)) {
      case 0:
        return `(${not}EXISTS (SELECT 1 ${from}))`;
      case 1: {
        const value = random.pick(inner);
        return `(${this.any(value.type, 1)} ${not}IN (SELECT ${value.sql} ${from}))`;
      }
      default: {
        const value = random.pick(inner.filter((ref) => ref.type !== 'bool').concat(inner[0]!));
        const aggregate = value.type === 'bool' ? 'bool_or' : random.pick(['min', 'max']);
        return `(${this.any(value.type, 1)} ${random.pick(['=', '<', '>='])} (SELECT ${aggregate}(${value.sql}) ${from}))`;
      }
    }
  }
}
