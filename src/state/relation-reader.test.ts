import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT4, INT8 } from '../types/data-type.ts';
import { buildBatch, readRow, type Value } from './batch-fixture.ts';
import { EpochControl } from './epoch-control.ts';
import { RelationReader } from './relation-reader.ts';
import type { RelationSchema } from './relation-schema.ts';
import { StoredRelation } from './stored-relation.ts';

const ROWS = 4000;
const SCHEMA: RelationSchema = {
  storages: ['i64', 'i32'],
  key: [0],
  isAppendOnly: false,
  indexes: [],
};

/** Leaves no room for a small block in the memory as it is. */
function fill(memory: Memory): void {
  const end = memory.u8.byteLength;
  for (let size = 64; size <= 8192; size *= 2) while (memory.alloc(size) < end);
}

test('a scan goes on while a column gets its first NULL in a memory that has grown', () => {
  const memory = Memory.create();
  const control = new EpochControl();
  const relation = StoredRelation.open(memory, memory.rootCell(0), SCHEMA, control);
  const reader = new RelationReader(memory.wasm, relation.headerAddress, SCHEMA);
  const input = new Scratch(Memory.create());
  const target = Memory.create();
  const commit = (epoch: number, rows: Value[][]): void => {
    const weights = rows.map(() => 1);
    input.reset();
    relation.begin(epoch);
    relation.apply(buildBatch([INT8, INT4], rows, input, weights));
    relation.publish(epoch);
    control.publish(epoch);
  };
  const rows = Array.from({ length: ROWS }, (_, i): Value[] => [BigInt(i), i]);
  for (let i = 0; i < 4; i += 1) commit(i + 1, rows.slice(i * 1000, (i + 1) * 1000));
  const found: Value[][] = [];
  let isFull = false;
  const out = { memory: target, scratch: new Scratch(target) };
  for (const batch of reader.scan(4, [0, 1], out)) {
    for (let row = 0; row < batch.rowCount; row += 1) found.push(readRow(batch, row));
    if (isFull || found.length < 1000) continue;
    isFull = true;
    fill(memory);
    commit(5, [[BigInt(ROWS), null]]);
  }
  assert.deepEqual(
    found.sort(([a], [b]) => Number(a) - Number(b)),
    rows,
  );
});
