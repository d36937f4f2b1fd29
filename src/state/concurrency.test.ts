/** Readers in another thread against a writer that updates, compacts and grows its memory: no wrong snapshot. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { entry, spawnThread } from '../base/threads.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT8, TEXT } from '../types/data-type.ts';
import { buildBatch, type Value } from './batch-fixture.ts';
import type {
  ConcurrentMessage,
  ConcurrentReaderData,
  ConcurrentReport,
} from './concurrent-reader.ts';
import { EpochControl } from './epoch-control.ts';
import type { RelationSchema } from './relation-schema.ts';
import { StoredRelation } from './stored-relation.ts';

const EPOCHS = 6000;
const KEYS = 300;
const SCHEMA: RelationSchema = {
  storages: ['i64', 'i64', 'view'],
  key: [0],
  isAppendOnly: false,
  indexes: [],
};

function rowOf(key: number, value: number): Value[] {
  return [BigInt(key), BigInt(value), `the value is ${value}`];
}

test('snapshots of another thread are never wrong', async () => {
  const memory = Memory.create();
  const control = new EpochControl();
  const relation = StoredRelation.open(memory, memory.rootCell(0), SCHEMA, control);
  const scratch = new Scratch(Memory.create());
  const values = new Array<number>(KEYS).fill(0);
  const commit = (epoch: number, rows: Value[][], weights: number[]): void => {
    scratch.reset();
    relation.begin(epoch);
    relation.apply(buildBatch([INT8, INT8, TEXT], rows, scratch, weights));
    relation.publish(epoch);
    control.publish(epoch);
    relation.compact();
  };
  commit(
    1,
    values.map((value, key) => rowOf(key, value)),
    values.map(() => 1),
  );
  const data: ConcurrentReaderData = {
    wasm: memory.wasm,
    header: relation.headerAddress,
    schema: SCHEMA,
    control: control.shared,
    epochs: EPOCHS,
    keys: KEYS,
  };
  const file = entry(import.meta.url, './concurrent-reader.ts');
  const thread = spawnThread<never, ConcurrentMessage, ConcurrentReaderData>(file, {
    name: 'reader',
    data,
  });
  const running = Promise.withResolvers<void>();
  const report = Promise.withResolvers<ConcurrentReport>();
  thread.onMessage((message) => {
    if (message === 'running') running.resolve();
    else report.resolve(message);
  });
  thread.onExit((error) => report.reject(error ?? new Error('no report')));
  await running.promise;
  for (let epoch = 2; epoch <= EPOCHS; epoch++) {
    const [from, to] = [epoch % KEYS, (epoch + 1) % KEYS];
    const gone = [rowOf(from, values[from]!), rowOf(to, values[to]!)];
    values[from]! -= 1;
    values[to]! += 1;
    commit(epoch, [...gone, rowOf(from, values[from]!), rowOf(to, values[to]!)], [-1, -1, 1, 1]);
    if (epoch % 20 === 0) await turn();
  }
  const { problem, epochsSeen } = await report.promise;
  assert.equal(problem, null);
  assert.ok(epochsSeen > 10, `${epochsSeen} epochs seen`);
});
