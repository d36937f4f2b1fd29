import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import { test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { Random } from '../../base/random.ts';
import { buildBatch } from '../../batch/build-batch.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { Memory } from '../../memory/memory.ts';
import { Scratch } from '../../memory/scratch.ts';
import { INT4, TEXT } from '../../types/data-type.ts';
import { checkSinkOptions, openSink } from '../connectors.ts';
import type { SinkWriter } from '../sink.ts';
import type { Json } from '../source.ts';
import { temporaryDirectory } from '../source-fixture.ts';

const COLUMNS = [
  { name: 'id', type: INT4 },
  { name: 'name', type: TEXT },
];
const scratch = new Scratch(Memory.create());

function batchOf(...ids: number[]): DeltaBatch {
  return buildBatch(
    [INT4, TEXT],
    ids.map((id) => [id, `n${id}`]),
    scratch,
  );
}

function check(directory: string, file: string, encode: string | null = null): Json {
  const options = { connector: 'file', path: file };
  const definition = { connector: 'file', options, format: null, encode, encodeOptions: {} };
  const context = { fileRoots: [directory], clock: new FakeClock() };
  return checkSinkOptions(definition, COLUMNS, { isAppendOnly: false, key: null }, context);
}

function open(directory: string, checked: Json, uuid = 'u1'): SinkWriter {
  return openSink(checked, {
    fileRoots: [directory],
    columns: COLUMNS,
    uuid,
    incarnation: 'i1',
    directory: null,
  });
}

test('lines of committed epochs, exactly once, wherever it stops', (context) => {
  const directory = temporaryDirectory(context);
  const file = path.join(directory, 'out.csv');
  const checked = check(directory, 'out.csv');
  const random = new Random(5);
  let sink = open(directory, checked);
  let next = sink.begin(0) + 1;
  let expected = 'weight,epoch,time,id,name\n';
  while (next <= 60) {
    if (random.chance(0.3)) {
      // Killed: inside of an epoch, or between two.
      if (random.chance(0.5)) sink.write(next, 0n, batchOf(-1));
      sink.close();
      if (random.chance(0.5)) fs.appendFileSync(file, '1,torn');
      sink = open(directory, checked);
      assert.equal(sink.begin(100), next - 1);
    }
    sink.write(next, 0n, batchOf(next));
    sink.write(next, 0n, batchOf(next, 7));
    sink.commit(next);
    for (const id of [next, next, 7]) expected += `1,${next},1970-01-01T00:00:00Z,${id},n${id}\n`;
    next += 1;
  }
  sink.close();
  assert.equal(fs.readFileSync(file, 'utf8'), expected);
});

test('large epochs are written before their end, and taken back', (context) => {
  const directory = temporaryDirectory(context);
  const file = path.join(directory, 'out.ndjson');
  const checked = check(directory, 'out.ndjson');
  let sink = open(directory, checked);
  sink.begin(0);
  const many = batchOf(...Array.from({ length: 1000 }, (_, i) => i));
  sink.write(1, 0n, batchOf(1));
  sink.commit(1);
  for (let i = 0; i < 40; i += 1) sink.write(2, 0n, many);
  assert.ok(fs.statSync(file).size > 1_000_000);
  sink.close();
  sink = open(directory, checked);
  assert.equal(sink.begin(2), 1);
  sink.commit(2);
  sink.write(3, 1_000_000n, batchOf(3));
  sink.commit(3);
  sink.close();
  assert.equal(
    fs.readFileSync(file, 'utf8'),
    '{"weight":1,"epoch":1,"time":"1970-01-01T00:00:00Z","id":1,"name":"n1"}\n' +
      '{"weight":1,"epoch":3,"time":"1970-01-01T00:00:01Z","id":3,"name":"n3"}\n',
  );
});

test('a failed epoch is taken back and given again', (context) => {
  const directory = temporaryDirectory(context);
  const sink = open(directory, check(directory, 'out.csv'));
  sink.begin(0);
  const failing = context.mock.method(fs, 'fdatasyncSync', () => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  });
  syncBuiltinESMExports();
  sink.write(1, 0n, batchOf(1));
  assert.throws(() => sink.commit(1), { sqlstate: '53100' });
  failing.mock.restore();
  syncBuiltinESMExports();
  sink.write(1, 0n, batchOf(2));
  sink.commit(1);
  sink.close();
  const text = fs.readFileSync(path.join(directory, 'out.csv'), 'utf8');
  assert.equal(text, 'weight,epoch,time,id,name\n1,1,1970-01-01T00:00:00Z,2,n2\n');
});

test('what is not ours or does not fit is refused', (context) => {
  const directory = temporaryDirectory(context);
  const checked = check(directory, 'out.csv');
  const sink = open(directory, checked);
  sink.begin(0);
  sink.write(9, 0n, batchOf(1));
  sink.commit(9);
  sink.close();
  assert.throws(() => open(directory, checked).begin(8), { sqlstate: '55000' });
  assert.throws(() => open(directory, checked, 'u2').begin(9), { sqlstate: '55000' });
  fs.truncateSync(path.join(directory, 'out.csv'), 5);
  assert.throws(() => open(directory, checked).begin(9), { sqlstate: '58030' });
  assert.throws(() => check(directory, 'out.csv'), { sqlstate: '58P02' });
  assert.throws(() => check(directory, '/etc/x.csv'), { sqlstate: '42501' });
  assert.throws(() => check(directory, 'no/x.csv'), { sqlstate: '58P01' });
  assert.throws(() => check(directory, 'x.txt'), { sqlstate: '22023' });
  assert.throws(() => check(directory, 'x.txt', 'avro'), { sqlstate: '0A000' });
  const other = check(directory, 'other.csv');
  fs.writeFileSync(path.join(directory, 'other.csv'), 'here');
  assert.throws(() => open(directory, other).begin(0), { sqlstate: '58P02' });
});
