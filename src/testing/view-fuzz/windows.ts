/**
 * Time windows as PostgreSQL's plain SQL: the reference for TUMBLE, HOP, CUMULATE and SESSION without watermarks, written from
 * their definitions (dialect.md) and sharing nothing with the engine.
 */

import type { Random } from '../../base/random.ts';
import type { Ref, Relation } from './expressions.ts';
import { either } from './two-texts.ts';

const ORIGIN = "TIMESTAMP '1970-01-01'";
const INSTANT = "INTERVAL '1 microsecond'";

export interface WindowedFrom {
  /** A FROM item with its alias. */
  readonly sql: string;
  readonly refs: readonly Ref[];
}

/** A random time window over a relation with a timestamp column; null: it has none. */
export function windowed(random: Random, relation: Relation, alias: string): WindowedFrom | null {
  const times = relation.columns.filter(({ type }) => type === 'ts');
  if (times.length === 0) return null;
  const time = random.pick(times).name;
  const [ours, theirs] = random.pick([tumble, hop, cumulate, session])(random, relation, time);
  const refs: Ref[] = [
    ...relation.columns.map(({ name, type }) => ({ sql: `${alias}.${name}`, type })),
    ...['window_start', 'window_end'].map((name) => ({
      sql: `${alias}.${name}`,
      type: 'ts' as const,
    })),
  ];
  return { sql: either(`${ours} ${alias}`, `(${theirs}) ${alias}`), refs };
}

type Spelling = (random: Random, relation: Relation, time: string) => readonly [string, string];

const tumble: Spelling = (random, { name }, time) => {
  const size = random.pick([1, 5, 7, 10, 60]);
  const offset = random.chance(0.3) ? random.pick([1, -2, 13]) : null;
  const start = `date_bin(${seconds(size)}, ${time}, ${origin(offset)})`;
  return [
    random.chance(0.5) && offset === null
      ? `TABLE(TUMBLE(TABLE ${name}, DESCRIPTOR(${time}), ${seconds(size)}))`
      : `TUMBLE(${name}, ${time}, ${seconds(size)}${argument(offset)})`,
    `SELECT *, ${start} AS window_start, ${start} + ${seconds(size)} AS window_end FROM ${name} WHERE ${isFiniteTime(time)}`,
  ];
};

const hop: Spelling = (random, { name }, time) => {
  const [slide, size] = random.pick([
    [2, 10],
    [3, 10],
    [5, 5],
    [7, 20],
    [10, 4],
  ] as const);
  const offset = random.chance(0.3) ? random.pick([1, -2, 13]) : null;
  const first = `date_bin(${seconds(slide)}, ${time}, ${origin(offset)})`;
  return [
    `HOP(${name}, ${time}, ${seconds(slide)}, ${seconds(size)}${argument(offset)})`,
    `SELECT t.*, w AS window_start, w + ${seconds(size)} AS window_end FROM ${name} t,
       generate_series(${first}, ${time} - ${seconds(size)} + ${INSTANT}, - ${seconds(slide)}) w WHERE ${isFiniteTime(time)}`,
  ];
};

const cumulate: Spelling = (random, { name }, time) => {
  const [step, size] = random.pick([
    [2, 10],
    [5, 5],
    [10, 60],
  ] as const);
  const start = `date_bin(${seconds(size)}, ${time}, ${ORIGIN})`;
  const first = `date_bin(${seconds(step)}, ${time}, ${start}) + ${seconds(step)}`;
  return [
    `CUMULATE(${name}, ${time}, ${seconds(step)}, ${seconds(size)})`,
    `SELECT t.*, ${start} AS window_start, w AS window_end FROM ${name} t,
       generate_series(${first}, ${start} + ${seconds(size)}, ${seconds(step)}) w WHERE ${isFiniteTime(time)}`,
  ];
};

const session: Spelling = (random, { name, columns }, time) => {
  const gap = random.pick([1, 3, 4, 10]);
  const others = columns.filter((column) => column.name !== time);
  const partition = random.chance(0.75) && others.length > 0 ? random.pick(others).name : null;
  const by = partition === null ? '' : `PARTITION BY ${partition} `;
  const also = partition === null ? '' : `${partition}, `;
  const ours =
    partition === null && random.chance(0.5)
      ? `TABLE(SESSION(TABLE ${name}, DESCRIPTOR(${time}), ${seconds(gap)}))`
      : `SESSION(${name} ${by}, ${time}, ${seconds(gap)})`.replace(' ,', ',');
  return [
    ours,
    `SELECT *, min(${time}) OVER (PARTITION BY ${also}session_number) AS window_start,
       max(${time}) OVER (PARTITION BY ${also}session_number) + ${seconds(gap)} AS window_end
     FROM (SELECT *, count(*) FILTER (WHERE begins) OVER (${by}ORDER BY ${time}) AS session_number
           FROM (SELECT *, ${time} - lag(${time}) OVER (${by}ORDER BY ${time}) > ${seconds(gap)} AS begins
                 FROM ${name} WHERE ${isFiniteTime(time)}) marked) numbered`,
  ];
};

function seconds(count: number): string {
  return `INTERVAL '${count} seconds'`;
}

function argument(offset: number | null): string {
  return offset === null ? '' : `, ${seconds(offset)}`;
}

function origin(offset: number | null): string {
  return offset === null ? ORIGIN : `${ORIGIN} + ${seconds(offset)}`;
}

/** NULL and infinite times are in no window. */
function isFiniteTime(time: string): string {
  return `isfinite(${time})`;
}
