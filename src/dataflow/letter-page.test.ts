/** Pages give back the letters that were put into them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { buildBatch } from '../batch/build-batch.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { LETTER_PAGES, lettersOf, pageRow, pagesOf, positionText } from './letter-page.ts';
import { type DeadLetter, letterBytes } from './problems.ts';

const scratch = new Scratch(Memory.create());
const TYPES = LETTER_PAGES.map(({ type }) => type);

/** Few different ones, so that letters often have the same. */
const text = fc.oneof(
  fc.constantFrom('', 'a', 'of two\nlines', '\n', '"quoted"', '\0', 'ä'),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
);
const number = fc.oneof(
  fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 2 ** 63, -(2 ** 63)),
  fc.nat(),
);
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
const bytes = orNull(fc.uint8Array({ maxLength: 20 }));

const PLAIN = { noNullPrototype: true };
const place = fc.record(
  {
    offset: number,
    topic: orNull(text),
    partition: orNull(fc.nat(3)),
    byteOffset: orNull(fc.nat()),
  },
  PLAIN,
);
const raw = fc.record(
  {
    key: bytes,
    value: bytes,
    isCut: fc.boolean(),
    timestampMs: orNull(number),
    context: orNull(text),
  },
  PLAIN,
);
const letter: fc.Arbitrary<DeadLetter> = fc.record(
  {
    kind: fc.constantFrom('rejected', 'late', 'null_time'),
    sourceId: orNull(fc.nat(3)),
    viewId: orNull(fc.nat(3)),
    split: orNull(text),
    position: orNull(text),
    row: orNull(text),
    reason: text,
    op: orNull(fc.constantFrom('insert', 'delete')),
    sqlstate: orNull(fc.constantFrom('22P02', '22001')),
    place,
    raw,
    lateRow: text,
  },
  {
    ...PLAIN,
    requiredKeys: [
      ...['kind', 'sourceId', 'viewId', 'split', 'position', 'row', 'reason', 'op', 'sqlstate'],
    ] as const,
  },
);
const letters = fc.oneof(
  fc.array(letter, { minLength: 1, maxLength: 12 }),
  fc.tuple(letter, fc.nat(12)).map(([one, more]) => Array.from({ length: more + 1 }, () => one)),
);

test('letters come back as they were, numbered one after the other or with gaps', () => {
  fc.assert(
    fc.property(letters, fc.boolean(), (given, hasGaps) => {
      const ids = given.map((_, i) => 100 + (hasGaps ? 3 * i + 1 : i));
      const mark = scratch.mark();
      const row = pageRow(100, 7n, given, hasGaps ? ids : null);
      const found = [...lettersOf(buildBatch(TYPES, [row], scratch), 0)];
      scratch.release(mark);
      const all = given.map((one, i) => ({ ...one, id: ids[i]!, atUs: 7n, page: 100 }));
      assert.deepEqual(found, all);
    }),
  );
});

test('a position is the text that a letter has, or what is known of the place', () => {
  const letter: DeadLetter = {
    kind: 'rejected',
    ...{ sourceId: 1, viewId: null, split: 's', position: null, op: null, sqlstate: null },
    ...{ row: null, reason: '' },
  };
  const place = { topic: null, partition: null, offset: 0, byteOffset: null };
  assert.equal(positionText(letter), null);
  assert.equal(positionText({ ...letter, place }), '{"offset":0}');
  assert.equal(
    positionText({ ...letter, place: { topic: 'a"b', partition: 0, offset: 7, byteOffset: 0 } }),
    '{"topic":"a\\"b","partition":0,"offset":7,"byteOffset":0}',
  );
  assert.equal(positionText({ ...letter, place, position: '{"line":1}' }), '{"line":1}');
});

test('a page ends where it is long, and has at least one letter', () => {
  const sized = (length: number): DeadLetter => ({
    kind: 'null_time',
    ...{ sourceId: null, viewId: 1, split: null, position: null, op: null, sqlstate: null },
    row: 'x'.repeat(length),
    reason: '',
  });
  const bytesMax = 16_384;
  const given = [
    ...Array.from({ length: 3000 }, () => sized(0)),
    ...[100_000, 100_000, 10, 100_000].map(sized),
  ];
  const pages = [...pagesOf(given, 10)];
  assert.deepEqual(
    pages.flatMap((page) => page.letters),
    given,
  );
  let key = 10;
  for (const page of pages) {
    assert.equal(page.key, key);
    key += page.letters.length;
    const before = page.letters.slice(0, -1).reduce((sum, one) => sum + letterBytes(one), 0);
    assert.ok(before < bytesMax, `${before} bytes before the last letter`);
  }
  assert.ok(pages.length < 30, `${pages.length} pages`);
});
