import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { test } from 'node:test';
import { buildBatch } from '../batch/build-batch.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { INT4, TEXT } from '../types/data-type.ts';
import { DEFAULT_SETTINGS } from '../types/settings.ts';
import { PrintSink } from './print.ts';
import { temporaryDirectory } from './source-fixture.ts';

const COLUMNS = [
  { name: 'id', type: INT4 },
  { name: 'name', type: TEXT },
];

test('a line for each change, of bounded length, whole characters only', (context) => {
  const file = path.join(temporaryDirectory(context), 'out');
  const fd = fs.openSync(file, 'w');
  const options = { prefix: 'a: ', lineBytesMax: 64, settings: DEFAULT_SETTINGS };
  const sink = new PrintSink(options, { columns: COLUMNS }, fd);
  assert.equal(sink.begin(), 0);
  const rows = [
    [1, 'x\ny'],
    [2, null],
    [3, 'ä'.repeat(50)],
    [4, `.${'ä'.repeat(50)}`],
  ];
  sink.write(7, 0n, buildBatch([INT4, TEXT], rows, new Scratch(Memory.create())));
  sink.commit(7);
  fs.closeSync(fd);
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  assert.deepEqual(lines.slice(0, 2), [
    'a: epoch 7 +1 {"id":1,"name":"x\\ny"}',
    'a: epoch 7 +1 {"id":2,"name":null}',
  ]);
  for (const line of lines.slice(2, 4)) {
    assert.match(line, /^a: epoch 7 \+1 \{"id":[34],"name":"\.?ä+…$/);
    assert.ok(Buffer.byteLength(line) + 1 <= 64 && Buffer.byteLength(line) + 1 >= 63);
  }
  assert.equal(lines[4], '');
  assert.equal(lines.length, 5);
});

test('a closed output is told, and does not stop the server', (context) => {
  const file = path.join(temporaryDirectory(context), 'out');
  const fd = fs.openSync(file, 'w');
  fs.closeSync(fd);
  const options = { prefix: '', lineBytesMax: 64, settings: DEFAULT_SETTINGS };
  const sink = new PrintSink(options, { columns: COLUMNS }, fd);
  sink.write(1, 0n, buildBatch([INT4, TEXT], [[1, 'a']], new Scratch(Memory.create())));
  sink.commit(1);
  assert.equal(sink.delivery().state, 'failed');
});
