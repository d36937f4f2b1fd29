/** Bodies of the casts in casts.ts, of I/O conversions, and of length coercions. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { isFiniteUs, splitDay } from '../../types/calendar.ts';
import type { DataType, Value } from '../../types/data-type.ts';
import {
  dateToTimestamp,
  timestampToDate,
  timestampToTimestamptz,
  timestamptzToTimestamp,
} from '../../types/datetime.ts';
import { Decimal } from '../../types/decimal.ts';
import { Interval, roundEven } from '../../types/interval.ts';
import { coerceTypmod, formatValue, parseValue } from '../../types/value.ts';
import { castContext } from '../casts.ts';
import {
  type CallContext,
  defineCastBody,
  defineDerived,
  type FunctionDefinition,
  valueDefinition,
} from '../registry.ts';
import { typeOfKey } from '../signature.ts';
import { INT_TYPES, type IntType, intOutOfRange, intResult } from './arithmetic.ts';
import { objectName, resolveObjectName } from './system-names.ts';

const PURE = { canFail: false } as const;
const ZONED = { volatility: 'stable' } as const;

for (const from of INT_TYPES) {
  for (const to of INT_TYPES) {
    if (from === to) continue;
    defineCastBody(
      `cast(${from},${to})`,
      to,
      ([v]) => intResult(to, BigInt(v as number | bigint)),
      { canFail: from > to || from === 'int8' || to === 'int2' },
    );
  }
  defineCastBody(
    `cast(${from},numeric)`,
    'numeric',
    ([v]) => Decimal.of(v as number | bigint),
    PURE,
  );
  defineCastBody(`cast(${from},float8)`, 'float8', ([v]) => Number(v as number | bigint), PURE);
  defineCastBody(
    `cast(${from},float4)`,
    'float4',
    ([v]) => Math.fround(Number(v as number | bigint)),
    PURE,
  );
  defineCastBody(`cast(numeric,${from})`, from, ([v]) => decimalToInt(v as Decimal, from));
  for (const float of ['float4', 'float8'] as const) {
    defineCastBody(`cast(${float},${from})`, from, ([v]) => floatToInt(v as number, from));
  }
}

const INT_NAMES: Readonly<Record<IntType, string>> = {
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
};

function decimalToInt(value: Decimal, type: IntType): Value {
  if (type === 'int8') return value.toInt8();
  return type === 'int4' ? value.toInt4() : value.toInt2();
}

function floatToInt(value: number, type: IntType): Value {
  const rounded = roundEven(value);
  if (!Number.isFinite(rounded)) throw intOutOfRange(type);
  return intResult(type, BigInt(rounded));
}

defineCastBody('cast(float4,float8)', 'float8', ([v]) => v!, PURE);
defineCastBody('cast(float8,float4)', 'float4', ([v]) => {
  const x = v as number;
  const rounded = Math.fround(x);
  if (!Number.isFinite(rounded) && Number.isFinite(x))
    throw new SqlError('22003', 'value out of range: overflow');
  if (rounded === 0 && x !== 0) throw new SqlError('22003', 'value out of range: underflow');
  return rounded;
});
defineCastBody('cast(numeric,float8)', 'float8', ([v]) => (v as Decimal).toFloat8());
defineCastBody('cast(numeric,float4)', 'float4', ([v]) => (v as Decimal).toFloat4());
defineCastBody('cast(float8,numeric)', 'numeric', ([v]) => Decimal.fromFloat8(v as number), PURE);
defineCastBody('cast(float4,numeric)', 'numeric', ([v]) => Decimal.fromFloat4(v as number), PURE);

defineCastBody('cast(int4,bool)', 'bool', ([v]) => v !== 0, PURE);
defineCastBody('cast(bool,int4)', 'int4', ([v]) => (v === true ? 1 : 0), PURE);
for (const type of ['text', 'varchar', 'bpchar']) {
  defineCastBody(`cast(bool,${type})`, type, ([v]) => (v === true ? 'true' : 'false'), PURE);
}

const identity = ([v]: readonly Value[]): Value => v ?? null;
const STRINGS = ['text', 'varchar', 'bpchar', 'name', 'char', 'unknown'];
for (const from of STRINGS) {
  for (const to of STRINGS) {
    if (from === to || to === 'unknown') continue;
    defineCastBody(`cast(${from},${to})`, to, stringCast(from, to), PURE);
  }
}

function stringCast(from: string, to: string): (args: readonly Value[]) => Value {
  if (to === 'char') return ([v]) => [...(v as string)][0] ?? '';
  if (to === 'name')
    return ([v]) =>
      truncateName(from === 'bpchar' ? (v as string).replace(/ +$/, '') : (v as string));
  if (from === 'bpchar') return ([v]) => (v as string).replace(/ +$/, '');
  return identity;
}

/** Names are at most 63 bytes, cut at a whole character. */
function truncateName(text: string): string {
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length <= 63) return text;
  let end = 63;
  while (end > 0 && (bytes[end]! & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end);
}

defineCastBody('cast(int4,char)', 'char', ([v]) => {
  const code = v as number;
  if (code < -128 || code > 127) throw new SqlError('22003', '"char" out of range');
  return code === 0 ? '' : String.fromCharCode(code & 0xff);
});
defineCastBody(
  'cast(char,int4)',
  'int4',
  ([v]) => (((v as string).charCodeAt(0) || 0) << 24) >> 24,
  PURE,
);

defineCastBody('cast(date,timestamp)', 'timestamp', ([v]) => dateToTimestamp(v as number));
defineCastBody(
  'cast(date,timestamptz)',
  'timestamptz',
  ([v], call) => timestampToTimestamptz(dateToTimestamp(v as number), call.settings.timeZone),
  ZONED,
);
defineCastBody(
  'cast(timestamp,timestamptz)',
  'timestamptz',
  ([v], call) => timestampToTimestamptz(v as bigint, call.settings.timeZone),
  ZONED,
);
defineCastBody(
  'cast(timestamptz,timestamp)',
  'timestamp',
  ([v], call) => timestamptzToTimestamp(v as bigint, call.settings.timeZone),
  ZONED,
);
defineCastBody('cast(timestamp,date)', 'date', ([v]) => timestampToDate(v as bigint), PURE);
defineCastBody(
  'cast(timestamptz,date)',
  'date',
  ([v], call) => timestampToDate(timestamptzToTimestamp(v as bigint, call.settings.timeZone)),
  ZONED,
);

/** Time of day; an infinity has none. */
function timeOf(us: bigint): Value {
  return isFiniteUs(us) ? splitDay(us).time : null;
}

defineCastBody('cast(timestamp,time)', 'time', ([v]) => timeOf(v as bigint), PURE);
defineCastBody(
  'cast(timestamptz,time)',
  'time',
  ([v], call) => timeOf(timestamptzToTimestamp(v as bigint, call.settings.timeZone)),
  ZONED,
);
defineCastBody('cast(time,interval)', 'interval', ([v]) => new Interval(0, 0, v as bigint), PURE);
defineCastBody('cast(interval,time)', 'time', ([v]) => timeOf((v as Interval).microseconds), PURE);

defineCastBody('cast(json,jsonb)', 'jsonb', ([v], call) =>
  parseValue(call.type, v as string, call.settings),
);
defineCastBody('cast(jsonb,json)', 'json', identity, PURE);
for (const to of ['bool', 'numeric', 'int2', 'int4', 'int8', 'float4', 'float8']) {
  defineCastBody(`cast(jsonb,${to})`, to, ([v], call) => jsonScalar(v as string, to, call));
}

const JSON_KINDS: readonly (readonly [RegExp, string])[] = [
  [/^"/, 'string'],
  [/^\{/, 'object'],
  [/^\[/, 'array'],
  [/^n/, 'null'],
  [/^[tf]/, 'boolean'],
  [/^/, 'numeric'],
];

function jsonScalar(json: string, to: string, call: CallContext): Value {
  const kind = must(JSON_KINDS.find(([pattern]) => pattern.test(json)))[1];
  if (kind !== (to === 'bool' ? 'boolean' : 'numeric')) {
    throw new SqlError('22023', `cannot cast jsonb ${kind} to type ${jsonTarget(to)}`);
  }
  if (to === 'bool') return json === 'true';
  const decimal = Decimal.parse(json);
  if (to === 'numeric') return decimal;
  if (to === 'float8' || to === 'float4') return parseValue(call.type, json, call.settings);
  return decimalToInt(decimal, to as IntType);
}

function jsonTarget(to: string): string {
  const names: Record<string, string> = {
    bool: 'boolean',
    float4: 'real',
    float8: 'double precision',
    numeric: 'numeric',
    ...INT_NAMES,
  };
  return names[to] ?? to;
}

const REG_TYPES = ['regclass', 'regtype', 'regproc', 'regnamespace', 'regrole', 'regoper'];
const OID_MAX = 4294967295n;

for (const to of ['oid', ...REG_TYPES]) {
  defineCastBody(`cast(int8,${to})`, to, ([v]) => {
    if ((v as bigint) < 0n || (v as bigint) > OID_MAX)
      throw new SqlError('22003', 'OID out of range');
    return v!;
  });
  for (const int of ['int2', 'int4']) {
    defineCastBody(
      `cast(${int},${to})`,
      to,
      ([v]) => BigInt.asUintN(32, BigInt(v as number)),
      PURE,
    );
  }
  defineCastBody(`cast(${to},int8)`, 'int8', identity, PURE);
  defineCastBody(`cast(${to},int4)`, 'int4', ([v]) => Number(BigInt.asIntN(32, v as bigint)), PURE);
}

for (const type of REG_TYPES) {
  defineCastBody(`cast(oid,${type})`, type, identity, PURE);
  defineCastBody(`cast(${type},oid)`, 'oid', identity, PURE);
  for (const text of ['text', 'varchar', 'unknown']) {
    defineCastBody(
      `cast(${text},${type})`,
      type,
      ([v], call) => resolveObjectName(type, v as string, call),
      { volatility: 'stable', needsSession: true },
    );
    if (text !== 'unknown')
      defineCastBody(
        `cast(${type},${text})`,
        text,
        ([v], call) => objectName(type, v as bigint, call),
        { volatility: 'stable', needsSession: true },
      );
  }
}

const IO_CAST = /^cast\(([^,]+),([^,]+)\)$/;

/** What has no function of its own goes through text. */
function ioCast(id: string): FunctionDefinition | undefined {
  const match = IO_CAST.exec(id);
  if (match === null) return undefined;
  const from = typeOfKey(match[1] as string);
  const to = typeOfKey(match[2] as string);
  if (from === undefined || to === undefined || castContext(from, to) === null) return undefined;
  const isFromText = from.element === null && STRINGS.includes(from.id);
  if (!isFromText && !(to.element === null && STRINGS.includes(to.id))) return undefined;
  const body = ([v]: readonly Value[], call: CallContext): Value => {
    const text = isFromText ? (v as string) : outputOf(from, v!, call);
    return isFromText ? parseValue(to, text, call.settings) : stringCast('text', to.id)([text]);
  };
  return valueDefinition(id, 'cast', match[2] as string, body, {
    canFail: isFromText,
    volatility: 'stable',
    isVisible: false,
  });
}

function outputOf(type: DataType, value: NonNullable<Value>, call: CallContext): string {
  return formatValue(type, value, call.settings);
}

defineDerived(ioCast);

const TYPMOD_CAST = /^coerce_typmod(_explicit)?\((.+)\)$/;

/** Enforces the result type's typmod; explicit casts cut what assignments refuse. */
function typmodCoercion(id: string): FunctionDefinition | undefined {
  const match = TYPMOD_CAST.exec(id);
  if (match === null || typeOfKey(match[2] as string) === undefined) return undefined;
  const isExplicit = match[1] !== undefined;
  const body = ([v]: readonly Value[], call: CallContext): Value =>
    coerceTypmod(call.type, v!, isExplicit);
  return valueDefinition(id, 'cast', match[2] as string, body, { isVisible: false });
}

defineDerived(typmodCoercion);
