import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Column } from '../batch/delta-batch.ts';
import { Memory, PAGE_BYTES } from '../memory/memory.ts';
import { OrderedTree } from '../memory/ordered-tree.ts';
import { Scratch } from '../memory/scratch.ts';
import { viewBytes, writeView } from '../memory/views.ts';
import { INT8 } from '../types/data-type.ts';
import { buildKernels } from './build.ts';
import { activeKernelBodies, type KernelMode, kernelsOf, setKernelMode } from './kernels.ts';
import { RowTable } from './row-table.ts';

buildKernels();

function sequence(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
}

interface Key {
  readonly id: bigint | null;
  readonly name: string | null;
}

const SPEC = { storages: ['i64', 'view', 'i32'] as const, keyCount: 2, extraBytes: 8 };

function keyColumns(scratch: Scratch, keys: readonly Key[]): Column[] {
  const { memory } = scratch;
  const n = keys.length;
  const ids = scratch.allocZeroed(n * 8);
  const names = scratch.allocZeroed(n * 16);
  const idBits = scratch.allocZeroed((n + 7) >>> 3);
  const nameBits = scratch.allocZeroed((n + 7) >>> 3);
  keys.forEach(({ id, name }, i) => {
    if (id !== null) {
      memory.i64[(ids >>> 3) + i] = id;
      memory.u8[idBits + (i >>> 3)]! |= 1 << (i & 7);
    }
    if (name !== null) {
      writeView(memory, names + 16 * i, Buffer.from(name), scratch);
      memory.u8[nameBits + (i >>> 3)]! |= 1 << (i & 7);
    }
  });
  return [
    { storage: 'i64', values: ids, validity: idBits },
    { storage: 'view', values: names, validity: nameBits },
  ];
}

function randomKey(random: (below: number) => number): Key {
  const id = [null, 0n, -1n, 2n ** 63n - 1n, -(2n ** 63n)][random(12)] ?? BigInt(random(60));
  const length = [0, 4, 7, 12, 13, 16, 30][random(7)]!;
  const name = random(8) === 0 ? null : 'x'.repeat(length) + String(random(3));
  return { id: random(10) === 0 ? null : id, name };
}

/** Random upserts, probes and removals against a Map; returns the hashes of all rows seen. */
function drive(mode: KernelMode, seed: number): number[] {
  setKernelMode(mode);
  assert.equal(activeKernelBodies(), mode === 'ts' ? 'ts' : 'wasm');
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const cell = memory.rootCell(0);
  let table = RowTable.open(memory, cell, SPEC);
  const random = sequence(seed);
  const model = new Map<string, number>();
  const hashes: number[] = [];
  for (let step = 0; step < 150; step += 1) {
    const mark = scratch.mark();
    const keys = Array.from({ length: 1 + random(40) }, () => randomKey(random));
    const names = keys.map(({ id, name }) => `${id}/${name === null ? '' : `"${name}"`}`);
    const out = scratch.alloc(4 * keys.length);
    const columns = keyColumns(scratch, keys);
    table.probe(columns, keys.length, out);
    names.forEach((name, i) => {
      assert.equal(memory.u32[(out >>> 2) + i], model.get(name) ?? 0);
    });
    const fresh = new Set(names.filter((name) => !model.has(name)));
    assert.equal(table.upsert(columns, keys.length, out), fresh.size);
    names.forEach((name, i) => {
      const row = memory.u32[(out >>> 2) + i]!;
      hashes.push(table.hashOf(row));
      assert.equal(model.get(name) ?? row, row);
      model.set(name, row);
      const text = keys[i]!.name;
      assert.equal(table.isValid(row, 1), text !== null);
      if (text === null) return;
      assert.equal(Buffer.from(viewBytes(memory, table.valueAddress(row, 1))).toString(), text);
    });
    for (const [name, row] of [...model].filter(() => random(4) === 0)) {
      table.remove(row);
      model.delete(name);
    }
    scratch.release(mark);
    assert.equal(table.rowCount, model.size);
    if (step % 50 === 49) table = RowTable.open(memory, cell, SPEC);
  }
  const rows = new Set<number>();
  for (let row = table.next(0); row !== 0; row = table.next(row)) rows.add(row);
  assert.deepEqual(rows, new Set(model.values()));
  table.destroy(cell);
  assert.equal(memory.allocatedBytes, 0);
  setKernelMode('auto');
  return hashes;
}

test('a table is a map from keys to rows, with both kernel bodies alike', () => {
  for (let seed = 1; seed <= 5; seed += 1) {
    assert.deepEqual(drive('ts', seed), drive('auto', seed));
  }
});

test('store and gather keep values, NULLs and long strings apart from the batch', () => {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const table = RowTable.open(memory, memory.rootCell(0), {
    storages: ['i64', 'view'],
    keyCount: 1,
    extraBytes: 0,
  });
  const [ids, names] = keyColumns(scratch, [
    { id: 1n, name: 'a text of more than twelve bytes' },
    { id: 2n, name: null },
  ]);
  const rows = scratch.alloc(8);
  table.upsert([ids!], 2, rows);
  table.store(rows, 1, names!, 2);
  const before = table.gather(rows, 2, 1, scratch);
  const [, others] = keyColumns(scratch, [
    { id: 1n, name: 'b' },
    { id: 2n, name: 'another text of more than twelve' },
  ]);
  table.store(rows, 1, others!, 2);
  assert.equal(memory.u8[before.validity]! & 3, 1);
  const text = Buffer.from(viewBytes(memory, before.values)).toString();
  assert.equal(text, 'a text of more than twelve bytes');
  const after = table.gather(rows, 2, 1, scratch);
  assert.equal(after.validity, 0);
  assert.equal(Buffer.from(viewBytes(memory, after.values)).toString(), 'b');
});

test('both bodies make the same sums, weights and signs included', () => {
  const images = (['ts', 'auto'] as const).map((mode) => {
    setKernelMode(mode);
    const memory = Memory.create();
    const scratch = new Scratch(memory);
    const table = RowTable.open(memory, memory.rootCell(0), {
      storages: ['i64'],
      keyCount: 1,
      extraBytes: 24,
    });
    const random = sequence(11);
    const n = 500;
    const values = scratch.alloc(8 * n);
    const groups = scratch.alloc(8 * n);
    const weights = scratch.alloc(4 * n);
    const rows = scratch.alloc(4 * n);
    const sums = new Map<bigint, [bigint, bigint]>();
    for (let i = 0; i < n; i += 1) {
      const extremes = [2n ** 63n - 1n, -(2n ** 63n), -1n, 0n];
      const value = extremes[random(8)] ?? BigInt(random(1 << 20)) - 500_000n;
      const weight = [2 ** 31 - 1, -(2 ** 31), 0, 70_000_000][random(12)] ?? random(5) - 2;
      const group = BigInt(random(7));
      memory.i64[(values >>> 3) + i] = value;
      memory.i32[(weights >>> 2) + i] = weight;
      memory.i64[(groups >>> 3) + i] = group;
      const [sum, count] = sums.get(group) ?? [0n, 0n];
      sums.set(group, [sum + value * BigInt(weight), count + BigInt(weight)]);
    }
    table.upsert([{ storage: 'i64', values: groups, validity: 0 }], n, rows);
    kernelsSum(memory, rows, table.layout.extraOffset, values, weights, n);
    for (let row = table.next(0); row !== 0; row = table.next(row)) {
      const at = table.extraAddress(row) >>> 3;
      const [sum, count] = sums.get(memory.i64[table.valueAddress(row, 0) >>> 3]!)!;
      const low = BigInt.asUintN(64, memory.i64[at]!);
      assert.equal((memory.i64[at + 1]! << 64n) | low, sum);
      assert.equal(memory.i64[at + 2], count);
    }
    return table.rowCount;
  });
  setKernelMode('auto');
  assert.equal(images[0], images[1]);
});

test('a tree of rows keeps order, ranks and weights under random changes', () => {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const spec = { storages: ['i64'] as const, keyCount: 1, extraBytes: OrderedTree.NODE_BYTES };
  const table = RowTable.open(memory, memory.rootCell(0), spec);
  const tree = new OrderedTree(memory, {
    rootCell: memory.rootCell(1),
    nodeOffset: table.layout.extraOffset,
    compare: table.compareRows([], [INT8]),
  });
  const random = sequence(3);
  const model = new Map<bigint, { row: number; weight: number }>();
  for (let step = 0; step < 600; step += 1) {
    const mark = scratch.mark();
    const id = BigInt(random(200)) - 100n;
    const known = model.get(id);
    if (known === undefined) {
      const out = scratch.alloc(4);
      table.upsert([keyColumns(scratch, [{ id, name: null }])[0]!], 1, out);
      const entry = { row: memory.u32[out >>> 2]!, weight: 1 + random(3) };
      tree.insert(entry.row, entry.weight);
      model.set(id, entry);
    } else if (random(2) === 0) {
      known.weight = 1 + random(5);
      tree.setWeight(known.row, known.weight);
    } else {
      tree.remove(known.row);
      table.remove(known.row);
      model.delete(id);
    }
    scratch.release(mark);
  }
  const expected = [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
  const forward: number[] = [];
  for (let row = tree.first(); row !== 0; row = tree.next(row)) forward.push(row);
  assert.deepEqual(
    forward,
    expected.map(({ row }) => row),
  );
  const backward: number[] = [];
  for (let row = tree.last(); row !== 0; row = tree.previous(row)) backward.push(row);
  assert.deepEqual(backward.reverse(), forward);
  let position = 0;
  for (const { row, weight } of expected) {
    assert.equal(tree.rank(row), position);
    assert.equal(tree.nth(position), row);
    assert.equal(tree.nth(position + weight - 1), row);
    position += weight;
  }
  assert.equal(tree.totalWeight, position);
  assert.equal(tree.nth(position), 0);
});

test('a table comes back with the image of its memory', () => {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const table = RowTable.open(memory, memory.rootCell(0), SPEC);
  const keys = [{ id: 5n, name: 'a name of more than twelve bytes' }];
  const out = scratch.alloc(4);
  table.upsert(keyColumns(scratch, keys), 1, out);
  const row = memory.u32[out >>> 2];
  const copy = Memory.create();
  const pages = memory.imagePages();
  copy.beginRestore(pages.at(-1)! + 1);
  for (const page of pages) copy.u8.set(memory.page(page), page * PAGE_BYTES);
  copy.endRestore();
  const copyScratch = new Scratch(copy);
  const again = RowTable.open(copy, copy.rootCell(0), SPEC);
  const found = copyScratch.alloc(4);
  again.probe(keyColumns(copyScratch, keys), 1, found);
  assert.equal(copy.u32[found >>> 2], row);
});

function kernelsSum(
  memory: Memory,
  rows: number,
  slot: number,
  values: number,
  weights: number,
  n: number,
): void {
  kernelsOf(memory).sumI64(rows, slot, values, 0, weights, n);
}
