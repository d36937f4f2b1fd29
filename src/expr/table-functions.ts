/**
 * Set-returning functions: what stands in FROM. `expandTableFunction` gives the rows of one call.
 * A NULL argument of a strict one gives no rows.
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { ArrayValue } from '../types/array.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { BOOL, INT4, INTERVAL, TEXT } from '../types/data-type.ts';
import type { Decimal } from '../types/decimal.ts';
import { Interval } from '../types/interval.ts';
import { timeZone } from '../types/timezone.ts';
import { addInterval } from './functions/datetime.ts';
import { jsonArrayElements, jsonEach, jsonKeys } from './functions/json.ts';
import { regexpMatches, regexpSplit } from './functions/regex-functions.ts';
import { type CallContext, defineSignature, mustFunction } from './registry.ts';
import { mustTypeOfKey } from './signature.ts';

export interface TableFunctionColumn {
  /** Default name; a function of one column takes its own or its alias's name. */
  readonly name: string;
  readonly type: DataType;
}

type Rows = Iterable<readonly Value[]>;
type Body = (args: readonly Value[], call: CallContext) => Rows;

interface TableFunction {
  readonly isStrict: boolean;
  columns(argTypes: readonly DataType[], resultType: DataType): readonly TableFunctionColumn[];
  readonly body: Body;
}

const tableFunctions = new Map<string, TableFunction>();

function define(
  id: string,
  resultType: string,
  body: Body,
  columns?: readonly (readonly [string, DataType])[],
  isStrict = true,
): void {
  defineSignature(id, 'table', resultType, { isStrict });
  const name = id.slice(0, id.indexOf('('));
  tableFunctions.set(id, {
    isStrict,
    columns: (_, type) => columns?.map(([n, t]) => ({ name: n, type: t })) ?? [{ name, type }],
    body,
  });
}

function fail(message: string): never {
  throw new SqlError('22023', message);
}

function* intSeries(from: bigint, to: bigint, step: bigint, wrap: (v: bigint) => Value): Rows {
  if (step === 0n) fail('step size cannot equal zero');
  for (let v = from; step > 0n ? v <= to : v >= to; v += step) yield [wrap(v)];
}

for (const [type, wrap] of [
  ['int4', Number],
  ['int8', (v: bigint) => v],
] as const) {
  const big = (v: Value | undefined): bigint => BigInt(v as number | bigint);
  define(`generate_series(${type},${type})`, type, ([a, b]) => intSeries(big(a), big(b), 1n, wrap));
  define(`generate_series(${type},${type},${type})`, type, ([a, b, s]) =>
    intSeries(big(a), big(b), big(s), wrap),
  );
}

function* decimalSeries(from: Decimal, to: Decimal, step: Decimal): Rows {
  if (step.isNaN || from.isNaN || to.isNaN)
    fail(
      step.isNaN
        ? 'step size cannot be NaN'
        : from.isNaN
          ? 'start value cannot be NaN'
          : 'stop value cannot be NaN',
    );
  if (step.sign === 0) fail('step size cannot equal zero');
  for (let v = from; step.sign > 0 ? v.compare(to) <= 0 : v.compare(to) >= 0; v = v.add(step))
    yield [v];
}

define('generate_series(numeric,numeric,numeric)', 'numeric', ([a, b, s]) =>
  decimalSeries(a as Decimal, b as Decimal, s as Decimal),
);
define('generate_series(numeric,numeric)', 'numeric', ([a, b], call) =>
  decimalSeries(a as Decimal, b as Decimal, oneOf(call)),
);

function oneOf(call: CallContext): Decimal {
  return must(mustFunction('cast(int4,numeric)').value)([1], call) as Decimal;
}

function* timeSeries(from: bigint, to: bigint, step: Interval, add: (us: bigint) => bigint): Rows {
  const direction =
    BigInt(step.months) * 30n * 86_400_000_000n +
    BigInt(step.days) * 86_400_000_000n +
    step.microseconds;
  if (direction === 0n) fail('step size cannot equal zero');
  for (let v = from; direction > 0n ? v <= to : v >= to; v = add(v)) yield [v];
}

define('generate_series(timestamp,timestamp,interval)', 'timestamp', ([a, b, s]) =>
  timeSeries(a as bigint, b as bigint, s as Interval, (us) => addInterval(us, s as Interval, 1)),
);
define('generate_series(timestamptz,timestamptz,interval)', 'timestamptz', ([a, b, s], call) => {
  const plus = must(mustFunction('+(timestamptz,interval)').value);
  return timeSeries(
    a as bigint,
    b as bigint,
    s as Interval,
    (us) => plus([us, s as Interval], call) as bigint,
  );
});

function* subscripts(array: ArrayValue, dimension: number, isReverse: boolean): Rows {
  const length = array.dimensions[dimension - 1] ?? 0;
  const lower = array.lowerBounds[dimension - 1] ?? 1;
  for (let i = 0; i < length; i += 1) yield [isReverse ? lower + length - 1 - i : lower + i];
}

define('generate_subscripts(anyarray,int4)', 'int4', ([a, d]) =>
  subscripts(a as ArrayValue, d as number, false),
);
define('generate_subscripts(anyarray,int4,bool)', 'int4', ([a, d, r]) =>
  subscripts(a as ArrayValue, d as number, r as boolean),
);
define('unnest(anyarray)', 'anyelement', ([a]) => (a as ArrayValue).items.map((item) => [item]));
define('regexp_matches(text,text)', 'text[]', ([s, p]) =>
  regexpMatches(s as string, p as string, '').map((m) => [m]),
);
define('regexp_matches(text,text,text)', 'text[]', ([s, p, o]) =>
  regexpMatches(s as string, p as string, o as string).map((m) => [m]),
);
define('regexp_split_to_table(text,text)', 'text', ([s, p]) =>
  regexpSplit(s as string, p as string, '').map((part) => [part]),
);
define('regexp_split_to_table(text,text,text)', 'text', ([s, p, o]) =>
  regexpSplit(s as string, p as string, o as string).map((part) => [part]),
);

function splitRows(args: readonly Value[], call: CallContext): Rows {
  const body = must(mustFunction(`string_to_array(${args.map(() => 'text').join(',')})`).value);
  const array = body(args, call);
  return array === null ? [] : (array as ArrayValue).items.map((item) => [item]);
}

define('string_to_table(text,text)', 'text', splitRows, undefined, false);
define('string_to_table(text,text,text)', 'text', splitRows, undefined, false);

for (const json of ['json', 'jsonb'] as const) {
  const type = mustTypeOfKey(json);
  const pair = [
    ['key', TEXT],
    ['value', type],
  ] as const;
  const textPair = [
    ['key', TEXT],
    ['value', TEXT],
  ] as const;
  define(
    `${json}_array_elements(${json})`,
    json,
    ([j]) => jsonArrayElements(j as string, false).map((v) => [v]),
    [['value', type]],
  );
  define(
    `${json}_array_elements_text(${json})`,
    'text',
    ([j]) => jsonArrayElements(j as string, true).map((v) => [v]),
    [['value', TEXT]],
  );
  define(`${json}_each(${json})`, 'record', ([j]) => jsonEach(j as string, false), pair);
  define(`${json}_each_text(${json})`, 'record', ([j]) => jsonEach(j as string, true), textPair);
  define(`${json}_object_keys(${json})`, 'text', ([j]) => jsonKeys(j as string).map((k) => [k]));
}

/** information_schema._pg_expandarray: elements with their subscripts (x, n). */
defineSignature('_pg_expandarray(anyarray)', 'table', 'record', {});
tableFunctions.set('_pg_expandarray(anyarray)', {
  isStrict: true,
  columns: ([array]) => [
    { name: 'x', type: must(array?.element) },
    { name: 'n', type: INT4 },
  ],
  body: ([a]) => (a as ArrayValue).items.map((item, i) => [item, i + 1]),
});

const EMPTY: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    'aclexplode(text[])',
    [
      ['grantor', 'oid'],
      ['grantee', 'oid'],
      ['privilege_type', 'text'],
      ['is_grantable', 'bool'],
    ],
  ],
  [
    'pg_options_to_table(text[])',
    [
      ['option_name', 'text'],
      ['option_value', 'text'],
    ],
  ],
  ['pg_listening_channels()', [['pg_listening_channels', 'text']]],
  [
    'pg_partition_tree(regclass)',
    [
      ['relid', 'regclass'],
      ['parentrelid', 'regclass'],
      ['isleaf', 'bool'],
      ['level', 'int4'],
    ],
  ],
  ['pg_partition_ancestors(regclass)', [['relid', 'regclass']]],
  [
    'ts_token_type(oid)',
    [
      ['tokid', 'int4'],
      ['alias', 'text'],
      ['description', 'text'],
    ],
  ],
  [
    'pg_get_keywords()',
    [
      ['word', 'text'],
      ['catcode', 'char'],
      ['barelabel', 'bool'],
      ['catdesc', 'text'],
      ['baredesc', 'text'],
    ],
  ],
];

for (const [id, columns] of EMPTY) {
  define(
    id,
    'record',
    () => [],
    columns.map(([name, type]) => [name, mustTypeOfKey(type)] as const),
  );
}

const ZONE_COLUMNS = [
  ['name', TEXT],
  ['abbrev', TEXT],
  ['utc_offset', INTERVAL],
  ['is_dst', BOOL],
] as const;

/** The zones that Intl knows, with their offset at the statement's instant. */
function* zoneNames(call: CallContext): Rows {
  for (const name of Intl.supportedValuesOf('timeZone')) {
    const zone = timeZone(name);
    const offset = zone.offsetAt(call.nowUs);
    const year = 31_557_600_000_000n / 2n;
    const isDst =
      offset > Math.min(zone.offsetAt(call.nowUs + year), zone.offsetAt(call.nowUs - year));
    yield [
      name,
      zone.abbreviationAt(call.nowUs),
      new Interval(0, 0, BigInt(offset) * 1_000_000n),
      isDst,
    ];
  }
}

define('pg_timezone_names()', 'record', (_, call) => zoneNames(call), ZONE_COLUMNS);

/** The output columns of a call, given its arguments' types and the resolved result type. */
export function tableFunctionColumns(
  id: string,
  argTypes: readonly DataType[],
  resultType: DataType,
): readonly TableFunctionColumn[] {
  return must(tableFunctions.get(id), `no table function ${id}`).columns(argTypes, resultType);
}

/** The rows of one call. */
export function expandTableFunction(id: string, args: readonly Value[], call: CallContext): Rows {
  const known = must(tableFunctions.get(id), `no table function ${id}`);
  if (known.isStrict && args.includes(null)) return [];
  return known.body(args, call);
}
