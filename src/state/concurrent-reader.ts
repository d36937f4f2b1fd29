/** A thread of the concurrency test: reads snapshots as fast as it can and reports the first one that is wrong. */

import { threadSelf } from '../base/threads.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT8 } from '../types/data-type.ts';
import { buildBatch, readRow } from './batch-fixture.ts';
import { EpochControl } from './epoch-control.ts';
import { RelationReader } from './relation-reader.ts';
import type { RelationSchema } from './relation-schema.ts';

export interface ConcurrentReaderData {
  readonly wasm: WebAssembly.Memory;
  readonly header: number;
  readonly schema: RelationSchema;
  readonly control: SharedArrayBuffer;
  readonly epochs: number;
  readonly keys: number;
}

/** `running`: the first scan is done. */
export type ConcurrentMessage = 'running' | ConcurrentReport;

export interface ConcurrentReport {
  readonly scans: number;
  readonly epochsSeen: number;
  readonly problem: string | null;
}

const self = threadSelf<never, ConcurrentMessage, ConcurrentReaderData>();

/** Every epoch e moves one unit from key e % keys to the next: the sum stays 0, texts say the value. */
function run(data: ConcurrentReaderData): ConcurrentReport {
  const control = new EpochControl(data.control);
  const reader = new RelationReader(data.wasm, data.header, data.schema);
  const memory = Memory.create();
  const target = { memory, scratch: new Scratch(memory) };
  const seen = new Set<number>();
  let scans = 0;
  for (let last = 0; last < data.epochs; scans++) {
    const pin = control.pin();
    last = pin.epoch;
    seen.add(last);
    target.scratch.reset();
    const problem =
      last === 0
        ? null
        : (checkScan(reader, last, target, data.keys) ??
          checkLookup(reader, last, target, data.keys));
    pin.release();
    if (scans === 0) self.post('running');
    if (problem !== null) return { scans, epochsSeen: seen.size, problem };
  }
  return { scans, epochsSeen: seen.size, problem: null };
}

type Target = { readonly memory: Memory; readonly scratch: Scratch };

function checkScan(
  reader: RelationReader,
  epoch: number,
  target: Target,
  keys: number,
): string | null {
  let sum = 0n;
  let rows = 0;
  for (const batch of reader.scan(epoch, [0, 1, 2], target)) {
    for (let row = 0; row < batch.rowCount; row++) {
      const [, value, text] = readRow(batch, row);
      if (text !== `the value is ${value}`) return `epoch ${epoch}: ${value} has "${text}"`;
      sum += value as bigint;
      rows += 1;
    }
  }
  return sum === 0n && rows === keys ? null : `epoch ${epoch}: ${rows} rows, sum ${sum}`;
}

function checkLookup(
  reader: RelationReader,
  epoch: number,
  target: Target,
  keys: number,
): string | null {
  const key = buildBatch([INT8], [[BigInt((epoch * 7919) % keys)]], target.scratch);
  let rows = 0;
  for (const batch of reader.lookup(0, key, epoch, [0, 1], target)) rows += batch.rowCount;
  return rows === 1 ? null : `epoch ${epoch}: ${rows} rows of one key`;
}

self.post(run(self.data));
