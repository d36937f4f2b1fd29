/**
 * Comparison operators of every ordered type, across the integer, float and date/time families as PostgreSQL has them.
 * Also `canonical(x)`: equal bytes where SQL says equal.
 */

import type { DataType, Value } from '../../types/data-type.ts';
import { dateToTimestamp, timestampToTimestamptz } from '../../types/datetime.ts';
import { canonicalValue, compareValues, isIdentityEquality } from '../../types/value.ts';
import { type CallContext, defineGeneral, defineGeneralOperator } from '../registry.ts';
import { mustTypeOfKey } from '../signature.ts';

const OPERATORS: readonly (readonly [string, (order: number) => boolean])[] = [
  ['=', (order) => order === 0],
  ['<>', (order) => order !== 0],
  ['<', (order) => order < 0],
  ['<=', (order) => order <= 0],
  ['>', (order) => order > 0],
  ['>=', (order) => order >= 0],
];

type Compare = (a: NonNullable<Value>, b: NonNullable<Value>, call: CallContext) => number;

function defineComparisons(left: string, right: string, compare: Compare, isStable = false): void {
  for (const [name, test] of OPERATORS) {
    const id = `${name}(${left},${right})`;
    defineGeneralOperator(id, 'bool', ([a, b], call) => test(compare(a!, b!, call)), {
      canFail: false,
      volatility: isStable ? 'stable' : 'immutable',
    });
  }
}

function ofOneType(type: DataType): Compare {
  return (a, b) => compareValues(type, a, b);
}

const ORDERED = [
  'bool',
  'int2',
  'int4',
  'int8',
  'float4',
  'float8',
  'numeric',
  'text',
  'bpchar',
  'name',
  'char',
  'bytea',
  'uuid',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'interval',
  'oid',
  'jsonb',
];

for (const id of ORDERED) defineComparisons(id, id, ofOneType(mustTypeOfKey(id)));

function numberOrder(a: NonNullable<Value>, b: NonNullable<Value>): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

for (const [left, right] of [
  ['int2', 'int4'],
  ['int4', 'int2'],
  ['int2', 'int8'],
  ['int8', 'int2'],
  ['int4', 'int8'],
  ['int8', 'int4'],
] as const) {
  defineComparisons(left, right, numberOrder);
}

const float8 = ofOneType(mustTypeOfKey('float8'));
defineComparisons('float4', 'float8', float8);
defineComparisons('float8', 'float4', float8);
defineComparisons('name', 'text', ofOneType(mustTypeOfKey('text')));
defineComparisons('text', 'name', ofOneType(mustTypeOfKey('text')));

/** Dates, timestamps and timestamptz compare with each other; with timestamptz by the session's zone. */
const TO_TIMESTAMP = {
  date: (value: NonNullable<Value>) => dateToTimestamp(value as number),
  timestamp: (value: NonNullable<Value>) => value as bigint,
};

defineComparisons('date', 'timestamp', (a, b) => numberOrder(TO_TIMESTAMP.date(a), b));
defineComparisons('timestamp', 'date', (a, b) => numberOrder(a, TO_TIMESTAMP.date(b)));
for (const type of ['date', 'timestamp'] as const) {
  const instant = (value: NonNullable<Value>, call: CallContext): bigint =>
    timestampToTimestamptz(TO_TIMESTAMP[type](value), call.settings.timeZone);
  defineComparisons(type, 'timestamptz', (a, b, call) => numberOrder(instant(a, call), b), true);
  defineComparisons('timestamptz', type, (a, b, call) => numberOrder(a, instant(b, call)), true);
}

defineGeneralOperator('=(xid,xid)', 'bool', ([a, b]) => a === b, { canFail: false });
defineGeneralOperator('<>(xid,xid)', 'bool', ([a, b]) => a !== b, { canFail: false });
defineGeneralOperator(
  '=(xid,int4)',
  'bool',
  ([a, b]) => a === BigInt.asUintN(32, BigInt(b as number)),
  { canFail: false },
);
defineGeneralOperator(
  '<>(xid,int4)',
  'bool',
  ([a, b]) => a !== BigInt.asUintN(32, BigInt(b as number)),
  { canFail: false },
);

/** Arrays: element by element, then by length; the operators' arguments have one element type. */
for (const [name, test] of OPERATORS) {
  defineGeneralOperator(
    `${name}(anyarray,anyarray)`,
    'bool',
    ([a, b], call) => test(compareValues(call.argTypes[0] as DataType, a!, b!)),
    { canFail: false },
  );
}

defineGeneral(
  'canonical(anyelement)',
  'anyelement',
  ([value], call) => {
    const type = call.argTypes[0] as DataType;
    return isIdentityEquality(type) ? value! : canonicalValue(type, value!);
  },
  { canFail: false, isVisible: false },
);
