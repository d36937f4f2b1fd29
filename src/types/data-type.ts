/**
 * SQL types as the rest of the code names them, and the value that each has in JavaScript.
 *
 * A type's `storage` says how a column of it lies in memory:
 * - `u8`   one byte, 0 or 1 (bool)
 * - `i32`  int2, int4, date (days since 1970-01-01; ±infinity are the int32 extremes)
 * - `i64`  int8, oid family, time (µs), timestamp and timestamptz (µs since 1970-01-01 UTC; ±infinity are the int64 extremes)
 * - `f64`  float4 (values already rounded with Math.fround) and float8
 * - `view` 16 bytes, Arrow's Utf8View layout: length u32, then 12 inline bytes, or prefix u32, buffer u32 (0), address u32.
 *   Its bytes: text, varchar, bpchar, name, "char", json, jsonb: UTF-8 (jsonb in PostgreSQL's canonical text);
 *   bytea: raw; uuid: 16 bytes; interval: µs i64, days i32, months i32 (LE); numeric and arrays: see their files.
 *
 * A JavaScript `Value` by storage: u8 boolean, i32 number, i64 bigint, f64 number; view by type: string for the text
 * family, json, jsonb and uuid; Uint8Array for bytea; Decimal, Interval, ArrayValue for the others. NULL is null.
 */

import type { ArrayValue } from './array.ts';
import type { Decimal } from './decimal.ts';
import type { Interval } from './interval.ts';

export type Storage = 'u8' | 'i32' | 'i64' | 'f64' | 'view';

export type TypeId =
  | 'bool'
  | 'int2'
  | 'int4'
  | 'int8'
  | 'float4'
  | 'float8'
  | 'numeric'
  | 'text'
  | 'varchar'
  | 'bpchar'
  | 'name'
  | 'char'
  | 'bytea'
  | 'uuid'
  | 'json'
  | 'jsonb'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'interval'
  | 'oid'
  | 'xid'
  | 'regclass'
  | 'regtype'
  | 'regproc'
  | 'regnamespace'
  | 'regrole'
  | 'regoper'
  | 'unknown'
  | 'void'
  | 'record'
  | 'array';

export interface DataType {
  readonly id: TypeId;
  /** PostgreSQL's pg_type.oid; for arrays the array type's own. */
  readonly oid: number;
  /** PostgreSQL's typmod: varchar(n) and char(n) n + 4, numeric(p,s) ((p << 16) | s) + 4, time types the precision; -1 = none. */
  readonly typmod: number;
  readonly storage: Storage;
  /** The element type of an array, else null. */
  readonly element: DataType | null;
}

export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Decimal
  | Interval
  | ArrayValue;

function define(id: TypeId, oid: number, storage: Storage): DataType {
  return Object.freeze({ id, oid, typmod: -1, storage, element: null });
}

export const BOOL = define('bool', 16, 'u8');
export const BYTEA = define('bytea', 17, 'view');
export const CHAR = define('char', 18, 'view');
export const NAME = define('name', 19, 'view');
export const INT8 = define('int8', 20, 'i64');
export const INT2 = define('int2', 21, 'i32');
export const INT4 = define('int4', 23, 'i32');
export const REGPROC = define('regproc', 24, 'i64');
export const TEXT = define('text', 25, 'view');
export const OID = define('oid', 26, 'i64');
export const XID = define('xid', 28, 'i64');
export const JSON_TYPE = define('json', 114, 'view');
export const FLOAT4 = define('float4', 700, 'f64');
export const FLOAT8 = define('float8', 701, 'f64');
export const UNKNOWN = define('unknown', 705, 'view');
export const BPCHAR = define('bpchar', 1042, 'view');
export const VARCHAR = define('varchar', 1043, 'view');
export const DATE = define('date', 1082, 'i32');
export const TIME = define('time', 1083, 'i64');
export const TIMESTAMP = define('timestamp', 1114, 'i64');
export const TIMESTAMPTZ = define('timestamptz', 1184, 'i64');
export const INTERVAL = define('interval', 1186, 'view');
export const NUMERIC = define('numeric', 1700, 'view');
export const REGOPER = define('regoper', 2203, 'i64');
export const REGCLASS = define('regclass', 2205, 'i64');
export const REGTYPE = define('regtype', 2206, 'i64');
export const RECORD = define('record', 2249, 'view');
export const VOID = define('void', 2278, 'view');
export const UUID = define('uuid', 2950, 'view');
export const JSONB = define('jsonb', 3802, 'view');
export const REGNAMESPACE = define('regnamespace', 4089, 'i64');
export const REGROLE = define('regrole', 4096, 'i64');

/** Every type without arrays. */
export const SCALAR_TYPES: readonly DataType[] = Object.freeze([
  BOOL,
  BYTEA,
  CHAR,
  NAME,
  INT8,
  INT2,
  INT4,
  REGPROC,
  TEXT,
  OID,
  XID,
  JSON_TYPE,
  FLOAT4,
  FLOAT8,
  UNKNOWN,
  BPCHAR,
  VARCHAR,
  DATE,
  TIME,
  TIMESTAMP,
  TIMESTAMPTZ,
  INTERVAL,
  NUMERIC,
  REGOPER,
  REGCLASS,
  REGTYPE,
  RECORD,
  VOID,
  UUID,
  JSONB,
  REGNAMESPACE,
  REGROLE,
]);

/** pg_type.typarray by element id. */
const ARRAY_OID: Readonly<Partial<Record<TypeId, number>>> = {
  bool: 1000,
  bytea: 1001,
  char: 1002,
  name: 1003,
  int8: 1016,
  int2: 1005,
  int4: 1007,
  regproc: 1008,
  text: 1009,
  oid: 1028,
  xid: 1011,
  json: 199,
  float4: 1021,
  float8: 1022,
  bpchar: 1014,
  varchar: 1015,
  date: 1182,
  time: 1183,
  timestamp: 1115,
  timestamptz: 1185,
  interval: 1187,
  numeric: 1231,
  regclass: 2210,
  regtype: 2211,
  uuid: 2951,
  jsonb: 3807,
  regnamespace: 4090,
  regrole: 4097,
  record: 2287,
};

const ARRAY_TYPES: ReadonlyMap<TypeId, DataType> = new Map(
  SCALAR_TYPES.flatMap((element) => {
    const oid = ARRAY_OID[element.id];
    if (oid === undefined) return [];
    const type: DataType = Object.freeze({
      id: 'array',
      oid,
      typmod: -1,
      storage: 'view',
      element,
    });
    return [[element.id, type] as const];
  }),
);

const TYPES_BY_OID: ReadonlyMap<number, DataType> = new Map(
  [...SCALAR_TYPES, ...ARRAY_TYPES.values()].map((type) => [type.oid, type]),
);

/** The array type of `element`; undefined where PostgreSQL has none of it here. */
export function arrayOf(element: DataType): DataType | undefined {
  const plain = ARRAY_TYPES.get(element.id);
  if (plain === undefined || element.typmod === -1) return plain;
  return Object.freeze({ ...plain, typmod: element.typmod, element });
}

/** The type with PostgreSQL's OID `oid`. */
export function typeByOid(oid: number): DataType | undefined {
  return TYPES_BY_OID.get(oid);
}

/** `type` with the given typmod. */
export function withTypmod(type: DataType, typmod: number): DataType {
  return type.typmod === typmod ? type : Object.freeze({ ...type, typmod });
}

/** Same type, typmod left out. */
export function isSameType(a: DataType, b: DataType): boolean {
  return a.oid === b.oid;
}
