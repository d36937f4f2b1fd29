import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { Memory, PAGE_BYTES } from './memory.ts';
import { Scratch } from './scratch.ts';

/** A small linear congruential sequence: the same in every run. */
function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

test('blocks never overlap, freed ones are used again, and an image brings all of them back', () => {
  const memory = Memory.create();
  const random = sequence(7);
  const blocks: { address: number; size: number; mark: number }[] = [];
  for (let step = 0; step < 4000; step += 1) {
    if (blocks.length > 200 && random(2) === 0) {
      const [block] = blocks.splice(random(blocks.length), 1);
      assert.equal(memory.u8[block!.address], block!.mark);
      assert.equal(memory.u8[block!.address + block!.size - 1], block!.mark);
      memory.free(block!.address, block!.size);
      continue;
    }
    const size = 1 + (random(20) === 0 ? random(200_000) : random(700));
    const block = { address: memory.alloc(size), size, mark: step & 0xff };
    assert.equal(block.address & 15, 0);
    memory.u8.fill(block.mark, block.address, block.address + size);
    blocks.push(block);
  }
  const scratch = new Scratch(memory);
  scratch.alloc(100);
  const copy = Memory.create();
  const pages = memory.imagePages();
  copy.beginRestore(pages.at(-1)! + 1);
  for (const page of pages) copy.u8.set(memory.page(page), page * PAGE_BYTES);
  copy.endRestore();
  for (const { address, size, mark } of blocks) {
    assert.equal(
      copy.u8.subarray(address, address + size).every((byte) => byte === mark),
      true,
    );
    copy.free(address, size);
  }
  assert.equal(copy.allocatedBytes, 0);
  assert.ok(memory.allocatedBytes > 0);
});

test('the bound of a memory is a clear error, and what was there stays', () => {
  const memory = Memory.create({ maxBytes: 4 << 20 });
  const address = memory.alloc(1000);
  assert.throws(
    () => {
      for (;;) memory.alloc(100_000);
    },
    (error: unknown) => error instanceof SqlError && error.sqlstate === '53200',
  );
  memory.u8[address] = 5;
  assert.equal(memory.u8[address], 5);
});

test('scratch gives back to a mark, across chunks, and survives a reset of the memory', () => {
  const memory = Memory.create();
  const scratch = new Scratch(memory, { chunkBytes: 65536 });
  const first = scratch.alloc(16);
  const mark = scratch.mark();
  const second = scratch.alloc(60_000);
  scratch.alloc(60_000);
  scratch.alloc(600_000);
  scratch.release(mark);
  assert.equal(scratch.alloc(16), second);
  memory.reset();
  scratch.reset();
  assert.equal(memory.allocatedBytes, 0);
  assert.equal(scratch.alloc(16), first);
});
