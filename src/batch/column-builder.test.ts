import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { BOOL, type DataType, INT4, INT8, TEXT, type Value } from '../types/data-type.ts';
import { ColumnBuilder } from './column-builder.ts';
import { readValue } from './read-value.ts';

const memory = Memory.create();
const scratch = new Scratch(memory);

function valuesOf(builder: ColumnBuilder): Value[] {
  const column = builder.build();
  return Array.from({ length: builder.rowCount }, (_, row) =>
    readValue(memory, column, builder.type, row),
  );
}

test('the last row again, as often as is wanted, over the capacity and of every width', () => {
  const cases: readonly [DataType, Value][] = [
    [BOOL, true],
    [INT4, -5],
    [INT8, 2n ** 60n],
    [TEXT, 'short'],
    [TEXT, 'a text of more than twelve bytes'],
    [TEXT, null],
  ];
  for (const [type, value] of cases) {
    for (const count of [0, 1, 7, 100]) {
      const builder = new ColumnBuilder(memory, scratch, type, 16);
      builder.appendNull();
      builder.appendValue(value);
      builder.appendAgain(count);
      builder.appendNull();
      const again = Array.from({ length: count + 1 }, () => value);
      assert.deepEqual(valuesOf(builder), [null, ...again, null]);
    }
  }
});

test('texts that are encoded together are as if one by one', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.string({ maxLength: 30, unit: 'grapheme' }),
    fc.string({ minLength: 60_000, maxLength: 70_000 }),
    fc.constantFrom('', 'x'.repeat(140_000), 'ä'.repeat(70_000)),
  );
  fc.assert(
    fc.property(fc.array(fc.option(text), { maxLength: 40 }), (texts) => {
      const mark = scratch.mark();
      const builder = new ColumnBuilder(memory, scratch, TEXT, 16);
      builder.appendTexts(texts);
      assert.deepEqual(valuesOf(builder), texts);
      scratch.release(mark);
    }),
  );
});
