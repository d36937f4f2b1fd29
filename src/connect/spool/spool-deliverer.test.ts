import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { Random } from '../../base/random.ts';
import { Spool } from './spool.ts';
import { SpoolDeliverer, type SpoolTarget } from './spool-deliverer.ts';
import { type Frame, recordsOf } from './spool-frame.ts';

class Trouble extends Error {}

/** Keeps what was committed; fails as often as it is told to. */
class FakeTarget implements SpoolTarget {
  readonly name = 'target "fake"';
  readonly committed: string[] = [];
  epoch = 0;
  failureChance = 0;
  readonly #random = new Random(11);
  #sent: string[] = [];

  start(): Promise<number> {
    this.#sent = [];
    return this.#maybe(this.epoch);
  }

  send(frame: Frame): Promise<void> {
    for (const { value } of recordsOf(frame)) this.#sent.push(value!.toString());
    return this.#maybe(undefined);
  }

  commit(epoch: number): Promise<void> {
    this.committed.push(...this.#sent);
    this.#sent = [];
    this.epoch = epoch;
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
async function deliver(spool: Spool, target: FakeTarget, lastEpoch: number): Promise<unknown> {
  const { directory, start, end } = spool;
  const done = Promise.withResolvers<unknown>();
  const deliverer = new SpoolDeliverer({ directory, start, end, lastEpoch }, target, {
    onDelivered: (epoch, position) => {
      spool.delivered(position);
      if (epoch === spool.lastEpoch) done.resolve(null);
    },
    onTrouble: () => undefined,
    onFailed: (error) => done.resolve(error),
  });
  deliverer.run();
  const error = await done.promise;
  deliverer.close();
  return error;
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
