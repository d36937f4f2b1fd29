import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Column } from '../batch/delta-batch.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { writeView } from '../memory/views.ts';
import { ShownResults } from './shown-results.ts';

const LONG = new TextEncoder().encode('longer than what a view holds itself');

test('results by place among groups that showed none; the epoch end gives the memory back', () => {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const shown = new ShownResults(memory, memory.rootCell(0), ['i64', 'view']);
  const empty = memory.allocatedBytes;

  for (let epoch = 0; epoch < 2; epoch++) {
    const mark = scratch.mark();
    shown.pushNone();
    shown.push(results(memory, scratch, [7n, 8n]), 2, scratch);
    shown.pushNone();
    shown.push(results(memory, scratch, [9n]), 1, scratch);
    scratch.release(mark);
    assert.ok(memory.allocatedBytes > empty);

    const { columns, places } = shown.take(1, 4, scratch);
    const numbers = [0, 1, 3].map((entry) => {
      const place = memory.u32[(places >>> 2) + entry]!;
      const view = (columns[1]!.values + 16 * place) >>> 2;
      const start = memory.u32[view + 3]!;
      assert.deepEqual(memory.u8.slice(start, start + memory.u32[view]!), LONG);
      return memory.i64[(columns[0]!.values >>> 3) + place];
    });
    assert.deepEqual(numbers, [7n, 8n, 9n]);
    scratch.release(mark);
    shown.clear();
    assert.equal(memory.allocatedBytes, empty);
  }
});

function results(memory: Memory, scratch: Scratch, numbers: readonly bigint[]): Column[] {
  const values = scratch.alloc(16 * numbers.length);
  const views = scratch.alloc(16 * numbers.length);
  numbers.forEach((number, i) => {
    memory.i64[(values >>> 3) + i] = number;
    writeView(memory, views + 16 * i, LONG, scratch);
  });
  return [
    { storage: 'i64', values, validity: 0 },
    { storage: 'view', values: views, validity: 0 },
  ];
}
