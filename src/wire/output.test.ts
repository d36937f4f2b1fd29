/** What is held for a client that does not read. */

import assert from 'node:assert/strict';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { Output } from './output.ts';

/** A connected pair; the far end does not read. */
async function pair(): Promise<{ near: Socket; far: Socket; close(): void }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  const far = connect(port, '127.0.0.1').pause();
  const near = await accepted;
  const close = () => {
    for (const socket of [near, far]) socket.destroy();
    server.close();
  };
  return { near, far, close };
}

/** Appends 64 KiB pieces until `ready` stays open; the most that was held. */
async function fill(output: Output): Promise<{ heldMax: number; wait: Promise<void> }> {
  const piece = new Uint8Array(64 * 1024);
  let heldMax = 0;
  for (;;) {
    output.messages.bytes(piece);
    const wait = output.ready();
    heldMax = Math.max(heldMax, output.queuedBytes);
    let isOpen = true;
    wait
      .catch(() => undefined)
      .finally(() => {
        isOpen = false;
      });
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (isOpen) return { heldMax, wait };
  }
}

test('at most 1 MiB is held; reading lets the writer go on', async () => {
  const { near, far, close } = await pair();
  const output = new Output(near);
  const { heldMax, wait } = await fill(output);
  assert.ok(heldMax <= 1024 * 1024, `${heldMax} bytes were held`);
  far.resume();
  await wait;
  assert.equal(output.queuedBytes, 0);
  close();
});

test('a wait ends by an interrupt, and by the end of the client', async () => {
  const { near, close } = await pair();
  const output = new Output(near);
  const first = await fill(output);
  output.interrupt(new SqlError('57014', 'enough'));
  await assert.rejects(first.wait, { sqlstate: '57014' });
  const second = output.ready();
  output.close(new SqlError('08006', 'gone'));
  await assert.rejects(second, { sqlstate: '08006' });
  await assert.rejects(output.ready(), { sqlstate: '08006' });
  close();
});

test('the time that a writer waits is told', async () => {
  const { near, far, close } = await pair();
  const waits: bigint[] = [];
  const output = new Output(near, (us) => waits.push(us));
  const startMs = performance.now();
  const { wait } = await fill(output);
  assert.deepEqual(waits, []);
  far.resume();
  await wait;
  const tookUs = (performance.now() - startMs) * 1000;
  assert.equal(waits.length, 1);
  assert.ok(waits[0]! > 1000n && waits[0]! < BigInt(Math.ceil(tookUs)), `${waits[0]} us`);
  close();
});

test('what is gathered goes out by itself', async () => {
  const { near, far, close } = await pair();
  const output = new Output(near);
  output.messages.empty('I');
  await output.ready();
  far.resume();
  const bytes = await new Promise<Buffer>((resolve) => far.once('data', resolve));
  assert.equal(bytes.toString('latin1'), 'I\0\0\0\x04');
  close();
});
