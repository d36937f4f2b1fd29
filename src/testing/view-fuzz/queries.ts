/**
 * Random queries for materialized views: every shape that a view may have, over tables and earlier views. Each query has both
 * spellings (two-texts.ts); its answer is fully determined as a bag (semantics.md rule 9 closes ties, and the PostgreSQL
 * spelling adds the canonical order).
 */

import type { Random } from '../../base/random.ts';
import { Expressions, type FuzzType, type Ref, type Relation, TYPES } from './expressions.ts';
import { either } from './two-texts.ts';
import { windowed } from './windows.ts';

export interface Query {
  readonly text: string;
  readonly columns: readonly { readonly name: string; readonly type: FuzzType }[];
}

interface From {
  readonly sql: string;
  readonly refs: readonly Ref[];
}

const JOINS = ['JOIN', 'JOIN', 'LEFT JOIN', 'LEFT JOIN', 'RIGHT JOIN', 'FULL JOIN', 'CROSS JOIN'];

export class Queries {
  readonly #random: Random;
  readonly #relations: readonly Relation[];
  readonly #canFail: boolean;
  #aliasCount = 0;

  /** `canFail`: with expressions that fail for some rows (semantics.md rule 11). */
  constructor(random: Random, relations: readonly Relation[], canFail: boolean) {
    this.#canFail = canFail;
    this.#random = random;
    this.#relations = relations;
  }

  query(depth: number): Query {
    const random = this.#random;
    const shape = random.below(100);
    if (shape < 28) return this.#select(depth);
    if (shape < 58) return this.#grouped(depth);
    if (shape < 66) return this.#distinct(depth);
    if (shape < 76) return this.#setOperation(depth);
    if (shape < 86) return this.#topN(depth);
    if (shape < 92) return this.#numbered(depth);
    return this.#over(depth);
  }

  readonly #alias = (): string => `r${this.#aliasCount++}`;

  #expressions(refs: readonly Ref[], withSubqueries = true): Expressions {
    const relations = withSubqueries ? this.#relations : [];
    return new Expressions(this.#random, refs, relations, this.#alias, this.#canFail);
  }

  #from(depth: number): From {
    const random = this.#random;
    let from = this.#item(depth);
    const joins = random.pick([0, 0, 0, 1, 1, 2]);
    for (let i = 0; i < joins; i++) from = this.#join(from, this.#item(depth));
    return from;
  }

  #item(depth: number): From {
    const random = this.#random;
    const alias = this.#alias();
    if (depth > 0 && random.chance(0.25)) {
      const inner = this.query(depth - 1);
      const refs = inner.columns.map(({ name, type }) => ({ sql: `${alias}.${name}`, type }));
      return { sql: `(${inner.text}) ${alias}`, refs };
    }
    const relation = random.pick(this.#relations);
    const timed = random.chance(0.2) ? windowed(random, relation, alias) : null;
    if (timed !== null) return timed;
    const refs = relation.columns.map(({ name, type }) => ({ sql: `${alias}.${name}`, type }));
    return { sql: `${relation.name} ${alias}`, refs };
  }

  #join(left: From, right: From): From {
    const random = this.#random;
    const refs = [...left.refs, ...right.refs];
    const kind = random.pick(JOINS);
    if (kind === 'CROSS JOIN') return { sql: `${left.sql} CROSS JOIN ${right.sql}`, refs };
    const condition = this.#joinCondition(left, right, kind === 'FULL JOIN');
    return { sql: `${left.sql} ${kind} ${right.sql} ON ${condition}`, refs };
  }

  #joinCondition(left: From, right: From, isFull: boolean): string {
    const random = this.#random;
    const pairs = left.refs.flatMap((one) =>
      right.refs.filter(({ type }) => type === one.type).map((other) => [one, other] as const),
    );
    if (pairs.length === 0)
      return isFull ? 'true' : this.#expressions([...left.refs, ...right.refs], false).condition(1);
    const equal = (): string => {
      const [one, other] = random.pick(pairs);
      return `${one.sql} = ${other.sql}`;
    };
    const tests = [equal()];
    if (random.chance(0.2)) tests.push(equal());
    if (isFull) return tests.join(' AND ');
    if (random.chance(0.15)) tests.shift();
    if (tests.length === 0 || random.chance(0.3)) {
      tests.push(this.#expressions([...left.refs, ...right.refs], false).condition(1));
    }
    return tests.join(' AND ');
  }

  #where(refs: readonly Ref[], chance: number): string {
    return this.#random.chance(chance) ? ` WHERE ${this.#expressions(refs).condition(2)}` : '';
  }

  /** Types of a result: mostly of those that the input has. */
  #types(refs: readonly Ref[]): FuzzType[] {
    const random = this.#random;
    return Array.from({ length: random.between(1, 4) }, () =>
      random.chance(0.8) ? random.pick(refs).type : random.pick(TYPES),
    );
  }

  #select(depth: number): Query {
    const from = this.#from(depth);
    const expressions = this.#expressions(from.refs, this.#random.chance(0.2));
    return this.#listed(
      this.#types(from.refs),
      (type) => expressions.any(type, 2),
      (list) => `SELECT ${list} FROM ${from.sql}${this.#where(from.refs, 0.6)}`,
    );
  }

  #listed(
    types: readonly FuzzType[],
    item: (type: FuzzType) => string,
    query: (list: string) => string,
  ): Query {
    const columns = types.map((type, i) => ({ name: `c${i}`, type }));
    const list = columns.map(({ name, type }) => `${item(type)} AS ${name}`).join(', ');
    return { text: query(list), columns };
  }

  #distinct(depth: number): Query {
    const { text, columns } = this.#select(depth);
    return { text: text.replace('SELECT ', 'SELECT DISTINCT '), columns };
  }

  #grouped(depth: number): Query {
    const random = this.#random;
    const from = this.#from(depth);
    const inside = this.#expressions(from.refs, false);
    const keys = Array.from({ length: random.pick([0, 1, 1, 1, 2]) }, () => {
      if (random.chance(0.75)) return random.pick(from.refs);
      const type = random.pick(TYPES);
      return { sql: inside.any(type, 2), type };
    });
    const aggregates = Array.from({ length: random.between(1, 4) }, () =>
      aggregate(random, inside, from.refs),
    );
    const results = [...keys, ...aggregates];
    const columns = results.map(({ type }, i) => ({ name: `c${i}`, type }));
    const list = results.map(({ sql }, i) => `${sql} AS c${i}`).join(', ');
    const numbers = keys.map((_, i) => i + 1).join(', ');
    // Two equal items of the select list are refused there.
    const areTwins = new Set(keys.map(({ sql }) => sql)).size < keys.length;
    const sets = areTwins ? '' : random.pick(['', '', '', 'ROLLUP', 'CUBE']);
    const by =
      keys.length === 0 ? '' : ` GROUP BY ${sets === '' ? numbers : `${sets} (${numbers})`}`;
    const having = random.chance(0.25)
      ? ` HAVING ${this.#expressions(aggregates, false).condition(1)}`
      : '';
    const text = `SELECT ${list} FROM ${from.sql}${this.#where(from.refs, 0.4)}${by}${having}`;
    return { text, columns };
  }

  #setOperation(depth: number): Query {
    const random = this.#random;
    const types = this.#types(
      this.#relations.flatMap((relation) =>
        relation.columns.map(({ name, type }) => ({ sql: name, type })),
      ),
    );
    const branch = (): string => {
      const from = this.#item(depth);
      const expressions = this.#expressions(from.refs, false);
      const where = this.#where(from.refs, 0.5);
      return this.#listed(
        types,
        (type) => expressions.any(type, 1),
        (list) => `SELECT ${list} FROM ${from.sql}${where}`,
      ).text;
    };
    const operation = random.pick([
      'UNION',
      'UNION ALL',
      'INTERSECT',
      'INTERSECT ALL',
      'EXCEPT',
      'EXCEPT ALL',
    ]);
    const parts = [branch(), branch()];
    const third = random.chance(0.2) ? ` ${operation} (${branch()})` : '';
    const columns = types.map((type, i) => ({ name: `c${i}`, type }));
    return { text: `(${parts[0]}) ${operation} (${parts[1]})${third}`, columns };
  }

  /** A random order, and the same one closed as semantics.md rule 9 says: then all columns by (SQL order, bytes). */
  #order(columns: Query['columns']): { readonly given: string; readonly canonical: string } {
    const random = this.#random;
    const shuffled = random.shuffle([...columns]);
    const keys = shuffled.slice(0, random.between(1, columns.length)).map(({ name }) => {
      const direction = random.pick(['', ' DESC']);
      return `${name}${direction}${random.pick(['', ' NULLS FIRST', ' NULLS LAST'])}`;
    });
    const rest = columns.map(({ name, type }) =>
      type === 'num' ? `${name}, scale(${name})` : name,
    );
    return { given: keys.join(', '), canonical: [...keys, ...rest].join(', ') };
  }

  #topN(depth: number): Query {
    const random = this.#random;
    const inner = this.query(Math.min(depth - 1, 1));
    const { given, canonical } = this.#order(inner.columns);
    const limit = ` LIMIT ${random.between(0, 5)}${random.chance(0.3) ? ` OFFSET ${random.between(0, 3)}` : ''}`;
    const names = inner.columns.map(({ name }) => name).join(', ');
    const from = `SELECT ${names} FROM (${inner.text}) ${this.#alias()}`;
    return {
      text: `${from} ORDER BY ${either(given, canonical)}${random.chance(0.1) ? ' LIMIT ALL' : limit}`,
      columns: inner.columns,
    };
  }

  #numbered(depth: number): Query {
    const random = this.#random;
    const inner = this.query(Math.min(depth - 1, 1));
    const { given, canonical } = this.#order(inner.columns);
    const names = inner.columns.map(({ name }) => name);
    const partition = random.chance(0.8) ? `PARTITION BY ${random.pick(names)} ` : '';
    const over = `row_number() OVER (${partition}ORDER BY ${either(given, canonical)})`;
    const from = `(SELECT ${names.join(', ')}, ${over} AS n FROM (${inner.text}) ${this.#alias()})`;
    const rank = { name: `c${names.length}`, type: 'big' as const };
    const isRankShown = random.chance(0.4);
    const shown = isRankShown ? `, n AS ${rank.name}` : '';
    const limit = random.pick(['n <= 1', 'n <= 2', 'n < 4', 'n = 1', 'n <= 3']);
    return {
      text: `SELECT ${names.join(', ')}${shown} FROM ${from} ${this.#alias()} WHERE ${limit}`,
      columns: isRankShown ? [...inner.columns, rank] : inner.columns,
    };
  }

  #over(depth: number): Query {
    const random = this.#random;
    const inner = this.query(Math.min(depth - 1, 1));
    const { given, canonical } = this.#order(inner.columns);
    const names = inner.columns.map(({ name }) => name);
    const partition = random.chance(0.7) ? `PARTITION BY ${random.pick(names)} ` : '';
    const value = random.pick(inner.columns);
    const call = random.pick([
      { sql: 'row_number()', type: 'big', isTieSafe: false },
      { sql: 'rank()', type: 'big', isTieSafe: true },
      { sql: 'dense_rank()', type: 'big', isTieSafe: true },
      { sql: `lag(${value.name})`, type: value.type, isTieSafe: false },
      { sql: `lead(${value.name})`, type: value.type, isTieSafe: false },
      { sql: `first_value(${value.name})`, type: value.type, isTieSafe: false },
      { sql: 'count(*)', type: 'big', isTieSafe: true },
      { sql: `count(${value.name})`, type: 'big', isTieSafe: true },
    ] as const);
    const order = call.isTieSafe ? given : either(given, canonical);
    const name = `c${inner.columns.length}`;
    return {
      text: `SELECT ${names.join(', ')}, ${call.sql} OVER (${partition}ORDER BY ${order}) AS ${name} FROM (${inner.text}) ${this.#alias()}`,
      columns: [...inner.columns, { name, type: call.type }],
    };
  }
}

/** A random aggregate call and its type. */
function aggregate(random: Random, inside: Expressions, refs: readonly Ref[]): Ref {
  const of = (type: FuzzType): string => inside.any(type, 1);
  const made = random.pick<() => Ref>([
    () => ({ sql: 'count(*)', type: 'big' }),
    () => ({ sql: `count(${of(random.pick(TYPES))})`, type: 'big' }),
    () => ({ sql: `count(DISTINCT ${of(random.pick(TYPES))})`, type: 'big' }),
    () => ({ sql: `sum(${of('int')})`, type: 'big' }),
    () => ({ sql: `sum(${of(random.pick(['big', 'num'] as const))})`, type: 'num' }),
    () => ({ sql: `sum(DISTINCT ${of(random.pick(['big', 'num'] as const))})`, type: 'num' }),
    () => ({ sql: `sum(${of('float')})`, type: 'float' }),
    () => ({ sql: `avg(${of(random.pick(['int', 'big', 'num'] as const))})`, type: 'num' }),
    () => ({ sql: `avg(${of('float')})`, type: 'float' }),
    () => extreme(random, of),
    () => extreme(random, of),
    () => ({
      sql: `${random.pick(['bool_and', 'bool_or', 'every'])}(${of('bool')})`,
      type: 'bool',
    }),
    () => ordered(random, of),
    () => ordered(random, of),
    () => ({ sql: `count(${random.pick(refs).sql})`, type: 'big' }),
  ])();
  const isFiltered = random.chance(0.2);
  return isFiltered ? { ...made, sql: filtered(made.sql, inside.condition(1)) } : made;
}

/** FILTER goes right behind the call, inside a cast that may be around it. */
function filtered(call: string, condition: string): string {
  const filter = ` FILTER (WHERE ${condition})`;
  return call.endsWith('::text') ? `${call.slice(0, -6)}${filter}::text` : `${call}${filter}`;
}

function extreme(random: Random, of: (type: FuzzType) => string): Ref {
  const type = random.pick(['int', 'big', 'num', 'float', 'text', 'ts'] as const);
  return { sql: `${random.pick(['min', 'max'])}(${of(type)})`, type };
}

/** Lists of text and int in a full order, so that every engine agrees. */
function ordered(random: Random, of: (type: FuzzType) => string): Ref {
  const type = random.pick(['text', 'int'] as const);
  const value = of(type);
  const direction = random.pick(['', ' DESC', ' NULLS FIRST']);
  const distinct = random.chance(0.25) ? 'DISTINCT ' : '';
  return type === 'text'
    ? {
        sql: `string_agg(${distinct}${value}, ','${distinct === '' ? ` ORDER BY ${value}${direction}` : ''})`,
        type: 'text',
      }
    : { sql: `array_agg(${distinct}${value} ORDER BY ${value}${direction})::text`, type: 'text' };
}
