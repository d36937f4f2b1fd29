/** Signatures as text, `name(argtype,argtype)`, and the JavaScript types of values that follow from them. */

import { must } from '../base/assert.ts';
import type { ArrayValue } from '../types/array.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { arrayOf, SCALAR_TYPES } from '../types/data-type.ts';
import type { Decimal } from '../types/decimal.ts';
import type { Interval } from '../types/interval.ts';

/** The JavaScript type of a non-NULL value of the SQL type `T`. */
export type Js<T extends string> = T extends `${string}[]` | 'anyarray' | 'anycompatiblearray'
  ? ArrayValue
  : T extends 'bool'
    ? boolean
    : T extends 'int2' | 'int4' | 'date' | 'float4' | 'float8'
      ? number
      : T extends
            | 'int8'
            | 'time'
            | 'timestamp'
            | 'timestamptz'
            | 'oid'
            | 'xid'
            | 'regclass'
            | 'regtype'
            | 'regproc'
            | 'regnamespace'
            | 'regrole'
            | 'regoper'
        ? bigint
        : T extends
              | 'text'
              | 'varchar'
              | 'bpchar'
              | 'name'
              | 'char'
              | 'json'
              | 'jsonb'
              | 'uuid'
              | 'unknown'
              | 'void'
          ? string
          : T extends 'bytea'
            ? Uint8Array
            : T extends 'numeric'
              ? Decimal
              : T extends 'interval'
                ? Interval
                : NonNullable<Value>;

type List<S extends string> = S extends ''
  ? []
  : S extends `${infer Head},${infer Rest}`
    ? [Js<Head>, ...List<Rest>]
    : [Js<S>];

/** The argument values of a function with this id. */
export type Args<Id extends string> = Id extends `${string}(${infer A})` ? List<A> : never;

/** `lower` of `lower(text)`. Operators hold no parenthesis. */
export function nameOfId(id: string): string {
  return id.slice(0, id.indexOf('('));
}

/** `['text','int4']` of `left(text,int4)`. */
export function argPatterns(id: string): readonly string[] {
  const list = id.slice(id.indexOf('(') + 1, -1);
  return list === '' ? [] : list.split(',');
}

const TYPES_BY_KEY: ReadonlyMap<string, DataType> = new Map(
  SCALAR_TYPES.flatMap((type) => {
    const array = arrayOf(type);
    const own: [string, DataType] = [type.id, type];
    return array === undefined ? [own] : [own, [`${type.id}[]`, array] as [string, DataType]];
  }),
);

/** `int4`, `int4[]`: how a type is written in ids. */
export function typeKey(type: DataType): string {
  return type.element === null ? type.id : `${type.element.id}[]`;
}

/** The type that is written so in ids; undefined for pseudo-types. */
export function typeOfKey(key: string): DataType | undefined {
  return TYPES_BY_KEY.get(key);
}

export function mustTypeOfKey(key: string): DataType {
  return must(TYPES_BY_KEY.get(key), `no type ${key}`);
}
