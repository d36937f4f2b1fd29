/** Type categories and preferred types (pg_type.typcategory, typispreferred). */

import type { DataType, TypeId } from '../types/data-type.ts';

/** B boolean, N numeric, S string, D date/time, T timespan, A array, U other, X unknown, P pseudo, Z internal. */
export type TypeCategory = 'B' | 'N' | 'S' | 'D' | 'T' | 'A' | 'U' | 'X' | 'P' | 'Z';

const CATEGORY: Readonly<Record<TypeId, TypeCategory>> = {
  bool: 'B',
  int2: 'N',
  int4: 'N',
  int8: 'N',
  float4: 'N',
  float8: 'N',
  numeric: 'N',
  oid: 'N',
  regclass: 'N',
  regtype: 'N',
  regproc: 'N',
  regnamespace: 'N',
  regrole: 'N',
  regoper: 'N',
  text: 'S',
  varchar: 'S',
  bpchar: 'S',
  name: 'S',
  char: 'Z',
  date: 'D',
  time: 'D',
  timestamp: 'D',
  timestamptz: 'D',
  interval: 'T',
  bytea: 'U',
  uuid: 'U',
  json: 'U',
  jsonb: 'U',
  xid: 'U',
  unknown: 'X',
  void: 'P',
  record: 'P',
  array: 'A',
};

const PREFERRED: ReadonlySet<TypeId> = new Set<TypeId>([
  'bool',
  'float8',
  'oid',
  'text',
  'timestamptz',
  'interval',
]);

export function typeCategory(type: DataType): TypeCategory {
  return CATEGORY[type.id];
}

export function isPreferredType(type: DataType): boolean {
  return PREFERRED.has(type.id);
}
