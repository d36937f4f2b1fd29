/** SinkOutput: a dataflow that stalls after it gave out a part of an epoch (a backfill in parts). */

import assert from 'node:assert/strict';
import test from 'node:test';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { fromPicture, toPicture } from '../batch/pretty.ts';
import type { SinkWriter } from '../connect/sink.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT8 } from '../types/data-type.ts';
import { SinkOutput } from './sink-output.ts';

class RecordingWriter implements SinkWriter {
  readonly written: string[] = [];

  begin(): number {
    return 0;
  }

  write(epoch: number, _timeUs: bigint, batch: DeltaBatch): void {
    this.written.push(`${epoch}: ${toPicture(batch, [INT8, INT8]).replaceAll('\n', ', ')}`);
  }

  commit(): void {}

  close(): void {}
}

test('what came of a stalled epoch waits, holds up nobody, and goes out with what comes later', () => {
  const scratch = new Scratch(Memory.create());
  const writer = new RecordingWriter();
  const start = { lastEpoch: 0, epoch: 0, periodUs: null, memory: Memory.create(), sentUs: 0n };
  const sink = new SinkOutput(writer, [INT8, INT8], { ...start, heldBytesMax: 0 });
  const epoch = (number: number, picture: string, stall: string | null): void => {
    if (picture !== '') sink.add(fromPicture(picture, scratch, [INT8, INT8]), number);
    sink.stall = stall;
    sink.endEpoch(number, BigInt(number));
    sink.deliver(number);
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
