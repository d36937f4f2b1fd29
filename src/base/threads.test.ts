/** Threads, their ports, and errors that cross them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EchoIn, EchoOut } from '../testing/echo-worker.ts';
import { AssertionError } from './assert.ts';
import { SqlError } from './sql-error.ts';
import {
  currentThreadId,
  entry,
  fromPortError,
  type PortError,
  ReplyTable,
  spawnThread,
  type Thread,
  toPortError,
} from './threads.ts';

function echo(): Thread<EchoIn, EchoOut> {
  const file = entry(import.meta.url, '../testing/echo-worker.ts');
  return spawnThread<EchoIn, EchoOut, { offset: number }>(file, {
    name: 'echo',
    data: { offset: 100 },
  });
}

test('an entry is the .ts file in a checkout and the .js file in dist', () => {
  assert.equal(entry('file:///a/src/x/y.ts', './z.ts').href, 'file:///a/src/x/z.ts');
  assert.equal(entry('file:///a/dist/x/y.js', '../z.ts').href, 'file:///a/dist/z.js');
  assert.throws(() => entry('file:///a/y.js', './z.js'), AssertionError);
});

test('requests are answered; errors keep their class and fields', async () => {
  const thread = echo();
  const replies = new ReplyTable();
  thread.onMessage((message) => {
    if (message.error === null) replies.resolve(message.id, message.value);
    else replies.reject(message.id, message.error);
  });
  const ask = (value: number): Promise<number> => {
    const { id, reply } = replies.open<number>();
    thread.post({ id, value });
    return reply;
  };
  assert.deepEqual(await Promise.all([ask(1), ask(2)]), [101, 102]);
  await assert.rejects(ask(-1), (error: unknown) => {
    assert.ok(error instanceof SqlError);
    assert.equal(error.sqlstate, '22003');
    assert.equal(error.fields.hint, 'less');
    return true;
  });
  assert.equal(replies.size, 0);
  assert.equal(currentThreadId(), 0);
  const exited = new Promise((resolve) => thread.onExit(resolve));
  await thread.terminate();
  await exited;
  replies.failAll(new Error('gone'));
  await assert.rejects(ask(3), /gone/);
});

test('a thread that throws tells why it ended', async () => {
  const thread = echo();
  const exited = new Promise<Error | null>((resolve) => thread.onExit(resolve));
  thread.post({ id: 0, value: Number.NaN });
  assert.match((await exited)?.message ?? '', /not a number/);
  const again = await new Promise<Error | null>((resolve) => thread.onExit(resolve));
  assert.match(again?.message ?? '', /not a number/);
});

test('errors cross as they are', () => {
  const cross = (error: unknown): Error =>
    fromPortError(structuredClone<PortError>(toPortError(error)));
  const sql = cross(new SqlError('42601', 'no', { position: 3 })) as SqlError;
  assert.deepEqual([sql.name, sql.sqlstate, sql.fields.position], ['SqlError', '42601', 3]);
  assert.ok(cross(new AssertionError('belief')) instanceof AssertionError);
  assert.equal(cross('text').message, 'text');
  assert.match(cross(new TypeError('x')).stack ?? '', /TypeError: x/);
});
