/** InputLog: what was durable is there after every kind of torn tail, and damage is told apart from it. */

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { after, test } from 'node:test';
import { Random } from '../base/random.ts';
import { EpochNumbers } from './epoch-numbers.ts';
import { comparePositions, InputLog, type InputLogOptions } from './input-log.ts';
import { decodeLogEntry, encodeLogEntry, type Manifest } from './manifest.ts';

const root = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-log-'));
after(() => fs.rmSync(root, { recursive: true }));
let directories = 0;

function freshDirectory(): string {
  return path.join(root, String(directories++));
}

function text(number: number): Uint8Array {
  return Buffer.from(`record ${number} `.repeat((number % 5) + 1));
}

function contents(log: InputLog): string[] {
  return [...log.records(null)].map(({ bytes }) => Buffer.from(bytes).toString());
}

function expected(count: number): string[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(text(i)).toString());
}

function reopen(directory: string, options: InputLogOptions = {}): string[] {
  const log = InputLog.open(directory, options);
  const found = contents(log);
  log.close();
  return found;
}

function lastFile(directory: string): string {
  return path.join(directory, fs.readdirSync(directory).sort().at(-1)!);
}

test('records come back in order, over several segments, from any position', async () => {
  const directory = freshDirectory();
  const log = InputLog.open(directory, { segmentBytesMax: 500 });
  const ends = Array.from({ length: 50 }, (_, i) => log.append(text(i)));
  await Promise.all([log.sync(), log.sync()]);
  assert.equal(comparePositions(log.durable, log.end), 0);
  assert.deepEqual(contents(log), expected(50));
  const rest = [...log.records(ends[29]!)].map(({ bytes }) => Buffer.from(bytes).toString());
  assert.deepEqual(rest, expected(50).slice(30));
  log.close();
  assert.deepEqual(reopen(directory), expected(50));
  const again = InputLog.open(directory, { segmentBytesMax: 500 });
  again.cut(ends[29]!);
  assert.deepEqual(contents(again).at(-1), expected(50).at(-1));
  assert.ok(again.start.segment > 1);
  again.close();
});

test('a tail torn at any byte is cut, and the log goes on', () => {
  const source = freshDirectory();
  const log = InputLog.open(source);
  const ends = Array.from({ length: 8 }, (_, i) => log.append(text(i)).offset);
  log.close();
  const bytes = fs.readFileSync(lastFile(source));
  for (let size = ends[5]!; size < bytes.length; size += 3) {
    const directory = freshDirectory();
    fs.mkdirSync(directory);
    fs.writeFileSync(
      path.join(directory, path.basename(lastFile(source))),
      bytes.subarray(0, size),
    );
    const count = ends.filter((end) => end <= size).length;
    const torn = InputLog.open(directory);
    assert.deepEqual(contents(torn), expected(count));
    torn.append(text(count));
    torn.close();
    assert.deepEqual(reopen(directory), expected(count + 1));
  }
});

test('a flipped bit before a durable point is damage; behind it, it is a torn tail', () => {
  const source = freshDirectory();
  const log = InputLog.open(source);
  const first = log.append(text(0));
  log.syncNow();
  log.append(text(1));
  log.close();
  const name = path.basename(lastFile(source));
  const bytes = fs.readFileSync(lastFile(source));
  const random = new Random(3);
  for (let round = 0; round < 40; round++) {
    const at = 16 + random.below(bytes.length - 16);
    const flipped = Buffer.from(bytes);
    flipped[at]! ^= 1 << random.below(8);
    const directory = freshDirectory();
    fs.mkdirSync(directory);
    const file = path.join(directory, name);
    fs.writeFileSync(file, flipped);
    if (at < first.offset) {
      assert.throws(() => InputLog.open(directory), { sqlstate: 'XX001' });
      assert.deepEqual(fs.readFileSync(file), flipped);
    } else {
      assert.throws(
        () => InputLog.open(directory, { durableThrough: { segment: 1, offset: bytes.length } }),
        { sqlstate: 'XX001' },
      );
      assert.deepEqual(reopen(directory), expected(1));
    }
  }
});

test('a missing segment and a newer format are refused', () => {
  const directory = freshDirectory();
  const log = InputLog.open(directory, { segmentBytesMax: 100 });
  for (let i = 0; i < 10; i++) log.append(text(i));
  log.close();
  const names = fs.readdirSync(directory).sort();
  fs.renameSync(path.join(directory, names[1]!), path.join(directory, 'aside'));
  assert.throws(() => InputLog.open(directory), { sqlstate: 'XX001' });
  fs.renameSync(path.join(directory, 'aside'), path.join(directory, names[1]!));
  const fd = fs.openSync(lastFile(directory), 'r+');
  fs.writeSync(fd, Uint8Array.of(9), 0, 1, 4);
  fs.closeSync(fd);
  assert.throws(() => InputLog.open(directory), /format 9/);
});

test('a full disk is 53100, changes nothing, and heals', (t) => {
  const directory = freshDirectory();
  const log = InputLog.open(directory);
  log.append(text(0));
  let writes = 0;
  const original = fs.writeSync;
  t.mock.method(fs, 'writeSync', (fd: number, bytes: Uint8Array, ...rest: number[]) => {
    writes += 1;
    if (writes === 1) return original(fd, bytes, 0, 10, rest[2]);
    throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
  });
  syncBuiltinESMExports();
  assert.throws(() => log.append(text(1)), { sqlstate: '53100' });
  t.mock.restoreAll();
  syncBuiltinESMExports();
  assert.deepEqual(contents(log), expected(1));
  log.append(text(1));
  log.close();
  assert.deepEqual(reopen(directory), expected(2));
});

test('a failed fsync is final', async (t) => {
  const log = InputLog.open(freshDirectory());
  log.append(text(0));
  t.mock.method(fs, 'fdatasync', (_fd: number, done: (error: Error) => void) => {
    setImmediate(done, Object.assign(new Error('EIO: i/o error'), { code: 'EIO' }));
  });
  syncBuiltinESMExports();
  await assert.rejects(log.sync(), { sqlstate: '58030' });
  t.mock.restoreAll();
  syncBuiltinESMExports();
  assert.throws(() => log.append(text(1)), { sqlstate: '58030' });
  await assert.rejects(log.sync(), { sqlstate: '58030' });
  log.close();
});

test('manifests and reservations come back as they were', () => {
  const manifest: Manifest = {
    kind: 'epoch',
    epoch: 2 ** 40,
    nowUs: 1_700_000_000_000_001n,
    splits: [
      {
        sourceId: 16_384,
        split: 'a "file"',
        from: { offset: 1 },
        to: { offset: 2 },
        rowCount: 3,
        watermark: '-9223372036854775808',
        isIdle: false,
        isEnded: true,
      },
    ],
    dml: [
      { relationId: 1, rows: Buffer.from([1, 2, 3]) },
      { relationId: 2, rows: Buffer.alloc(0) },
    ],
    ddl: [{ kind: 'create', name: 'é' }],
  };
  const bytes = encodeLogEntry(manifest);
  assert.deepEqual(decodeLogEntry(bytes), manifest);
  assert.throws(() => decodeLogEntry(bytes.subarray(0, bytes.length - 1)), { sqlstate: 'XX001' });
  const reservation = { kind: 'reserve', through: 5 } as const;
  assert.deepEqual(decodeLogEntry(encodeLogEntry(reservation)), reservation);
});

test('epoch numbers are durable before they are used', () => {
  const directory = freshDirectory();
  const log = InputLog.open(directory);
  const numbers = new EpochNumbers(log, 41);
  assert.equal(numbers.next(), 42);
  assert.equal(comparePositions(log.durable, log.end), 0);
  const [record] = log.records(null);
  assert.deepEqual(decodeLogEntry(record!.bytes), {
    kind: 'reserve',
    through: numbers.reservedThrough,
  });
  assert.equal(numbers.next(), 43);
  log.close();
});
