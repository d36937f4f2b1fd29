/** Values of every type: bytes, order, equality, names, typmods; what PGlite cannot be asked. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArrayValue } from './array.ts';
import { INFINITY_US, MINUS_INFINITY_US } from './calendar.ts';
import {
  arrayOf,
  BPCHAR,
  BYTEA,
  type DataType,
  FLOAT8,
  INT4,
  INTERVAL,
  JSONB,
  NUMERIC,
  TEXT,
  TIMESTAMPTZ,
  UUID,
  VARCHAR,
  type Value,
  withTypmod,
} from './data-type.ts';
import { Decimal } from './decimal.ts';
import { formatFloat4, formatFloat8, parseFloat4 } from './float.ts';
import { Interval } from './interval.ts';
import { findTimeZone, timeZone } from './timezone.ts';
import { plainTypeName } from './type-name.ts';
import {
  canonicalValue,
  coerceTypmod,
  compareText,
  compareValues,
  DEFAULT_SETTINGS,
  decodeBytes,
  encodeBytes,
  formatValue,
  isIdentityEquality,
  parseTypeName,
  parseValue,
  typeName,
} from './value.ts';

const decimals = fc
  .tuple(fc.bigInt(-(10n ** 40n), 10n ** 40n), fc.nat(30))
  .map(([unscaled, scale]) => new Decimal(unscaled, scale));
const intervals = fc
  .tuple(fc.integer(), fc.integer(), fc.bigInt(-(2n ** 62n), 2n ** 62n))
  .map(([months, days, us]) => new Interval(months, days, us));

test('bytes of every view type come back as the same value', () => {
  const round = (type: DataType, value: NonNullable<Value>): void => {
    assert.deepEqual(decodeBytes(type, encodeBytes(type, value)), value);
  };
  fc.assert(fc.property(decimals, (value) => round(NUMERIC, value)));
  fc.assert(fc.property(intervals, (value) => round(INTERVAL, value)));
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (value) => round(TEXT, value)));
  for (const value of [Decimal.NAN, Decimal.INFINITY, Decimal.MINUS_INFINITY])
    round(NUMERIC, value);
  round(UUID, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
  round(BYTEA, Uint8Array.of(0, 255, 7));
  const nested = new ArrayValue(['a', null, '', 'long enough for a block'], [2, 2], [0, -1]);
  round(arrayOf(TEXT)!, nested);
  round(arrayOf(INT4)!, ArrayValue.of([1, null, -5]));
  round(arrayOf(NUMERIC)!, ArrayValue.of([Decimal.parse('1.50')]));
  round(arrayOf(INT4)!, ArrayValue.EMPTY);
});

test('a numeric that fits an int64 takes 12 bytes, others 8 more at a time', () => {
  assert.equal(encodeBytes(NUMERIC, Decimal.parse('-9223372036854775808')).length, 12);
  assert.equal(encodeBytes(NUMERIC, Decimal.parse('9223372036854775808')).length, 20);
  assert.equal(encodeBytes(NUMERIC, Decimal.of(10n ** 60n)).length, 36);
});

test('a decimal prints what it was read from', () => {
  fc.assert(
    fc.property(decimals, (value) => assert.deepEqual(Decimal.parse(value.toString()), value)),
  );
});

test('canonical values are equal exactly where SQL says so', () => {
  const agree = (type: DataType, a: NonNullable<Value>, b: NonNullable<Value>): void => {
    const same = Buffer.compare(
      encodeBytes(type, canonicalValue(type, a)),
      encodeBytes(type, canonicalValue(type, b)),
    );
    assert.equal(same === 0, compareValues(type, a, b) === 0);
  };
  const small = fc.tuple(fc.bigInt(-50n, 50n), fc.nat(3)).map(([u, s]) => new Decimal(u, s));
  fc.assert(fc.property(small, small, (a, b) => agree(NUMERIC, a, b)));
  const near = fc
    .tuple(
      fc.integer({ min: -2, max: 2 }),
      fc.integer({ min: -60, max: 60 }),
      fc.integer({ min: -2, max: 2 }),
    )
    .map(([m, d, days]) => new Interval(m, d, BigInt(days) * 86_400_000_000n));
  fc.assert(fc.property(near, near, (a, b) => agree(INTERVAL, a, b)));
  agree(BPCHAR, 'a  ', 'a');
  agree(JSONB, '{"a": 1.0}', '{"a": 1}');
  assert.equal(canonicalValue(FLOAT8, -0), 0);
  assert.ok(!isIdentityEquality(arrayOf(NUMERIC)!));
  assert.ok(isIdentityEquality(arrayOf(TEXT)!));
});

test('text is ordered as its UTF-8 bytes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (a, b) => {
      assert.equal(Math.sign(compareText(a, b)), Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
  assert.ok(compareText('\uffff', '\u{1f600}') < 0);
});

test('order of floats and numerics: NaN above infinity', () => {
  for (const [type, texts] of [
    [FLOAT8, ['-Infinity', '-1', '0', '1e300', 'Infinity', 'NaN']],
    [NUMERIC, ['-Infinity', '-1', '0.0', '1e300', 'Infinity', 'NaN']],
    [
      JSONB,
      ['[]', 'null', '"a"', '"b"', '1', '2.5', 'false', 'true', '[1]', '[1, 2]', '{}', '{"a": 1}'],
    ],
  ] as const) {
    const values = texts.map((text) => parseValue(type, text, DEFAULT_SETTINGS));
    values.forEach((a, i) => {
      values.forEach((b, j) => {
        assert.equal(
          Math.sign(compareValues(type, a, b)),
          Math.sign(i - j),
          `${texts[i]} ${texts[j]}`,
        );
      });
    });
  }
});

test('floats print the shortest text that reads back as the same number', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true }), (value) =>
      assert.ok(Object.is(Number(formatFloat8(value)), value)),
    ),
  );
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      assert.ok(Object.is(parseFloat4(formatFloat4(value)), value));
    }),
  );
  assert.equal(formatFloat8(0.1 + 0.2, 0), '0.3');
  assert.equal(formatFloat8(1 / 3, -10), '0.33333');
  assert.equal(formatFloat8(1e21, 0), '1e+21');
  assert.equal(formatFloat8(100, 0), '100');
});

test('local times in gaps and overlaps', () => {
  const zone = timeZone('America/New_York');
  const local = (text: string): bigint =>
    parseValue(TIMESTAMPTZ, `${text}+00`, DEFAULT_SETTINGS) as bigint;
  const shown = (us: bigint): string => formatValue(TIMESTAMPTZ, us, DEFAULT_SETTINGS);
  assert.equal(shown(zone.toUtc(local('2024-03-10 02:30'))), '2024-03-10 07:30:00+00');
  assert.equal(shown(zone.toUtc(local('2024-11-03 01:30'))), '2024-11-03 06:30:00+00');
  assert.equal(zone.offsetAt(local('2424-07-01 00:00')), -4 * 3600);
  assert.equal(timeZone('<+03>-03').offsetAt(0n), 3 * 3600);
  assert.equal(timeZone('UTC+5').offsetAt(0n), -5 * 3600);
  assert.equal(findTimeZone('Nowhere/City'), undefined);
});

test('infinite times keep their place', () => {
  assert.equal(parseValue(TIMESTAMPTZ, 'infinity', DEFAULT_SETTINGS), INFINITY_US);
  assert.equal(parseValue(TIMESTAMPTZ, '-infinity', DEFAULT_SETTINGS), MINUS_INFINITY_US);
});

test("'now' and 'today' need an instant", () => {
  assert.throws(() => parseValue(TIMESTAMPTZ, 'now', DEFAULT_SETTINGS), { sqlstate: '0A000' });
  const settings = { ...DEFAULT_SETTINGS, nowUs: 1_700_000_000_000_000n };
  assert.equal(parseValue(TIMESTAMPTZ, 'now', settings), settings.nowUs);
  const today = parseValue(TIMESTAMPTZ, 'tomorrow 10:00', settings) as bigint;
  assert.equal(formatValue(TIMESTAMPTZ, today, settings), '2023-11-15 10:00:00+00');
});

test('names of types', () => {
  const names = [
    'numeric(10,2)',
    'numeric(3,-2)',
    'character varying(5)',
    'character(3)[]',
    'timestamp(3) with time zone',
    'time without time zone',
    'double precision',
    '"char"',
    'integer[]',
    'boolean',
    'interval(3)',
  ];
  for (const name of names) assert.equal(typeName(parseTypeName(name)), name);
  assert.equal(plainTypeName(parseTypeName('numeric(10,2)')), 'numeric');
  assert.equal(typeName(parseTypeName('pg_catalog.int4')), 'integer');
  assert.equal(typeName(parseTypeName('CHAR')), 'character(1)');
  assert.throws(() => parseTypeName('nothing'), {
    sqlstate: '42704',
    message: 'type "nothing" does not exist',
  });
  assert.throws(() => parseTypeName('numeric(2000)'), { sqlstate: '22023' });
});

test('an explicit cast cuts, an assignment refuses', () => {
  const varchar3 = withTypmod(VARCHAR, 7);
  assert.equal(coerceTypmod(varchar3, 'abcdef', true), 'abc');
  assert.throws(() => coerceTypmod(varchar3, 'abcdef', false), {
    sqlstate: '22001',
    message: 'value too long for type character varying(3)',
  });
  assert.equal(coerceTypmod(varchar3, 'abc   ', false), 'abc');
  assert.equal(coerceTypmod(withTypmod(BPCHAR, 9), 'é', false), 'é    ');
});
