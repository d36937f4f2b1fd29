import assert from 'node:assert/strict';
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Random } from '../../base/random.ts';
import { Spool, type SpoolPosition, segmentsOf } from './spool.ts';
import { recordsOf, type SpoolHeader } from './spool-frame.ts';
import { SpoolReader } from './spool-reader.ts';

const LIMITS = { bytesMax: 1024 * 1024 * 1024, segmentBytes: 4096 };

interface Entry {
  readonly epoch: number;
  readonly key: string | null;
  readonly value: string | null;
}

function directoryOf(context: TestContext): string {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'millrace-spool-test-'));
  context.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function append(spool: Spool, { epoch, key, value }: Entry): void {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text));
  spool.append(epoch, BigInt(epoch), epoch / 2, bytes(key), bytes(value));
}

function readAll(spool: Spool, start: SpoolPosition = spool.start): Entry[] {
  const reader = new SpoolReader(spool.directory, start);
  const entries: Entry[] = [];
  for (let frame = reader.next(spool.end); frame !== null; frame = reader.next(spool.end)) {
    const { epoch, timeUs } = frame;
    assert.equal(timeUs, BigInt(epoch));
    for (const { key, value, timestampMs } of recordsOf(frame)) {
      assert.equal(timestampMs, epoch / 2);
      entries.push({ epoch, key: key?.toString() ?? null, value: value?.toString() ?? null });
    }
  }
  assert.deepEqual(reader.position, spool.end);
  reader.close();
  return entries;
}

test('headers come back as they were', (context) => {
  const spool = new Spool(directoryOf(context), LIMITS);
  const all: SpoolHeader[][] = [
    [],
    [
      ['a', Buffer.from('1')],
      ['ä', null],
      ['a', Buffer.alloc(0)],
    ],
  ];
  const value = Buffer.from('v');
  for (const headers of all) spool.append(1, 0n, 0, null, value, headers);
  spool.commit(1);
  spool.append(2, 0n, 0, null, value);
  spool.commit(2);
  const reader = new SpoolReader(spool.directory, spool.start);
  const read = () => [...recordsOf(reader.next(spool.end)!)];
  assert.deepEqual(
    read().map(({ headers, value: bytes }) => [headers, bytes?.toString()]),
    all.map((headers) => [headers, 'v']),
  );
  assert.deepEqual(
    read().map(({ headers }) => headers),
    [[]],
  );
  reader.close();
  spool.close();
});

function randomEntry(random: Random, epoch: number): Entry {
  const key = random.chance(0.2) ? null : 'k'.repeat(random.between(0, 20));
  const size = random.chance(0.02) ? 1_500_000 : random.between(0, 300);
  return { epoch, key, value: random.chance(0.2) ? null : 'v'.repeat(size) };
}

test('gives back what was committed, over many segments and openings', (context) => {
  const random = new Random(7);
  const directory = directoryOf(context);
  let spool = new Spool(directory, LIMITS);
  const kept: Entry[] = [];
  for (let epoch = 1; epoch <= 120; epoch += 1) {
    const entries = Array.from({ length: random.between(0, 5) }, () => randomEntry(random, epoch));
    for (const entry of entries) append(spool, entry);
    if (random.chance(0.1)) {
      spool.rollBack();
    } else {
      spool.commit(epoch);
      kept.push(...entries);
    }
    if (!random.chance(0.1)) continue;
    append(spool, { epoch: epoch + 1, key: 'lost', value: 'x'.repeat(2_000_000) });
    spool.close();
    spool = new Spool(directory, LIMITS);
    assert.equal(spool.lastEpoch, kept.at(-1)?.epoch ?? 0);
  }
  assert.ok(segmentsOf(directory).length > 3);
  assert.deepEqual(readAll(spool), kept);
  spool.close();
});

test('a tail torn at any byte is cut; a flipped bit too', (context) => {
  const directory = directoryOf(context);
  const spool = new Spool(directory, LIMITS);
  for (const epoch of [1, 2, 3]) {
    append(spool, { epoch, key: 'k', value: `v${epoch}` });
    spool.commit(epoch);
  }
  spool.close();
  const file = segmentsOf(directory)[0]!.path;
  const whole = fs.readFileSync(file);
  const second = Math.floor(whole.length / 3) * 2;
  for (let size = second; size < whole.length; size += 1) {
    fs.writeFileSync(file, whole.subarray(0, size));
    const cut = new Spool(directory, LIMITS);
    assert.equal(cut.lastEpoch, 2, `cut at ${size}`);
    assert.deepEqual(
      readAll(cut).map(({ epoch }) => epoch),
      [1, 2],
    );
    cut.close();
  }
  for (let at = second; at < whole.length; at += 1) {
    const flipped = Buffer.from(whole);
    flipped[at]! ^= 1;
    fs.writeFileSync(file, flipped);
    const cut = new Spool(directory, LIMITS);
    assert.equal(cut.lastEpoch, 2, `flipped at ${at}`);
    cut.close();
  }
});

test('what is delivered goes; the last epoch is known also then', (context) => {
  const directory = directoryOf(context);
  const spool = new Spool(directory, { bytesMax: 10_000, segmentBytes: 4096 });
  const value = 'v'.repeat(1000);
  for (let epoch = 1; epoch <= 10; epoch += 1) {
    append(spool, { epoch, key: 'k', value });
    spool.commit(epoch);
  }
  assert.equal(spool.isFull, true);
  spool.delivered(spool.end);
  assert.equal(spool.bytes, 0);
  assert.equal(segmentsOf(directory).length, 1);
  assert.deepEqual(readAll(spool, spool.end), []);
  spool.close();
  const again = new Spool(directory, LIMITS);
  assert.equal(again.lastEpoch, 10);
  again.close();
});

test('a missing segment is damage', (context) => {
  const directory = directoryOf(context);
  const spool = new Spool(directory, LIMITS);
  for (let epoch = 1; epoch <= 20; epoch += 1) {
    append(spool, { epoch, key: 'k', value: 'v'.repeat(1000) });
    spool.commit(epoch);
  }
  spool.close();
  fs.rmSync(segmentsOf(directory)[1]!.path);
  assert.throws(() => new Spool(directory, LIMITS), { sqlstate: 'XX001' });
});

/** While `work` runs, a function of node:fs finds the disk full. */
function onFullDisk(
  context: TestContext,
  name: 'writeSync' | 'openSync' | 'ftruncateSync',
  work: () => void,
): void {
  const failing = context.mock.method(fs, name, () => {
    throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
  });
  syncBuiltinESMExports();
  try {
    work();
  } finally {
    failing.mock.restore();
    syncBuiltinESMExports();
  }
}

test('what a full disk refuses is not in the spool, and can be given again', (context) => {
  const spool = new Spool(directoryOf(context), LIMITS);
  const kept: Entry[] = [];
  const give = (epoch: number, value: string): void => {
    const entry = { epoch, key: 'k', value };
    append(spool, entry);
    spool.commit(epoch);
    kept.push(entry);
  };
  give(1, 'small');
  onFullDisk(context, 'writeSync', () => {
    append(spool, { epoch: 2, key: 'k', value: 'lost' });
    assert.throws(() => spool.commit(2), { sqlstate: '53100' });
  });
  onFullDisk(context, 'ftruncateSync', () => {
    assert.throws(() => spool.rollBack(), { sqlstate: '53100' });
  });
  spool.rollBack();
  assert.equal(spool.lastEpoch, 1);
  give(3, 'v'.repeat(LIMITS.segmentBytes));
  onFullDisk(context, 'openSync', () => {
    assert.throws(() => give(4, 'in the next segment'), { sqlstate: '53100' });
  });
  spool.rollBack();
  assert.equal(spool.lastEpoch, 3);
  give(5, 'in the next segment');
  assert.equal(segmentsOf(spool.directory).length, 2);
  assert.deepEqual(readAll(spool), kept);
  spool.close();
});

test('a reader does not look at what may be taken back', (context) => {
  const spool = new Spool(directoryOf(context), { ...LIMITS, segmentBytes: 64 * 1024 * 1024 });
  const reader = new SpoolReader(spool.directory, spool.start);
  const next = () => reader.next(spool.end)?.epoch ?? null;
  append(spool, { epoch: 1, key: null, value: 'v'.repeat(3_000_000) });
  spool.commit(1);
  append(spool, { epoch: 2, key: null, value: 'v' });
  spool.commit(2);
  append(spool, { epoch: 3, key: null, value: 'v'.repeat(1_500_000) });
  assert.deepEqual([next(), next(), next(), next()], [1, 1, 2, null]);
  spool.rollBack();
  append(spool, { epoch: 4, key: null, value: 'v'.repeat(1_500_000) });
  spool.commit(4);
  assert.equal(next(), 4);
  reader.close();
  spool.close();
});

test('without a directory it keeps nothing', () => {
  const spool = new Spool(null, LIMITS);
  append(spool, { epoch: 1, key: null, value: 'v' });
  spool.commit(1);
  assert.equal(readAll(spool).length, 1);
  spool.close();
  assert.equal(fs.existsSync(spool.directory), false);
});
