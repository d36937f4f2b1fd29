/** Rows as MessagePack: our decoder reads them back, @msgpack/msgpack reads the same. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decode } from '@msgpack/msgpack';
import fc from 'fast-check';
import type { Value } from '../../types/data-type.ts';
import { DEFAULT_SETTINGS, inputValue } from '../../types/value.ts';
import {
  assertAnyRoundTrip,
  COMMON_TYPES,
  columnsOf,
  encodeMessages,
  jsonValueOf,
} from '../message-fixture.ts';
import { MessagePackDecoder } from './msgpack-decoder.ts';
import { MessagePackEncoder } from './msgpack-encoder.ts';

const COLUMNS = columnsOf({
  ...COMMON_TYPES,
  ts: 'timestamp',
  tz: 'timestamptz',
  af: 'double precision[]',
});

test('every type comes back as it was', () => {
  const encoder = new MessagePackEncoder(COLUMNS, DEFAULT_SETTINGS);
  const decoderOf = () => new MessagePackDecoder(COLUMNS, DEFAULT_SETTINGS);
  assertAnyRoundTrip(COLUMNS, encoder, decoderOf, 300);
});

/** What the witness reads of one value. */
function witness(type: string, value: Value): unknown {
  const columns = columnsOf({ v: type });
  const [message] = encodeMessages(new MessagePackEncoder(columns, DEFAULT_SETTINGS), columns, [
    [value],
  ]);
  return (decode(message!, { useBigInt64: true }) as { v: unknown }).v;
}

function ofText(type: string, text: string): unknown {
  return witness(type, inputValue(columnsOf({ v: type })[0]!.type, text));
}

/** The witness takes no key of this name. */
const anyJson = fc.jsonValue().filter((json) => !JSON.stringify(json).includes('__proto__'));

test('another reader reads the same', () => {
  for (const value of [0, -1, 127, 128, -32, -33, 255, 256, -128, -129, 65_535, 65_536]) {
    assert.equal(witness('integer', value), value);
  }
  for (const value of [-(2 ** 31), 2 ** 31 - 1, -32_769, 40_000]) {
    assert.equal(witness('integer', value), value);
  }
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
      assert.equal(BigInt(witness('bigint', value) as bigint), value);
    }),
  );
  fc.assert(
    fc.property(fc.double(), fc.string(), anyJson, (number, text, json) => {
      assert.deepEqual(witness('double precision', number), number);
      assert.equal(witness('text', text), text);
      const read = jsonValueOf(JSON.stringify(json));
      assert.deepEqual(bigintsAsNumbers(ofText('jsonb', JSON.stringify(json))), read);
    }),
  );
  assert.equal(witness('text', 'x'.repeat(70_000)), 'x'.repeat(70_000));
  assert.deepEqual(witness('bytea', new Uint8Array(300)), Buffer.alloc(300));
  assert.deepEqual(ofText('integer[]', '{{1,2},{3,NULL}}'), [
    [1, 2],
    [3, null],
  ]);
  assert.deepEqual(ofText('integer[]', '{}'), []);
  assert.equal(ofText('numeric', '1.50'), '1.50');
  for (const text of ['2024-02-29T10:00:00.5Z', '1969-12-31T23:59:59Z', '2600-01-01T00:00:00Z']) {
    assert.deepEqual(ofText('timestamptz', text), new Date(text));
  }
  assert.deepEqual(ofText('timestamptz', '1970-01-02T00:00:00Z'), new Date(86_400_000));
  assert.equal(ofText('timestamptz', 'infinity'), 'infinity');
  assert.equal(ofText('timestamp', '2024-02-29 10:00:00'), '2024-02-29T10:00:00');
  assert.equal(witness('text', null), null);
});

test('numbers in jsonb: whole ones of 64 bits are exact, those beyond doubles are refused', () => {
  assert.equal(ofText('jsonb', '18446744073709551615'), 2n ** 64n - 1n);
  assert.equal(ofText('jsonb', '1.25'), 1.25);
  assert.throws(() => ofText('jsonb', '1e400'), { sqlstate: '22003' });
});

/** JSON numbers beyond 2^53 are doubles for JSON.parse. */
function bigintsAsNumbers(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (Array.isArray(value)) return value.map(bigintsAsNumbers);
  if (typeof value !== 'object' || value === null) return value === 0 ? 0 : value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, bigintsAsNumbers(item)]),
  );
}
