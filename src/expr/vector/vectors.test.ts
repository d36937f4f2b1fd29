/** Every vector body gives what its per-value body gives: same values, same NULLs, same errors at the same rows. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { must } from '../../base/assert.ts';
import { Random } from '../../base/random.ts';
import type { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { Memory } from '../../memory/memory.ts';
import { Scratch } from '../../memory/scratch.ts';
import { ArrayValue } from '../../types/array.ts';
import { type DataType, TEXT, type Value } from '../../types/data-type.ts';
import { Decimal } from '../../types/decimal.ts';
import { Interval } from '../../types/interval.ts';
import { DEFAULT_SETTINGS, encodeBytes } from '../../types/value.ts';
import { adaptBody } from '../adapt.ts';
import '../builtins.ts';
import type { EvalContext } from '../eval-context.ts';
import {
  type CallContext,
  mustFunction,
  type VectorBody,
  vectorBody,
  vectorIds,
} from '../registry.ts';
import { bodyOf } from '../scalar-body.ts';
import { mustTypeOfKey } from '../signature.ts';
import { isValid } from './columns.ts';
import { ColumnWriter, columnReader } from './values.ts';

const memory = Memory.create();
const scratch = new Scratch(memory);

const INT8_EXTREMES = [
  0n,
  1n,
  -1n,
  0x7fff_ffff_ffff_ffffn,
  -0x8000_0000_0000_0000n,
  4294967296n,
  -4294967297n,
  9007199254740993n,
];
const TEXTS = [
  '',
  'a',
  'ab',
  'apple',
  'a longer text than twelve bytes',
  'a longer text than twelve bytez',
  'é',
  '日本語',
  '%a',
  'hour',
  '/',
  'a/b//c/a longer part than twelve/é/',
  'GROßE Straße',
  'AbCdEfGhIjKl',
  'YYYY-MM-DD',
  'HH24:MI',
  'FMDay, DDth HH12:MI:SS.US am',
];

function randomValue(type: DataType, random: Random): NonNullable<Value> {
  switch (type.id) {
    case 'bool':
      return random.chance(0.5);
    case 'int2':
      return random.pick([0, 1, -1, 32767, -32768, random.between(-100, 100)]);
    case 'int4':
      return random.pick([0, 1, -1, 2147483647, -2147483648, 65536, random.between(-1000, 1000)]);
    case 'date':
      return random.pick([0, 19000, 2147483647, -2147483648, random.between(-9000, 30000)]);
    case 'float4':
    case 'float8':
      return random.pick([
        0,
        -0,
        1.5,
        -2.25,
        Number.NaN,
        Infinity,
        -Infinity,
        type.id === 'float4' ? Math.fround(3e38) : 1.7e308,
      ]);
    case 'numeric':
      return Decimal.parse(
        random.pick([
          '0',
          '1',
          '-1.50',
          '1.5',
          '0.908',
          '9223372036854775807',
          '1e30',
          'NaN',
          'Infinity',
          '-0.000000000000000000000001',
          '123.456',
        ]),
      );
    case 'interval':
      return random.pick([
        new Interval(0, 0, 60_000_000n),
        new Interval(0, 1, -5n),
        new Interval(1, 2, 3n),
      ]);
    case 'timestamp':
    case 'timestamptz':
      return random.pick([
        ...INT8_EXTREMES,
        1_700_000_000_123_456n,
        1_700_000_000_123_457n,
        1_700_000_061_000_000n,
        1_700_090_000_000_000n,
        -1_700_000_000_123_456n,
        9_223_371_331_199_999_999n,
      ]);
    case 'bytea':
      return new TextEncoder().encode(random.pick(TEXTS));
    case 'uuid':
      return random.pick([
        '00000000-0000-0000-0000-000000000001',
        'ffffffff-0000-0000-0000-000000000001',
      ]);
    case 'array':
      return ArrayValue.of(
        Array.from({ length: random.below(6) }, () =>
          random.chance(0.1) ? null : random.pick(TEXTS),
        ),
      );
    case 'json':
    case 'jsonb':
      return random.pick(['1', '{"a": 1}', '"text that is longer than twelve"']);
    default:
      return type.storage === 'i64'
        ? random.pick([...INT8_EXTREMES, BigInt(random.between(-50, 50))])
        : random.pick(TEXTS);
  }
}

function randomColumn(type: DataType, n: number, random: Random): Column {
  const writer = new ColumnWriter({ memory, scratch }, type, n);
  const nulls = random.pick([0, 0, 0.3]);
  const constant = random.chance(0.4) ? randomValue(type, random) : null;
  for (let i = 0; i < n; i += 1) {
    writer.write(i, random.chance(nulls) ? null : (constant ?? randomValue(type, random)));
  }
  return writer.finish();
}

interface Outcome {
  readonly value: unknown;
  readonly error: string | null;
}

function run(body: VectorBody, args: readonly Column[], n: number, call: CallContext): Outcome[] {
  const errors = new Map<number, string>();
  const ctx: EvalContext = {
    memory,
    scratch,
    nowUs: 0n,
    onError: (row, error: SqlError) => errors.set(row, `${error.sqlstate} ${error.message}`),
  };
  const column = body(args, n, ctx, call);
  assert.equal(column.storage, call.type.storage);
  const read = columnReader(memory, column, call.type);
  return Array.from({ length: n }, (_, row) => ({
    value: isValid(memory, column.validity, row) ? comparable(call.type, read(row)) : null,
    error: errors.get(row) ?? null,
  }));
}

function comparable(type: DataType, value: Value): unknown {
  if (value === null || typeof value !== 'object') return value;
  return Buffer.from(encodeBytes(type, value)).toString('hex');
}

for (const id of vectorIds()) {
  test(`${id}: both bodies agree`, () => {
    const definition = mustFunction(id);
    const argTypes = definition.argTypes.map((key) => (key === 'any' ? TEXT : mustTypeOfKey(key)));
    const type = mustTypeOfKey(definition.resultType);
    const call: CallContext = {
      settings: DEFAULT_SETTINGS,
      argTypes,
      type,
      nowUs: 0n,
      system: null,
      random: null,
      clock: null,
    };
    const slow = adaptBody(bodyOf(definition), definition.isStrict);
    const fast = must(vectorBody(id));
    for (let seed = 1; seed <= 40; seed += 1) {
      const random = new Random(seed);
      const n = random.pick([1, 7, 33, 100]);
      const args = argTypes.map((argType) => randomColumn(argType, n, random));
      assert.deepEqual(run(fast, args, n, call), run(slow, args, n, call), `${id} seed ${seed}`);
      scratch.reset();
    }
  });
}
