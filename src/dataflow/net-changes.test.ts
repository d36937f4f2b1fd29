import assert from 'node:assert/strict';
import test from 'node:test';
import { fromPicture } from '../batch/pretty.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT8 } from '../types/data-type.ts';
import { NetChanges } from './net-changes.ts';

test('rows that are not taken to their end leave nothing behind', () => {
  const scratch = new Scratch(Memory.create());
  const changes = new NetChanges([INT8], Memory.create());
  const picture = Array.from({ length: 2000 }, (_, i) => `+ ${i}`).join('\n');
  changes.add(fromPicture(picture, scratch, [INT8]));
  const takeOne = (): void => {
    const batches = changes.inOrder();
    assert.equal(batches.next().value?.rowCount, 1024);
    batches.return(undefined);
  };
  takeOne();
  const { memoryBytes } = changes;
  for (let i = 0; i < 500; i += 1) takeOne();
  assert.equal(changes.memoryBytes, memoryBytes);
});
