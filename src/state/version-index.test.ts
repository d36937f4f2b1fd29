import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory } from '../memory/memory.ts';
import { findChain, tableSize, VersionIndex } from './version-index.ts';

function indexIn(memory: Memory): number {
  const root = memory.rootCell(0) >>> 2;
  const unused = (): never => assert.fail('no chain is followed');
  const index = new VersionIndex(memory, root, 0, unused, () => undefined);
  for (let id = 1; id <= 10; id += 1) index.link(id * 16, id, 0);
  return memory.u32[root]!;
}

test('a table behind the views of a reader, whose memory has grown meanwhile, is an error', () => {
  const memory = Memory.create();
  const reader = Memory.attach(memory.wasm);
  memory.alloc(reader.u8.byteLength);
  const table = indexIn(memory);
  assert.ok(table > reader.u8.byteLength);
  const find = (from: Memory) => findChain(from, table, 48, (id) => id === 3);
  assert.equal(find(memory), 3);
  // The reader takes it as a sign to look again (RelationReader).
  assert.throws(() => find(reader), RangeError);
  reader.refresh();
  assert.equal(find(reader), 3);
  assert.equal(tableSize(reader, table), 16 + 8 * 16);
});
