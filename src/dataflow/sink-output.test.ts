/** SinkOutput: what waits, and why: a dataflow that stalls, a change that takes long to write, an outside that takes nothing. */

import assert from 'node:assert/strict';
import test from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { fromPicture, toPicture } from '../batch/pretty.ts';
import type { SinkWriter } from '../connect/sink.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT8 } from '../types/data-type.ts';
import { SinkOutput } from './sink-output.ts';

class RecordingWriter implements SinkWriter {
  readonly written: string[] = [];
  /** Epochs that were said to be the sink's snapshot. */
  readonly snapshots: number[] = [];
  /** Why it takes nothing more. */
  refusal: string | null = null;

  begin(): number {
    return 0;
  }

  write(epoch: number, _timeUs: bigint, batch: DeltaBatch): void {
    if (this.refusal !== null) throw new SqlError('53100', this.refusal);
    this.written.push(`${epoch}: ${toPicture(batch, [INT8, INT8]).replaceAll('\n', ', ')}`);
  }

  beginSnapshot(epoch: number): void {
    this.snapshots.push(epoch);
  }

  commit(): void {}

  close(): void {}
}

test('what came of a stalled epoch waits, holds up nobody, and goes out with what comes later', () => {
  const scratch = new Scratch(Memory.create());
  const writer = new RecordingWriter();
  const start = { lastEpoch: 0, epoch: 0, periodUs: null, memory: Memory.create(), sentUs: 0n };
  const sink = new SinkOutput(writer, [INT8, INT8], { ...start, heldBytesMax: 0, mayDrop: false });
  const epoch = (number: number, picture: string, stall: string | null): void => {
    if (picture !== '') sink.add(fromPicture(picture, scratch, [INT8, INT8]), number);
    sink.stall = stall;
    sink.endEpoch(number, BigInt(number));
    sink.deliver(number, () => false);
  };
  epoch(1, '+ 1 1', null);
  epoch(2, '- 1 1\n+ 1 2\n+ 2 2', 'several rows of one key');
  epoch(3, '', 'several rows of one key');
  assert.deepEqual(writer.written, ['1: + 1 1']);
  assert.equal(sink.failure, 'several rows of one key');
  assert.equal(sink.isWaiting || sink.isFull, false);
  epoch(4, '- 1 2\n+ 1 4', null);
  assert.deepEqual(writer.written.slice(1), ['4: - 1 1, + 1 4, + 2 2']);
  assert.equal(sink.failure, null);
});

test('a large epoch goes out a part at a time, and what comes meanwhile with a later one', () => {
  const scratch = new Scratch(Memory.create());
  const writer = new RecordingWriter();
  const start = { lastEpoch: 0, epoch: 0, periodUs: null, memory: Memory.create(), sentUs: 0n };
  const sink = new SinkOutput(writer, [INT8, INT8], { ...start, heldBytesMax: 0, mayDrop: false });
  const rows = 3000;
  const picture = Array.from({ length: rows }, (_, i) => `+ ${rows - i} 0`).join('\n');
  sink.add(fromPicture(picture, scratch, [INT8, INT8]), 1);
  sink.endEpoch(1, 1n);
  sink.deliver(1, () => true);
  assert.equal(writer.written.length, 1);
  assert.equal(sink.status().rowsSent, 0);
  assert.deepEqual([sink.isWriting, sink.isWaiting], [true, false]);
  sink.add(fromPicture('+ 1 1', scratch, [INT8, INT8]), 2);
  sink.endEpoch(2, 2n);
  assert.ok(sink.isFull, 'no bytes may be held back');
  for (let step = 0; sink.isWriting; step += 1) {
    assert.ok(step < 10);
    sink.advance(() => true);
  }
  assert.equal(sink.status().rowsSent, rows);
  assert.match(writer.written[0]!, /^1: \+ 1 0, \+ 2 0, /);
  assert.match(writer.written[2]!, new RegExp(`, \\+ ${rows} 0$`));
  assert.deepEqual([sink.isFull, sink.isWaiting], [false, true]);
  sink.deliver(2, () => false);
  assert.deepEqual(writer.written.slice(3), ['2: + 1 1']);
});

test('what the outside refuses amid an epoch is given again as a whole', () => {
  const scratch = new Scratch(Memory.create());
  const writer = new RecordingWriter();
  const start = { lastEpoch: 0, epoch: 0, periodUs: null, memory: Memory.create(), sentUs: 0n };
  const sink = new SinkOutput(writer, [INT8, INT8], { ...start, heldBytesMax: 0, mayDrop: false });
  const rows = 2048;
  const picture = Array.from({ length: rows }, (_, i) => `+ ${i} 0`).join('\n');
  sink.add(fromPicture(picture, scratch, [INT8, INT8]), 1);
  sink.endEpoch(1, 1n);
  sink.deliver(1, () => true);
  writer.refusal = 'the disk is full';
  sink.advance(() => false);
  assert.deepEqual([sink.isWriting, sink.failure], [false, 'the disk is full']);
  assert.equal(sink.status().heldRows, rows);
  writer.refusal = null;
  writer.written.length = 0;
  sink.deliver(1, () => false);
  assert.deepEqual([writer.written.length, sink.status().rowsSent], [2, rows]);
});

for (const why of ['a stall', 'a full disk', 'nothing', 'no rows'] as const) {
  test(`what there was when the sink was made goes out as such, late because of ${why}`, () => {
    const scratch = new Scratch(Memory.create());
    const writer = new RecordingWriter();
    const start = { lastEpoch: 0, epoch: 0, periodUs: null, memory: Memory.create(), sentUs: 0n };
    const sink = new SinkOutput(writer, [INT8, INT8], {
      ...start,
      heldBytesMax: 0,
      mayDrop: false,
    });
    const epoch = (number: number, picture: string): void => {
      if (picture !== '') sink.add(fromPicture(picture, scratch, [INT8, INT8]), number);
      sink.endEpoch(number, BigInt(number));
      sink.deliver(number, () => false);
    };
    sink.snapshot(1);
    if (why === 'a stall') sink.stall = 'several rows of one key';
    if (why === 'a full disk') writer.refusal = 'the disk is full';
    epoch(1, why === 'a full disk' || why === 'nothing' ? '+ 1 1' : '');
    sink.stall = null;
    writer.refusal = null;
    epoch(2, '+ 2 2');
    epoch(3, '+ 3 3');
    const sent = { 'a stall': [2], 'a full disk': [2], nothing: [1], 'no rows': [] };
    assert.deepEqual(writer.snapshots, sent[why]);
    assert.equal(sink.status().heldRows, 0);
  });
}
