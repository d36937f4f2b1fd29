import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { SystemClock } from '../../base/clock.ts';
import { SchemaRegistryClient } from '../schema-registry/registry-client.ts';
import type { FetchedRecords } from './io-port.ts';
import { visibleRecords } from './record-batch.ts';
import { PLAIN_BATCH, RecordBatchWriter } from './record-batch-writer.ts';
import { BATCH_CODECS, RECORD_CODECS } from './record-codecs.ts';
import { SchemaGate } from './schema-gate.ts';

/** A registry of one schema under all ids, which was `asked`, and answers after `answer` was called. */
async function registry(context: TestContext) {
  const asked = Promise.withResolvers<void>();
  const answering = Promise.withResolvers<void>();
  const server = createServer((_request, response) => {
    asked.resolve();
    void answering.promise.then(() => response.end(JSON.stringify({ schema: '"long"' })));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new SchemaRegistryClient(
    { url, authorization: null, timeoutMs: 5000 },
    new SystemClock(),
  );
  return { client, asked: asked.promise, answer: answering.resolve };
}

/** One record, whose value names the schema. */
function framed(schemaId: number): FetchedRecords {
  const value = Buffer.alloc(6);
  value.writeInt32BE(schemaId, 1);
  const writer = new RecordBatchWriter();
  writer.append(0, null, value);
  const batch = writer.take(PLAIN_BATCH, BATCH_CODECS.none);
  const limits = { partition: 'a-0', batchBytesMax: 1000, bytesMax: 1000 };
  const { bytes, recordCount } = visibleRecords(batch, [], RECORD_CODECS, limits);
  return { split: 'a-0', topicId: '', from: 0, to: 1, bytes, recordCount, end: 1 };
}

test('what follows records waits as they do for their schema', async (context) => {
  const { client, asked, answer } = await registry(context);
  const came: string[] = [];
  const gate = new SchemaGate(client, false, {
    onSchema: (id) => came.push(`schema ${id}`),
    onRecords: () => came.push('records'),
    onTrouble: () => came.push('trouble'),
  });
  gate.after(() => came.push('nothing before'));
  assert.deepEqual(came, ['nothing before']);
  gate.pass(framed(3));
  const end = new Promise<void>((resolve) => gate.after(resolve));
  await asked;
  assert.equal(came.length, 1);
  answer();
  await end;
  assert.deepEqual(came.slice(1), ['schema 3', 'records']);
  gate.after(() => came.push('nothing waits'));
  assert.equal(came.at(-1), 'nothing waits');
});

test('a gate that is closed lets nothing through', async (context) => {
  const { client, asked, answer } = await registry(context);
  const came: string[] = [];
  const gate = new SchemaGate(client, false, {
    onSchema: () => came.push('schema'),
    onRecords: () => came.push('records'),
    onTrouble: () => came.push('trouble'),
  });
  gate.pass(framed(3));
  gate.after(() => came.push('after'));
  await asked;
  gate.close();
  answer();
  await client.schema(3);
  assert.deepEqual(came, []);
});
