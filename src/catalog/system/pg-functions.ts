/**
 * pg_proc: of PostgreSQL 15's functions those that can be called here, and those that other catalogs refer to (input and
 * output functions of types, what stands behind operators and casts), which drivers join.
 */

import { must } from '../../base/assert.ts';
import type { FunctionSignature } from '../../types/function-signature.ts';
import { staticRows } from './postgres15.ts';
import type { IsCallable } from './system-row.ts';

/** Numbers of pg_proc's columns. */
const OID = 0;
const NAME = 1;
const RETURNS_SET = 13;
const RESULT_TYPE = 18;
const ARG_TYPES = 19;
const ALL_ARG_TYPES = 20;
const ARG_MODES = 21;
const ARG_NAMES = 22;

/** Columns of type regproc, by relation. An aggregate itself is there only where it can be called. */
const REFERENCES: Readonly<Record<string, readonly number[]>> = {
  pg_aggregate: [3, 4, 5, 6, 7, 8, 9, 10],
  pg_am: [2],
  pg_amproc: [5],
  pg_conversion: [6],
  pg_operator: [12, 13, 14],
  pg_range: [5, 6],
  pg_type: [12, 15, 16, 17, 18, 19, 20, 21],
};
/** pg_cast.castfunc is an OID. */
const CAST_FUNCTION = 3;

let shown: ReadonlySet<number> | null = null;

/** OIDs of the rows that pg_proc has here; made once. */
export function shownFunctions(isCallable: IsCallable): ReadonlySet<number> {
  if (shown !== null) return shown;
  const referred = referredNames();
  const casts = new Set(
    (staticRows('pg_cast') ?? []).map((line) => line.split('\t')[CAST_FUNCTION]),
  );
  const oids = new Set<number>();
  for (const line of staticRows('pg_proc') ?? []) {
    const fields = line.split('\t');
    const name = must(fields[NAME]);
    const isReferred = referred.has(name) || casts.has(fields[OID]);
    if (isReferred || isCallable(name, numbersOf(fields[ARG_TYPES]))) oids.add(Number(fields[OID]));
  }
  shown = oids;
  return oids;
}

function referredNames(): Set<string> {
  const names = new Set<string>();
  for (const [relation, columns] of Object.entries(REFERENCES)) {
    for (const line of staticRows(relation) ?? []) {
      const fields = line.split('\t');
      for (const column of columns) names.add(must(fields[column]).replace(/^pg_catalog\./, ''));
    }
  }
  return names;
}

let lines: ReadonlyMap<number, string> | null = null;

/** A function's parameters and result; null: there is none with this OID. */
export function functionSignature(oid: number): FunctionSignature | null {
  lines ??= new Map((staticRows('pg_proc') ?? []).map((line) => [Number.parseInt(line, 10), line]));
  const fields = lines.get(oid)?.split('\t');
  if (fields === undefined) return null;
  const all = listOf(fields[ALL_ARG_TYPES]);
  const types = all.length > 0 ? all.map(Number) : numbersOf(fields[ARG_TYPES]);
  const modes = listOf(fields[ARG_MODES]);
  const names = listOf(fields[ARG_NAMES]);
  return {
    resultType: Number(fields[RESULT_TYPE]),
    isSet: fields[RETURNS_SET] === 't',
    parameters: types.map((type, i) => ({
      mode: (modes[i] ?? 'i') as FunctionSignature['parameters'][number]['mode'],
      name: names[i] ?? '',
      type,
    })),
  };
}

/** An oidvector: "25 23". */
function numbersOf(text: string | undefined): number[] {
  return (text ?? '')
    .split(' ')
    .filter((item) => item !== '')
    .map(Number);
}

/** An array of plain words: {i,o,""}; NULL is none. */
function listOf(text: string | undefined): string[] {
  if (text === undefined || !text.startsWith('{')) return [];
  return text
    .slice(1, -1)
    .split(',')
    .map((item) => item.replaceAll('"', ''));
}
