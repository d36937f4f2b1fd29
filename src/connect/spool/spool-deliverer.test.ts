import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Random } from '../../base/random.ts';
import { Spool, type SpoolPosition } from './spool.ts';
import { SpoolDeliverer, type SpoolProgress, type SpoolTarget } from './spool-deliverer.ts';
import { type Frame, recordsOf } from './spool-frame.ts';

class Trouble extends Error {}

/** Keeps what was committed; fails as often as it is told to. */
class FakeTarget implements SpoolTarget {
  readonly name = 'target "fake"';
  readonly committed: string[] = [];
  epoch = 0;
  part: SpoolProgress['part'] = null;
  /** How often something was committed. */
  commits = 0;
  failureChance = 0;
  readonly #random = new Random(11);
  #sent: string[] = [];

  start(): Promise<SpoolProgress> {
    this.#sent = [];
    return this.#maybe({ epoch: this.epoch, part: this.part });
  }

  send(frame: Frame): Promise<void> {
    for (const { value } of recordsOf(frame)) this.#sent.push(value!.toString());
    return this.#maybe(undefined);
  }

  commit({ epoch, part }: SpoolProgress): Promise<void> {
    this.committed.push(...this.#sent);
    this.#sent = [];
    this.epoch = epoch;
    this.part = part;
    this.commits += 1;
    return this.#maybe(undefined);
  }

  explain(error: unknown): string {
    if (!(error instanceof Trouble)) throw error;
    return error.message;
  }

  #maybe<T>(value: T): Promise<T> {
    if (!this.#random.chance(this.failureChance)) return Promise.resolve(value);
    return Promise.reject(new Trouble('away'));
  }
}

function spoolOf(context: TestContext, segmentBytes = 64): Spool {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'millrace-deliverer-test-'));
  context.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return new Spool(directory, { bytesMax: 1024 * 1024, segmentBytes });
}

function add(spool: Spool, epoch: number): void {
  spool.append(epoch, 0n, 0, null, Buffer.from(`v${epoch}`));
  spool.commit(epoch);
}

/** Delivers until the spool's last epoch is there, or it fails; gives the reason then. */
async function deliver(
  spool: Spool,
  target: FakeTarget,
  lastEpoch: number,
  transactionBytes?: number,
): Promise<unknown> {
  const { directory, start, end } = spool;
  const done = Promise.withResolvers<unknown>();
  const events = {
    onDelivered: (epoch: number, position: SpoolPosition) => {
      spool.delivered(position);
      if (epoch === spool.lastEpoch) done.resolve(null);
    },
    onTrouble: () => undefined,
    onFailed: (error: unknown) => done.resolve(error),
  };
  const contents = { directory, start, end, lastEpoch };
  const deliverer = new SpoolDeliverer(contents, target, events, transactionBytes);
  deliverer.run();
  const error = await done.promise;
  deliverer.close();
  return error;
}

test('what is closed keeps no file open, and commits nothing more', async (context) => {
  const spool = spoolOf(context);
  add(spool, 1);
  const target = new FakeTarget();
  const sending = Promise.withResolvers<void>();
  const hanging = Promise.withResolvers<void>();
  context.mock.method(target, 'send', () => {
    sending.resolve();
    return hanging.promise;
  });
  const { directory, start, end } = spool;
  const never = () => assert.fail('nothing is told any more');
  const events = { onDelivered: never, onTrouble: never, onFailed: never };
  const deliverer = new SpoolDeliverer({ directory, start, end, lastEpoch: 1 }, target, events);
  deliverer.run();
  await sending.promise;
  spool.close();
  assert.equal(openFilesIn(directory), 1);
  deliverer.close();
  hanging.resolve();
  await setImmediate();
  assert.equal(openFilesIn(directory), 0);
  assert.equal(target.commits, 0);
});

function openFilesIn(directory: string): number {
  const links = fs.readdirSync('/proc/self/fd').map((fd) => {
    try {
      return fs.readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      // The one that listed them.
      return '';
    }
  });
  return links.filter((file) => file.startsWith(directory)).length;
}

const values = (count: number) => Array.from({ length: count }, (_, i) => `v${i + 1}`);

test('each epoch once, whatever fails, also where only the answer is lost', async (context) => {
  const spool = spoolOf(context);
  const target = new FakeTarget();
  target.failureChance = 0.3;
  for (let epoch = 1; epoch <= 12; epoch += 1) {
    add(spool, epoch);
    if (epoch % 3 === 0) assert.equal(await deliver(spool, target, epoch), null);
  }
  assert.deepEqual(target.committed, values(12));
});

test('a snapshot is committed in parts, whatever fails, and what comes behind it as a whole', async (context) => {
  const spool = spoolOf(context);
  const target = new FakeTarget();
  const big = (i: number) => Buffer.from(`v${i} `.padEnd(400_000, 'x'));
  const rows = 20;
  spool.beginSnapshot(1);
  for (const epoch of [1, 2]) {
    for (let i = 0; i < rows; i += 1) spool.append(epoch, 0n, 0, null, big(i));
    spool.commit(epoch);
  }
  target.failureChance = 0.3;
  assert.equal(await deliver(spool, target, 2, 1), null);
  assert.deepEqual(
    target.committed.map((value) => Number.parseInt(value.slice(1), 10)),
    [...Array(rows).keys(), ...Array(rows).keys()],
  );
  assert.deepEqual([target.epoch, target.part], [2, null]);
  // Three rows are a frame: seven parts, and one of all the others.
  assert.equal(target.commits, 8);
  const again = new Spool(spool.directory, { bytesMax: 1024, segmentBytes: 1024 });
  assert.deepEqual([again.lastEpoch, again.end], [spool.lastEpoch, spool.end]);
});

test('a part of a snapshot that is not in the spool any more is told', async (context) => {
  const spool = spoolOf(context);
  const target = new FakeTarget();
  target.part = { epoch: 4, frames: 1 };
  spool.beginSnapshot(5);
  add(spool, 5);
  const error = await deliver(spool, target, 5);
  assert.match(
    String(error),
    /target "fake" holds a part of the snapshot of epoch 4, but the snapshot is of epoch 5/,
  );
  assert.deepEqual(target.committed, []);
});

test('what the target has lost is sent again, as far as it is there', async (context) => {
  const spool = spoolOf(context, 1024);
  const target = new FakeTarget();
  for (let epoch = 1; epoch <= 4; epoch += 1) add(spool, epoch);
  assert.equal(await deliver(spool, target, 4), null);
  target.epoch = 1;
  target.committed.length = 1;
  add(spool, 5);
  assert.equal(await deliver(spool, target, 5), null);
  assert.deepEqual(target.committed, values(5));
});

test('what is gone is not skipped silently', async (context) => {
  const spool = spoolOf(context);
  const target = new FakeTarget();
  for (let epoch = 1; epoch <= 4; epoch += 1) add(spool, epoch);
  assert.equal(await deliver(spool, target, 4), null);
  target.epoch = 1;
  add(spool, 5);
  const error = await deliver(spool, target, 5);
  assert.match(String(error), /target "fake" holds epoch 1 of this sink, but had \d/);
});

test('a target that is ahead of us is not ours to write', async (context) => {
  const spool = spoolOf(context);
  const target = new FakeTarget();
  target.epoch = 9;
  add(spool, 5);
  const error = await deliver(spool, target, 5);
  assert.match(String(error), /holds epoch 9 of this sink, which is ahead of this server's 5/);
});

test('a spool that is gone before it is read fails its own delivery', async (context) => {
  const spool = spoolOf(context);
  add(spool, 1);
  spool.remove();
  assert.match(String(await deliver(spool, new FakeTarget(), 1)), /ENOENT|lost its spool/);
});
