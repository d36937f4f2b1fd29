/**
 * A random case: tables, views (made before, between and after the data) and transactions that change the tables, as a list of
 * steps. A case is data, so that it can be cut down and written as an .slt file.
 */

import type { Random } from '../../base/random.ts';
import {
  Expressions,
  type FuzzType,
  literal,
  type Ref,
  type Relation,
  SQL_TYPES,
  storedValue,
  TYPES,
} from './expressions.ts';
import { Queries } from './queries.ts';

/** `text` carries both spellings (two-texts.ts). A transaction's statements are sent one by one. */
export type Step =
  | { readonly kind: 'table'; readonly name: string; readonly text: string }
  | { readonly kind: 'view'; readonly name: string; readonly text: string }
  | {
      readonly kind: 'change';
      readonly statements: readonly string[];
      readonly end: 'COMMIT' | 'ROLLBACK';
    }
  | { readonly kind: 'kill' };

export interface FuzzCase {
  readonly seed: number;
  readonly steps: readonly Step[];
}

export interface CaseShape {
  readonly viewCount: number;
  readonly changeCount: number;
  readonly hasKills: boolean;
}

interface Table extends Relation {
  readonly hasKey: boolean;
}

/** Ids are drawn from few, so that keys collide. */
const KEYS = 12;
/** Cases whose views have expressions that fail for some rows. */
const FAILING_CHANCE = 0.15;

export function randomCase(random: Random, shape: CaseShape): FuzzCase {
  const tables = Array.from({ length: random.between(1, 3) }, (_, i) =>
    randomTable(random, `t${i}`),
  );
  const steps: Step[] = tables.map((table) => ({
    kind: 'table',
    name: table.name,
    text: tableText(table),
  }));
  const relations: Relation[] = [...tables];
  const canFail = random.chance(FAILING_CHANCE);
  const rest: ('view' | 'change' | 'kill')[] = random.shuffle([
    ...Array.from({ length: shape.viewCount }, () => 'view' as const),
    ...Array.from({ length: shape.changeCount }, () => 'change' as const),
    ...(shape.hasKills ? (['kill'] as const) : []),
  ]);
  let viewCount = 0;
  for (const kind of [...rest, 'change' as const]) {
    if (kind === 'kill') steps.push({ kind });
    else if (kind === 'change') steps.push(randomChange(random, tables));
    else {
      const query = new Queries(random, relations, canFail).query(random.pick([0, 1, 1, 2]));
      const name = `v${viewCount++}`;
      steps.push({ kind, name, text: query.text });
      if (random.chance(0.5)) relations.push({ name, columns: query.columns });
    }
  }
  return { seed: random.seed, steps };
}

function randomTable(random: Random, name: string): Table {
  const types: FuzzType[] = [
    'int',
    ...Array.from({ length: random.between(1, 5) }, () => random.pick(TYPES)),
  ];
  const columns = types.map((type, i) => ({ name: 'abcdef'[i]!, type }));
  return { name, columns, hasKey: random.chance(0.5) };
}

function tableText({ name, columns, hasKey }: Table): string {
  const list = columns.map((column, i) => {
    const key = hasKey && i === 0 ? ' PRIMARY KEY' : '';
    return `${column.name} ${SQL_TYPES[column.type]}${key}`;
  });
  return `CREATE TABLE ${name} (${list.join(', ')})`;
}

function randomChange(random: Random, tables: readonly Table[]): Step {
  const count = random.pick([1, 1, 1, 2, 3]);
  const statements = Array.from({ length: count }, () =>
    randomStatement(random, random.pick(tables)),
  );
  return { kind: 'change', statements, end: random.chance(0.1) ? 'ROLLBACK' : 'COMMIT' };
}

function randomStatement(random: Random, table: Table): string {
  const kind = random.below(100);
  if (kind < 50) return insert(random, table);
  if (kind < 75) return update(random, table);
  if (kind < 95) return `DELETE FROM ${table.name} WHERE ${condition(random, table)}`;
  if (kind < 97) return `TRUNCATE ${table.name}`;
  const columns = table.columns.map(({ name }, i) =>
    table.hasKey && i === 0 ? `${name} + 50` : name,
  );
  const skip = table.hasKey ? ' ON CONFLICT DO NOTHING' : '';
  return `INSERT INTO ${table.name} SELECT ${columns.join(', ')} FROM ${table.name} WHERE a < 3${skip}`;
}

function insert(random: Random, table: Table): string {
  const keys = random.shuffle(Array.from({ length: KEYS }, (_, i) => i));
  const rows = Array.from({ length: random.pick([1, 1, 2, 3, 5, 8]) }, (_, row) => {
    const values = table.columns.map(({ type }, i) =>
      table.hasKey && i === 0 ? String(keys[row]) : storedValue(random, type),
    );
    return `(${values.join(', ')})`;
  });
  return `INSERT INTO ${table.name} VALUES ${rows.join(', ')}${table.hasKey ? conflict(random, table) : ''}`;
}

function conflict(random: Random, table: Table): string {
  if (random.chance(0.15)) return '';
  if (random.chance(0.4)) return ' ON CONFLICT DO NOTHING';
  const target = random.pick(table.columns.slice(1));
  const value = random.chance(0.7) ? `excluded.${target.name}` : storedValue(random, target.type);
  const where = random.chance(0.3)
    ? ` WHERE ${table.name}.${target.name} IS DISTINCT FROM excluded.${target.name}`
    : '';
  return ` ON CONFLICT (a) DO UPDATE SET ${target.name} = ${value}${where}`;
}

function update(random: Random, table: Table): string {
  if (table.hasKey && random.chance(0.15)) {
    return `UPDATE ${table.name} SET a = ${random.between(0, KEYS)} WHERE a = ${random.between(0, KEYS)}`;
  }
  const target = random.pick(table.columns.slice(1));
  const expressions = new Expressions(random, refsOf(table), [], () => 's');
  const value = random.chance(0.5) ? literal(random, target.type) : expressions.any(target.type, 1);
  return `UPDATE ${table.name} SET ${target.name} = ${value} WHERE ${condition(random, table)}`;
}

function condition(random: Random, table: Table): string {
  return random.chance(0.4)
    ? `a = ${random.between(0, 5)}`
    : new Expressions(random, refsOf(table), [], () => 's').condition(1);
}

function refsOf(table: Table): Ref[] {
  return table.columns.map(({ name, type }) => ({ sql: name, type }));
}
