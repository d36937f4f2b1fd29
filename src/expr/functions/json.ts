/**
 * json and jsonb: access, types, building. Values are JSON texts, jsonb in canonical form; numbers are never turned into
 * doubles. Cost: O(length of the text) per access.
 */

import { SqlError } from '../../base/sql-error.ts';
import { ArrayValue } from '../../types/array.ts';
import type { DataType, Value } from '../../types/data-type.ts';
import { JSONB } from '../../types/data-type.ts';
import { formatValue, parseValue } from '../../types/value.ts';
import { type CallContext, defineFunction, defineGeneral, defineOperator } from '../registry.ts';
import { elementsOf, jsonText, jsonTypeOf, membersOf } from './json-scan.ts';

const PURE = { canFail: false } as const;

function member(json: string, key: string): string | null {
  if (jsonTypeOf(json) !== 'object') return null;
  return membersOf(json).findLast(([name]) => name === key)?.[1] ?? null;
}

function element(json: string, index: number): string | null {
  if (jsonTypeOf(json) !== 'array') return null;
  return elementsOf(json).at(index) ?? null;
}

/** PostgreSQL keeps a jsonb scalar as an array of one. */
function jsonbElement(json: string, index: number): string | null {
  const kind = jsonTypeOf(json);
  if (kind === 'object' || kind === 'array') return element(json, index);
  return index === 0 || index === -1 ? json : null;
}

function atPath(json: string, path: ArrayValue): string | null {
  let at: string | null = json;
  for (const step of path.items) {
    if (at === null || step === null) return null;
    const text = step as string;
    if (jsonTypeOf(at) === 'object') at = member(at, text);
    else at = /^\s*[+-]?\d+$/.test(text) ? element(at, Number(text)) : null;
  }
  return at;
}

function asText(json: string | null): string | null {
  return json === null ? null : jsonText(json);
}

for (const type of ['json', 'jsonb'] as const) {
  const at = type === 'json' ? element : jsonbElement;
  defineOperator(`->(${type},text)`, type, member, PURE);
  defineOperator(`->(${type},int4)`, type, at, PURE);
  defineOperator(`->>(${type},text)`, 'text', (j, k) => asText(member(j, k)), PURE);
  defineOperator(`->>(${type},int4)`, 'text', (j, i) => asText(at(j, i)), PURE);
  defineOperator(`#>(${type},text[])`, type, atPath, PURE);
  defineOperator(`#>>(${type},text[])`, 'text', (j, p) => asText(atPath(j, p)), PURE);
  defineFunction(`${type}_typeof(${type})`, 'text', (j) => jsonTypeOf(j), PURE);
  defineFunction(`${type}_array_length(${type})`, 'int4', (j) => {
    const kind = jsonTypeOf(j);
    if (kind === 'array') return elementsOf(j).length;
    throw new SqlError(
      '22023',
      kind === 'object'
        ? 'cannot get array length of a non-array'
        : 'cannot get array length of a scalar',
    );
  });
  defineGeneral(
    `${type}_extract_path(${type},text)`,
    type,
    ([j, ...path]) => atPath(j as string, ArrayValue.of(path)),
    { canFail: false, variadic: 'text' },
  );
  defineGeneral(
    `${type}_extract_path_text(${type},text)`,
    'text',
    ([j, ...path]) => asText(atPath(j as string, ArrayValue.of(path))),
    { canFail: false, variadic: 'text' },
  );
}

defineFunction(
  'subscript(jsonb,text)',
  'jsonb',
  (j, k) =>
    jsonTypeOf(j) === 'array' && /^[+-]?\d+$/.test(k) ? element(j, Number(k)) : member(j, k),
  {
    canFail: false,
    isVisible: false,
  },
);
defineFunction('subscript(jsonb,int4)', 'jsonb', element, { canFail: false, isVisible: false });

/** jsonb ? key: an object's key or an array's string. */
function hasKey(json: string, key: string): boolean {
  const kind = jsonTypeOf(json);
  if (kind === 'object') return membersOf(json).some(([name]) => name === key);
  if (kind === 'array')
    return elementsOf(json).some((e) => jsonTypeOf(e) === 'string' && jsonText(e) === key);
  return kind === 'string' && jsonText(json) === key;
}

defineOperator('?(jsonb,text)', 'bool', hasKey, PURE);
defineOperator(
  '?|(jsonb,text[])',
  'bool',
  (j, keys) => keys.items.some((k) => k !== null && hasKey(j, k as string)),
  PURE,
);
defineOperator(
  '?&(jsonb,text[])',
  'bool',
  (j, keys) => keys.items.every((k) => k === null || hasKey(j, k as string)),
  PURE,
);
defineOperator('@>(jsonb,jsonb)', 'bool', (a, b) => contains(a, b, true), PURE);
defineOperator('<@(jsonb,jsonb)', 'bool', (a, b) => contains(b, a, true), PURE);

function contains(outer: string, inner: string, isTop: boolean): boolean {
  const kind = jsonTypeOf(inner);
  const outerKind = jsonTypeOf(outer);
  if (isTop && outerKind === 'array' && kind !== 'array' && kind !== 'object')
    return elementsOf(outer).some((e) => sameScalar(e, inner));
  if (kind !== outerKind) return false;
  if (kind === 'object') {
    return membersOf(inner).every(([key, value]) => {
      const own = member(outer, key);
      return own !== null && contains(own, value, false);
    });
  }
  if (kind === 'array') {
    const own = elementsOf(outer);
    return elementsOf(inner).every((e) => own.some((o) => contains(o, e, false)));
  }
  return sameScalar(outer, inner);
}

function sameScalar(a: string, b: string): boolean {
  if (jsonTypeOf(a) !== 'number' || jsonTypeOf(b) !== 'number') return a === b;
  return Number(a) === Number(b) && a.replace(/\.?0+$/, '') === b.replace(/\.?0+$/, '');
}

/** What to_json and its kin make of a value. */
export function toJsonText(value: Value, type: DataType, call: CallContext): string {
  if (value === null) return 'null';
  if (value instanceof ArrayValue && type.element !== null)
    return arrayJson(value, type.element, call);
  switch (type.id) {
    case 'bool':
      return value === true ? 'true' : 'false';
    case 'json':
    case 'jsonb':
      return value as string;
    case 'int2':
    case 'int4':
    case 'int8':
    case 'numeric':
    case 'float4':
    case 'float8': {
      const text = formatValue(type, value, call.settings);
      return /^[-0-9]/.test(text) && !text.endsWith('y') ? text : JSON.stringify(text);
    }
    case 'timestamp':
    case 'timestamptz':
      return JSON.stringify(isoTime(type, value, call));
    default:
      return JSON.stringify(formatValue(type, value, call.settings));
  }
}

/** Times are ISO 8601 with T, whatever the DateStyle. */
function isoTime(type: DataType, value: NonNullable<Value>, call: CallContext): string {
  const text = formatValue(type, value, { ...call.settings, dateStyle: 'ISO, MDY' });
  const iso = text.replace(' ', 'T');
  return type.id === 'timestamptz' && /[+-]\d\d$/.test(iso) ? `${iso}:00` : iso;
}

function arrayJson(array: ArrayValue, element: DataType, call: CallContext): string {
  let at = 0;
  const level = (depth: number): string => {
    const parts: string[] = [];
    for (let i = 0; i < (array.dimensions[depth] ?? 0); i += 1) {
      parts.push(
        depth + 1 < array.dimensions.length
          ? level(depth + 1)
          : toJsonText(array.items[at++] ?? null, element, call),
      );
    }
    return `[${parts.join(',')}]`;
  };
  return level(0);
}

function jsonbOf(text: string, call: CallContext): string {
  return parseValue(JSONB, text, call.settings) as string;
}

const BUILDING = { isStrict: false, volatility: 'stable', variadic: 'any' } as const;
const NULLARY = { volatility: 'stable' } as const;

function objectText(args: readonly Value[], call: CallContext): string {
  if (args.length % 2 === 1) {
    throw new SqlError('22023', 'argument list must have even number of elements', {
      hint: `The arguments of ${call.type.id}_build_object() must consist of alternating keys and values.`,
    });
  }
  const parts: string[] = [];
  for (let i = 0; i < args.length; i += 2) {
    const key = args[i] ?? null;
    if (key === null)
      throw new SqlError(
        '22023',
        call.type.id === 'json'
          ? `argument ${i + 1} cannot be null`
          : `argument ${i + 1}: key must not be null`,
      );
    const keyText = JSON.stringify(formatValue(call.argTypes[i]!, key, call.settings));
    parts.push(`${keyText} : ${toJsonText(args[i + 1] ?? null, call.argTypes[i + 1]!, call)}`);
  }
  return `{${parts.join(', ')}}`;
}

function listText(args: readonly Value[], call: CallContext): string {
  return `[${args.map((value, i) => toJsonText(value, call.argTypes[i]!, call)).join(', ')}]`;
}

for (const [type, finish] of [
  ['json', (text: string) => text],
  ['jsonb', jsonbOf],
] as const) {
  defineGeneral(
    `${type}_build_object(any)`,
    type,
    (args, call) => finish(objectText(args, call), call),
    BUILDING,
  );
  defineGeneral(`${type}_build_object()`, type, () => '{}', NULLARY);
  defineGeneral(
    `${type}_build_array(any)`,
    type,
    (args, call) => finish(listText(args, call), call),
    BUILDING,
  );
  defineGeneral(`${type}_build_array()`, type, () => '[]', NULLARY);
  const convert = type === 'json' ? 'to_json' : 'to_jsonb';
  defineGeneral(
    `${convert}(anyelement)`,
    type,
    ([v], call) => finish(toJsonText(v!, call.argTypes[0]!, call), call),
    { volatility: 'stable' },
  );
}
defineGeneral(
  'array_to_json(anyarray)',
  'json',
  ([v], call) => toJsonText(v!, call.argTypes[0]!, call),
  { volatility: 'stable' },
);

/** Elements for json_array_elements: as JSON or as text (null: SQL NULL). */
export function jsonArrayElements(json: string, isText: boolean): (string | null)[] {
  const kind = jsonTypeOf(json);
  if (kind !== 'array') {
    throw new SqlError(
      '22023',
      kind === 'object'
        ? 'cannot extract elements from an object'
        : 'cannot extract elements from a scalar',
    );
  }
  return elementsOf(json).map((e) => (isText ? jsonText(e) : e));
}

export function jsonEach(json: string, isText: boolean): (readonly [string, string | null])[] {
  if (jsonTypeOf(json) !== 'object')
    throw new SqlError('22023', 'cannot call json_each on a non-object');
  return membersOf(json).map(([key, value]) => [key, isText ? jsonText(value) : value]);
}

export function jsonKeys(json: string): string[] {
  const kind = jsonTypeOf(json);
  if (kind !== 'object')
    throw new SqlError(
      '22023',
      kind === 'array'
        ? 'cannot call json_object_keys on an array'
        : 'cannot call json_object_keys on a scalar',
    );
  return membersOf(json).map(([key]) => key);
}
