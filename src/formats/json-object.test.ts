import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../base/random.ts';
import { buildKernels } from '../kernels/build.ts';
import { activeKernelBodies, type KernelMode, setKernelMode } from '../kernels/kernels.ts';
import {
  BOOL,
  type DataType,
  FLOAT8,
  INT2,
  INT4,
  INT8,
  JSONB,
  NUMERIC,
  TEXT,
  TIMESTAMP,
  TIMESTAMPTZ,
} from '../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue } from '../types/value.ts';
import { type Decoded, decodeAll } from './decode-fixture.ts';
import { JsonLinesDecoder } from './json-lines.ts';
import { JsonObjectDecoder } from './json-object.ts';
import { type JsonPaths, parseJsonPath } from './json-paths.ts';
import { type TimestampHandling, timeTokens } from './json-times.ts';

type Columns = Readonly<Record<string, DataType>>;

buildKernels();

interface Reading {
  readonly times?: TimestampHandling;
  readonly defaults?: Readonly<Record<string, string>>;
}

function decodeWith(
  mode: KernelMode,
  columns: Columns,
  paths: JsonPaths,
  pieces: readonly (string | Buffer)[],
  { times = 'iso', defaults = {} }: Reading = {},
): Decoded {
  setKernelMode(mode);
  try {
    const list = Object.entries(columns).map(([name, type]) => ({ name, type }));
    const tokens = timeTokens(list, times, DEFAULT_SETTINGS);
    const decoder = new JsonLinesDecoder(
      new JsonObjectDecoder(list, DEFAULT_SETTINGS, paths, tokens, defaults),
    );
    return decodeAll(
      decoder,
      list.map(({ type }) => type),
      pieces,
    );
  } finally {
    setKernelMode('auto');
  }
}

/** What both bodies give; they must not differ. */
function decode(columns: Columns, paths: JsonPaths, ...pieces: (string | Buffer)[]): Decoded {
  const given = decodeWith('auto', columns, paths, pieces);
  assert.deepEqual(given, decodeWith('ts', columns, paths, pieces), pieces.join(''));
  return given;
}

/** As `decode`, where numbers are times, or columns have defaults. */
function decodeAs(reading: Reading, columns: Columns, text: string | Buffer): Decoded {
  const given = decodeWith('auto', columns, PATHS, [text], reading);
  assert.deepEqual(given, decodeWith('ts', columns, PATHS, [text], reading), text.toString());
  return given;
}

test('paths: members, elements, several columns at one place, the last of two objects', () => {
  const columns = { price: INT8, copy: TEXT, first: TEXT, whole: JSONB, id: INT8 };
  const paths = { price: 'bid.price', copy: 'bid.price', first: 'tags[1].name', whole: 'bid' };
  const { rows, errors } = decode(
    columns,
    paths,
    '{"id":1,"bid":{"price":5,"x":{"price":6}},"tags":[{},{"name":"n"}],"price":7}\n' +
      '{"bid":null,"tags":[1]}\n{"bid":"text","tags":{"1":2}}\n{"bid":{"price":1},"bid":{"x":2}}\n' +
      '{"BID":{"price":5},"bid":{"Price":5},"tags":[]}\n{"b\\u0069d":{"pr\\u0069ce":9},"Id":3}\n',
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(rows, [
    ['5', '5', 'n', '{"x": {"price": 6}, "price": 5}', '1'],
    [null, null, null, null, null],
    [null, null, null, '"text"', null],
    [null, null, null, '{"x": 2}', null],
    [null, null, null, '{"Price": 5}', null],
    ['9', '9', null, '{"price": 9}', '3'],
  ]);
});

test('names of every length, in order and out of it, that begin alike, and that JSON escapes', () => {
  const names = Array.from({ length: 20 }, (_, i) => 'abcdefghijklmnopqrst'.slice(0, i + 1));
  const columns = Object.fromEntries(names.map((name) => [name, INT4]));
  const random = new Random(3);
  for (let round = 0; round < 20; round += 1) {
    const order = round === 0 ? names : random.shuffle([...names]);
    const lines = order.map(
      (name, i) => `{${order.map((n, k) => `"${n}":${k}`).join()},"${name}_":${i},"${name}":-7}`,
    );
    const { rows, errors } = decode(columns, {}, `${lines.join('\n')}\n`);
    assert.deepEqual(errors, []);
    const expected = order.map((last) =>
      names.map((name) => (name === last ? '-7' : String(order.indexOf(name)))),
    );
    assert.deepEqual(rows, expected);
  }
  const odd = { 'a"b': INT4, 'c\\d': INT4, 'e"': INT4 };
  const texts = ['{"a\\"b":1,"c\\\\d":2,"e\\"":3}', '{"a"b":1}', '{"c\\d":1}', '{"e"":1}'];
  const { rows, errors } = decode(odd, {}, `${texts.join('\n')}\n`);
  assert.deepEqual(rows, [['1', '2', '3']]);
  assert.deepEqual(
    errors.map(({ line }) => line),
    [2, 3, 4],
  );
});

test('paths as they are written', () => {
  assert.deepEqual(parseJsonPath('a'), ['a']);
  assert.deepEqual(parseJsonPath('a.b c[0][12].d'), ['a', 'b c', 0, 12, 'd']);
  assert.deepEqual(parseJsonPath('[3]'), [3]);
  for (const bad of ['', '.', 'a.', '.a', 'a..b', 'a[', 'a[x]', 'a]b', '[0]a', 'a.[0]']) {
    assert.throws(() => parseJsonPath(bad), { sqlstate: '22023' }, bad);
  }
});

const COLUMNS: Columns = {
  a: INT8,
  b: INT4,
  c: INT2,
  d: FLOAT8,
  e: BOOL,
  f: TEXT,
  g: TIMESTAMP,
  h: TIMESTAMPTZ,
  i: NUMERIC,
  j: INT8,
  k: TEXT,
};
const PATHS: JsonPaths = { j: 'o.j', k: 'o.l[1]' };

const SCALARS = [
  ...['0', '-0', '7', '-12', '32767', '32768', '-32768', '2147483648', '999999999999999999'],
  ...['9223372036854775807', '9223372036854775808', '1.5', '1.0', '1e3', '-2.5E-2', '0.1', '1.'],
  ...['01', '.5', '+1', '123456789012345678', '0.000000000000001', '12345678.12345678', '1e400'],
  ...['true', 'false', 'null', 'nul', 'True', '"true"', '"t"', '"12"', '" 12"', '"007"', '""'],
  ...['"2024-02-29 10:11:12"', '"2023-02-29 10:11:12"', '"2024-02-29T10:11:12.5Z"', '"infinity"'],
  ...['"1799-12-31 00:00:00"', '"2199-12-31 23:59:59.999999"', '"2024-01-01 24:00:00"'],
  ...['"2024-01-01 10:11"', '"2024-01-01 10:11:12.1234567"', '"2024-1-1 00:00:00"', '1719999999'],
  ...['"Z"', '"abcdefghijkl"', '"abcdefghijklm"', '"é"', '"日本語 😀 and more than that"', '"\\n"'],
  ...['"a\\u00e9b"', '"\\ud83d\\ude00"', '"\\ud83d"', '"\\u0000"', '"\\x"', '"tab\t"', '"open'],
  ...['{}', '[]', '[1,2]', '{"a":1}', '[[[]]]', '[1,]', '{"a"}', '{"a":1,}', '"\x7f"', '"\x1f"'],
];
const NAMES = [...'abcdefghijk', 'A', 'F', 'o', 'O', 'x', 'ab', 'é', 'K', '\\u0061', 'l'];

function randomValue(random: Random, depth: number): string {
  const space = random.pick(['', '', '', ' ', '\t', ' \r']);
  if (depth > 2 || random.between(0, 9) < 7) return space + random.pick(SCALARS) + space;
  const count = random.between(0, 3);
  const items = Array.from({ length: count }, () => randomValue(random, depth + 1));
  if (random.between(0, 1) === 0) return `[${items.join(',')}]`;
  return `{${items.map((item) => `${space}"${random.pick(NAMES)}"${space}:${item}`).join(',')}}`;
}

function randomLine(random: Random): Buffer {
  const members = Array.from({ length: random.between(0, 6) }, () => {
    const name = random.pick(NAMES);
    const isNested = name === 'o' && random.between(0, 3) > 0;
    const list = `[${random.pick(SCALARS)},${random.pick(SCALARS)}]`;
    const value = isNested ? `{"j":${random.pick(SCALARS)},"l":${list}}` : randomValue(random, 0);
    return `"${name}":${value}`;
  });
  const line = Buffer.from(`{${members.join(',')}}`.replaceAll('\n', ''));
  if (random.between(0, 3) > 0) return line;
  // Broken somewhere: a byte that is another one, or an end that is missing.
  const at = random.between(0, line.length - 1);
  if (random.between(0, 3) === 0) return line.subarray(0, at);
  line[at] = random.pick([
    0, 0x22, 0x2c, 0x3a, 0x5b, 0x5c, 0x5d, 0x7b, 0x7d, 0x80, 0xc3, 0xed, 0xff,
  ]);
  return line;
}

function isJsonObject(line: Buffer): boolean {
  try {
    const value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line)) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

test('random objects, whole and broken: both bodies give the same rows and errors, as JSON.parse does', () => {
  assert.equal(activeKernelBodies(), 'wasm');
  const random = new Random(7);
  let accepted = 0;
  let rejected = 0;
  for (let round = 0; round < 300; round += 1) {
    const lines = Array.from({ length: 40 }, () => randomLine(random)).filter(
      (line) => line.length > 0 && !line.includes(10),
    );
    const text = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
    const cut = random.between(0, text.length);
    const { rows, errors } = decode(COLUMNS, PATHS, text.subarray(0, cut), text.subarray(cut));
    accepted += rows.length;
    rejected += errors.length;
    const isBad = new Set(errors.map(({ line }) => line - 1));
    for (const [i, line] of lines.entries()) {
      if (!isBad.has(i)) assert.ok(isJsonObject(line) || isBlank(line), line.toString());
    }
    // Of text columns alone nothing but the text itself can be wrong, or a character that no text holds.
    const texts = decode({ x: TEXT, zz: TEXT }, {}, text);
    const isBadText = new Set(texts.errors.map(({ line }) => line - 1));
    for (const [i, line] of lines.entries()) {
      const isEscape = texts.errors.some(
        ({ line: n, text: why }) => n === i + 1 && /^column/.test(why),
      );
      if (!isEscape && !isBlank(line) && !/\\u/.test(line.toString())) {
        assert.equal(!isBadText.has(i), isJsonObject(line), line.toString('latin1'));
      }
    }
  }
  assert.ok(accepted > 1000 && rejected > 1000, `${accepted} accepted, ${rejected} rejected`);
});

/** Pieces of an object's text; null: a scalar. */
type Shape = readonly (string | null)[];

function randomShape(random: Random, names: readonly string[] = NAMES, depth = 0): Shape {
  const space = random.pick(['', '', ' ']);
  const members = Array.from({ length: random.between(depth, 5) }, (_, i): Shape => {
    const name = random.pick(names);
    const start = `${i === 0 ? '' : `,${space}`}"${name}":${space}`;
    return [start, ...shapeOfValue(random, name, depth)];
  });
  return ['{', ...members.flat(), `${space}}`];
}

function shapeOfValue(random: Random, name: string, depth: number): Shape {
  if (depth > 2 || random.between(0, 5) < 4) return [null];
  if (name === 'l' || random.between(0, 3) === 0) return ['[', null, ',', null, ']'];
  return randomShape(random, name === 'o' ? ['j', 'l', 'x'] : NAMES, depth + 1);
}

function filled(random: Random, shape: Shape): Buffer {
  const isWhole = random.between(0, 9) > 0;
  const text = shape.map((piece) => piece ?? (isWhole ? '"some text"' : random.pick(SCALARS)));
  // Values of all lengths and kinds, in places that had others.
  for (const [i, piece] of shape.entries()) {
    if (piece !== null || random.between(0, 2) === 0) continue;
    const kinds = [String(random.below(10 ** random.between(0, 9))), 'null', 'true', '-1.5'];
    text[i] = random.pick([
      ...kinds,
      `"${'é~'.repeat(random.below(20))}"`,
      '"2024-02-29 10:11:12"',
    ]);
  }
  if (random.between(0, 19) === 0) text.splice(random.below(text.length), 1);
  const line = Buffer.from(text.join('') + random.pick(['', '', '', '', ' ', '}', ' 1']));
  if (random.between(0, 19) === 0)
    line[random.below(line.length)] = random.pick([0x22, 0x7b, 0x80]);
  return line;
}

test('objects of a few shapes, one after the other: both bodies give the same rows and errors', () => {
  const random = new Random(10);
  let accepted = 0;
  for (let round = 0; round < 400; round += 1) {
    // Of few names some come twice.
    const names = random.pick([NAMES, ['o', 'a', 'f']]);
    const shapes = Array.from({ length: random.between(1, 3) }, () => randomShape(random, names));
    const lines = Array.from({ length: 60 }, () => {
      const isFirst = random.between(0, 4) > 0;
      return filled(random, isFirst ? shapes[0]! : random.pick(shapes));
    });
    const text = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
    accepted += decode(COLUMNS, PATHS, text).rows.length;
    accepted += decode({ ...COLUMNS, o: JSONB, l: TEXT }, PATHS, text).rows.length;
  }
  assert.ok(accepted > 5000, `${accepted} accepted`);
});

test('what is wrong between the scalars is wrong in each of the objects', () => {
  for (const bad of [
    '{"\xff":1,"a":2}',
    '{"a":1,"f":"\xc3"}',
    '{"o":{"\xed\xa0\x80":[1]},"a":2}',
    '{"a":01}',
  ]) {
    const line = Buffer.from(`${bad}\n`, 'latin1');
    const { rows, errors } = decode(COLUMNS, PATHS, Buffer.concat([line, line, line]));
    assert.deepEqual([rows.length, errors.length], [0, 3], bad);
  }
  const { rows, errors } = decode(COLUMNS, PATHS, '{"é":1,"a":2}\n{"é":"é","a":3}\n'.repeat(3));
  assert.deepEqual([rows.length, errors.length], [6, 0]);
});

test('names in paths that JSON escapes', () => {
  const paths = { quote: 'o.a"b', slash: 'o.a\\b', tab: 'l[0].a\tb', other: 'o.é' };
  const columns = { quote: TEXT, slash: TEXT, tab: TEXT, other: TEXT };
  const { rows, errors } = decode(
    columns,
    paths,
    '{"o":{"a\\"b":"1","a\\\\b":"2","é":"4"},"l":[{"a\\tb":"3"}]}\n{"o":{"a"b":"x"}}\n{"o":{"a\\b":"x"}}\n{"l":[{"a\tb":"x"}]}\n',
  );
  assert.deepEqual(rows, [
    ['1', '2', '3', '4'],
    [null, null, null, null],
  ]);
  assert.deepEqual(
    errors.map(({ line }) => line),
    [2, 4],
  );
});

const DEFAULTS = { a: '-3', c: '7', e: 't', f: 'none', h: '2024-01-01 00:00:00+00', i: '1.50' };

test('random objects with numbers as times, and defaults: both bodies agree, and the defaults are where members are missing', () => {
  const random = new Random(8);
  for (let round = 0; round < 150; round += 1) {
    const lines = Array.from({ length: 40 }, () => randomLine(random)).filter(
      (line) => line.length > 0 && !line.includes(10),
    );
    const text = Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')]));
    const times = random.pick(['iso', 'second', 'milli', 'micro', 'nano'] as const);
    const plain = decodeAs({ times }, COLUMNS, text);
    const filled = decodeAs({ times, defaults: DEFAULTS }, COLUMNS, text);
    assert.deepEqual(filled.errors, plain.errors);
    for (const [row, values] of filled.rows.entries()) {
      for (const [column, name] of Object.keys(COLUMNS).entries()) {
        const without = plain.rows[row]![column]!;
        if (values[column] === without) continue;
        assert.equal(without, null);
        assert.equal(values[column], Object.entries(DEFAULTS).find(([of]) => of === name)?.[1]);
      }
    }
  }
});

test('numbers as times are exact, and cut to microseconds', () => {
  const random = new Random(9);
  const units = { second: 1_000_000n, milli: 1000n, micro: 1n };
  for (let round = 0; round < 300; round += 1) {
    const us = BigInt(random.between(0, 2 ** 48)) * (random.between(0, 1) === 0 ? 1n : -1n);
    for (const [times, unit] of Object.entries(units)) {
      const size = us < 0n ? -us : us;
      const fraction = (size % unit).toString().padStart(String(unit).length - 1, '0');
      const text = `${us < 0n ? '-' : ''}${size / unit}${unit === 1n ? '' : `.${fraction}`}`;
      const { rows } = decodeAs(
        { times: times as TimestampHandling },
        { g: TIMESTAMP },
        `{"g":${text}}\n`,
      );
      assert.equal(rows[0]?.[0], formatValue(TIMESTAMP, us, DEFAULT_SETTINGS), text);
    }
    const { rows } = decodeAs({ times: 'nano' }, { g: TIMESTAMP }, `{"g":${us}999}\n`);
    const cut = us < 0n ? us - 1n : us;
    assert.equal(rows[0]?.[0], formatValue(TIMESTAMP, cut, DEFAULT_SETTINGS));
  }
});

test('what is no number is read by the type, and what is out of range is refused', () => {
  const columns = { g: TIMESTAMP, h: TIMESTAMPTZ };
  const { rows, errors } = decodeAs(
    { times: 'second' },
    columns,
    '{"g":"2024-01-01 10:00","h":null}\n{"g":"\\u0032024-01-01","h":0.5e1}\n{"g":true}\n{"h":1e13}\n{"h":-1e130000}\n{"g":[]}\n',
  );
  assert.deepEqual(rows, [
    ['2024-01-01 10:00:00', null],
    ['2024-01-01 00:00:00', '1970-01-01 00:00:05+00'],
  ]);
  assert.deepEqual(
    errors.map(({ line, text }) => [line, text]),
    [
      [3, 'column "g": invalid input syntax for type timestamp: "true"'],
      [4, 'column "h": timestamp out of range'],
      [5, 'column "h": timestamp out of range'],
      [6, 'column "g": invalid input syntax for type timestamp: "[]"'],
    ],
  );
});

function isBlank(line: Buffer): boolean {
  return /^[ \t\r]*$/.test(line.toString('latin1'));
}

test('strings of every length, at every place of a window', () => {
  const lines: string[] = [];
  const expected: string[] = [];
  for (let length = 0; length < 400; length += 1) {
    const text = 'abcdefghijklmnopqrstuvwxyz0123456789'.repeat(12).slice(0, length);
    expected.push(text, `${text}é`);
    lines.push(`{"f":"${text}"}\n`, `{"f":"${text}é"}\n`);
  }
  const long = 'x'.repeat(200_000);
  const { rows } = decode({ f: TEXT }, {}, `${lines.join('')}{"f":"${long}"}\n{"f":"end"}\n`);
  assert.deepEqual(
    rows.map(([text]) => text),
    [...expected, long, 'end'],
  );
});
