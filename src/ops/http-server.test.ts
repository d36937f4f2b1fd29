import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { IngestPort } from '../session/ingest.ts';
import { type OpsPort, startHttpServer } from './http-server.ts';

const NO_INGEST: IngestPort = {
  isSecretNeeded: false,
  find: () => null,
  post: async () => assert.fail('nothing is posted'),
  answered: () => {},
};

const IDLE_OPS: OpsPort = {
  notReadyReason: () => null,
  metrics: async () => ({ contentType: '', text: '' }),
  ingest: NO_INGEST,
  failed: (error) => assert.fail(error),
};

test('health, readiness and metrics answer', async (t) => {
  let reason: string | null = 'recovering: 3 of 10 epochs';
  const server = await startHttpServer('127.0.0.1', 0, {
    notReadyReason: () => reason,
    metrics: async () => ({
      contentType: 'text/plain; version=0.0.4',
      text: 'millrace_epochs_total 7\n',
    }),
    ingest: NO_INGEST,
    failed: (error) => assert.fail(error),
  });
  t.after(() => server.close());
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [response.status, await response.text()];
  };
  assert.deepEqual(await get('/healthz'), [200, 'ok\n']);
  assert.deepEqual(await get('/readyz'), [503, 'recovering: 3 of 10 epochs\n']);
  reason = null;
  assert.deepEqual(await get('/readyz'), [200, 'ready\n']);
  assert.deepEqual(await get('/metrics'), [200, 'millrace_epochs_total 7\n']);
  assert.equal((await get('/etc/passwd'))[0], 404);
});

test('a port that is taken is refused', async (t) => {
  const server = await startHttpServer('127.0.0.1', 0, IDLE_OPS);
  t.after(() => server.close());
  await assert.rejects(startHttpServer('127.0.0.1', server.port, IDLE_OPS), { code: 'EADDRINUSE' });
});

test('a bug is told to the log and answered with 500', async (t) => {
  const errors: Error[] = [];
  const find = () => {
    throw new TypeError('a bug');
  };
  const server = await startHttpServer('127.0.0.1', 0, {
    ...IDLE_OPS,
    ingest: { ...NO_INGEST, find },
    failed: (error) => errors.push(error),
  });
  t.after(() => server.close());
  const response = await fetch(`http://127.0.0.1:${server.port}/ingest/public/s`, {
    method: 'POST',
    body: '{}',
  });
  assert.equal(response.status, 500);
  assert.deepEqual(await response.json(), { error: 'internal error' });
  assert.deepEqual(
    errors.map(({ message }) => message),
    ['a bug'],
  );
});

test('a sender that is gone in the middle of a body is no bug', async (t) => {
  const answered = Promise.withResolvers<number>();
  const server = await startHttpServer('127.0.0.1', 0, {
    ...IDLE_OPS,
    ingest: {
      ...NO_INGEST,
      find: () => ({ id: 1, options: { connector: 'webhook' } }),
      answered: (_schema, _name, status) => answered.resolve(status),
    },
  });
  t.after(() => server.close());
  const socket = connect(server.port, '127.0.0.1');
  socket.end('POST /ingest/public/s HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{}');
  assert.equal(await answered.promise, 400);
});
