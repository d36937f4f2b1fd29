import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IngestPort } from '../session/ingest.ts';
import { startHttpServer } from './http-server.ts';

const NO_INGEST: IngestPort = {
  isSecretNeeded: false,
  find: () => null,
  post: async () => assert.fail('nothing is posted'),
  answered: () => {},
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
  const ops = {
    notReadyReason: () => null,
    metrics: async () => ({ contentType: '', text: '' }),
    ingest: NO_INGEST,
  };
  const server = await startHttpServer('127.0.0.1', 0, ops);
  t.after(() => server.close());
  await assert.rejects(startHttpServer('127.0.0.1', server.port, ops), { code: 'EADDRINUSE' });
});
