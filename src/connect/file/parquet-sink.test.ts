import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { parquetReadObjects } from 'hyparquet';
import { FakeClock } from '../../base/clock.ts';
import { Random } from '../../base/random.ts';
import { buildBatch } from '../../batch/build-batch.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { Memory } from '../../memory/memory.ts';
import { Scratch } from '../../memory/scratch.ts';
import type { Value } from '../../types/data-type.ts';
import { DEFAULT_SETTINGS } from '../../types/settings.ts';
import { parseTypeName } from '../../types/type-name.ts';
import { parseValue } from '../../types/value.ts';
import { checkSinkOptions, openSink } from '../connectors.ts';
import type { SinkColumn, SinkWriter } from '../sink.ts';
import type { Json } from '../source.ts';
import { temporaryDirectory } from '../source-fixture.ts';

const COLUMNS = columnsOf({ id: 'int4', name: 'text' });
const scratch = new Scratch(Memory.create());

function columnsOf(types: Readonly<Record<string, string>>): SinkColumn[] {
  return Object.entries(types).map(([name, type]) => ({ name, type: parseTypeName(type) }));
}

function batchOf(...ids: number[]): DeltaBatch {
  return buildBatch(
    COLUMNS.map(({ type }) => type),
    ids.map((id) => [id, `n${id}`]),
    scratch,
  );
}

function check(directory: string, columns: readonly SinkColumn[], options = {}): Json {
  const definition = {
    connector: 'file',
    options: { connector: 'file', path: 'out' },
    format: 'plain',
    encode: 'parquet',
    encodeOptions: options,
  };
  const context = { fileRoots: [directory], clock: new FakeClock() };
  return checkSinkOptions(definition, columns, { isAppendOnly: false, key: null }, context);
}

function open(directory: string, checked: Json, columns = COLUMNS, uuid = 'u1'): SinkWriter {
  const context = { fileRoots: [directory], columns, uuid, incarnation: 'i1', directory: null };
  return openSink(checked, context);
}

async function readAll(directory: string): Promise<Record<string, unknown>[]> {
  const names = fs
    .readdirSync(path.join(directory, 'out'))
    .filter((name) => /\.parquet$/.test(name));
  const rows: Record<string, unknown>[] = [];
  for (const name of names.sort()) {
    const bytes = fs.readFileSync(path.join(directory, 'out', name));
    const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
    rows.push(...(await parquetReadObjects({ file, utf8: false })));
  }
  return rows;
}

/** Stops as kill -9 does: nothing is written any more. A `copy` of the directory as it was is put back. */
function killed(directory: string, sink: SinkWriter): void {
  const copy = path.join(directory, 'copy');
  fs.cpSync(path.join(directory, 'out'), copy, { recursive: true });
  sink.close();
  fs.rmSync(path.join(directory, 'out'), { recursive: true });
  fs.renameSync(copy, path.join(directory, 'out'));
}

test('rows of committed epochs, exactly once, wherever it stops', async (context: TestContext) => {
  const directory = temporaryDirectory(context);
  const checked = check(directory, COLUMNS);
  const random = new Random(5);
  let sink = open(directory, checked);
  let next = sink.begin(0) + 1;
  let checkpoint = 0;
  while (next <= 80) {
    if (random.chance(0.2)) {
      if (random.chance(0.5)) sink.write(next, 0n, batchOf(-1));
      killed(directory, sink);
      sink = open(directory, checked);
      const held = sink.begin(100);
      assert.equal(held, checkpoint);
      next = held + 1;
    }
    sink.write(next, 0n, batchOf(next));
    sink.write(next, 0n, batchOf(next, 7));
    sink.commit(next);
    if (random.chance(0.3)) {
      sink.sync?.();
      checkpoint = next;
    }
    next += 1;
  }
  sink.close();
  const expected = Array.from({ length: 80 }, (_, i) => i + 1).flatMap((epoch) =>
    [epoch, epoch, 7].map((id) => [epoch, id, `n${id}`]),
  );
  const rows = await readAll(directory);
  assert.deepEqual(
    rows.map(({ epoch, id, name }) => [Number(epoch), id, name]),
    expected,
  );
  assert.deepEqual([rows[0]!.weight, rows[0]!.time], [1, new Date(0)]);
});

test('large epochs are written in groups, taken back and given again', async (context) => {
  const directory = temporaryDirectory(context);
  const sink = open(directory, check(directory, COLUMNS, { 'file.max.bytes': '1048576' }));
  sink.begin(0);
  sink.write(1, 0n, batchOf(1));
  sink.commit(1);
  const many = batchOf(...Array.from({ length: 1000 }, (_, i) => i));
  for (let i = 0; i < 150; i += 1) sink.write(2, 0n, many);
  const failing = context.mock.method(fs, 'writeSync', () => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  });
  syncBuiltinESMExports();
  assert.throws(
    () => {
      for (let i = 0; i < 100; i += 1) sink.write(2, 0n, many);
    },
    { sqlstate: '53100' },
  );
  failing.mock.restore();
  syncBuiltinESMExports();
  for (let i = 0; i < 110; i += 1) sink.write(2, 0n, many);
  sink.commit(2);
  sink.sync?.();
  const types = COLUMNS.map(({ type }) => type);
  sink.write(3, 0n, buildBatch(types, [[3, 'x'.repeat(1_100_000)]], scratch));
  // Large enough to be a file of its own, without a checkpoint.
  sink.commit(3);
  assert.deepEqual(
    [1, 2, 3].map((epoch) =>
      fs.existsSync(path.join(directory, 'out', `part-000000000000000${epoch}.parquet`)),
    ),
    [false, true, true],
  );
  sink.close();
  const rows = await readAll(directory);
  assert.equal(rows.length, 110_002);
  assert.equal(rows.filter(({ id }) => id === 999).length, 110);
});

test('values of every type', async (context) => {
  const directory = temporaryDirectory(context);
  const values: [type: string, text: string | null, read: unknown][] = [
    ['bool', 't', true],
    ['int2', '-7', -7],
    ['int8', '9007199254740993', 9007199254740993n],
    ['float4', '0.5', 0.5],
    ['float8', 'NaN', Number.NaN],
    ['numeric(10,2)', '-12.5', -12.5],
    ['numeric(30,2)', '12.25', 12.25],
    ['numeric', '1.500', '1.500'],
    ['text', 'ä', 'ä'],
    ['bytea', '\\x00ff', new Uint8Array([0, 255])],
    ['uuid', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
    ['jsonb', '{"a": 1}', new TextEncoder().encode('{"a": 1}')],
    ['date', '2024-02-29', new Date('2024-02-29')],
    ['time', '00:00:01', 1_000_000n],
    ['timestamp', '2024-02-29 12:00:00', new Date('2024-02-29T12:00:00Z')],
    ['timestamptz', '2024-02-29 12:00:00+01', new Date('2024-02-29T11:00:00Z')],
    ['interval', '1 day', '1 day'],
    ['int4[]', '{1,NULL}', '{1,NULL}'],
  ];
  const columns = values.map(([type], i) => ({ name: `c${i}`, type: parseTypeName(type) }));
  const row: Value[] = values.map(([, text], i) =>
    text === null ? null : parseValue(columns[i]!.type, text, DEFAULT_SETTINGS),
  );
  const sink = open(directory, check(directory, columns), columns);
  sink.begin(0);
  const types = columns.map(({ type }) => type);
  sink.write(1, 0n, buildBatch(types, [row, columns.map(() => null)], scratch, [2, -1]));
  sink.commit(1);
  sink.close();
  const [first, second] = await readAll(directory);
  for (const [i, [type, , read]] of values.entries()) {
    assert.deepEqual(first![`c${i}`], read, type);
    assert.equal(second![`c${i}`] ?? null, null, type);
  }
  assert.deepEqual([first!.weight, second!.weight], [2, -1]);
});

test('a directory that holds something is not taken', (context) => {
  const directory = temporaryDirectory(context);
  fs.mkdirSync(path.join(directory, 'out'));
  const checked = check(directory, COLUMNS);
  open(directory, checked).begin(0);
  assert.throws(() => check(directory, COLUMNS), { sqlstate: '58P02' });
  assert.throws(() => open(directory, checked, COLUMNS, 'u2').begin(0), { sqlstate: '55000' });
  assert.throws(() => check(directory, columnsOf({ epoch: 'int4' })), { sqlstate: '58P02' });
});
