/** The registry client against a small server that answers as it is told. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import { RegistryError, SchemaRegistryClient } from './registry-client.ts';

type Answers = Readonly<Record<string, readonly [status: number, body: unknown]>>;

interface Served {
  readonly client: SchemaRegistryClient;
  readonly clock: FakeClock;
  /** `GET /path` of all requests, in order. */
  readonly requests: string[];
}

async function serve(context: TestContext, answers: Answers): Promise<Served> {
  const requests: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    const name = `${request.method} ${request.url}`;
    requests.push(name);
    const [status, body] = answers[name] ?? [404, { error_code: 40403, message: 'not found' }];
    response.writeHead(status).end(typeof body === 'string' ? body : JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/base/v7`;
  const clock = new FakeClock();
  const config = { url, authorization: null, timeoutMs: 5000 };
  return { client: new SchemaRegistryClient(config, clock), clock, requests };
}

test('a schema is asked for once, with what it refers to before it', async (context) => {
  const { client, requests } = await serve(context, {
    'GET /base/v7/schemas/ids/7': [
      200,
      { schema: '"top"', references: [{ name: 'a', subject: 'a', version: 2 }] },
    ],
    'GET /base/v7/subjects/a/versions/2': [
      200,
      { id: 3, schema: '"a"', references: [{ name: 'b', subject: 'b/c', version: 1 }] },
    ],
    'GET /base/v7/subjects/b%2Fc/versions/1': [200, { id: 2, schema: '"b"' }],
  });
  const schema = { type: 'AVRO', text: '"top"', references: ['"b"', '"a"'] };
  assert.deepEqual(await client.schema(7), schema);
  assert.deepEqual(await client.schema(7), schema);
  assert.equal(requests.length, 3);
});

test('an id that is not there is asked for again after a while', async (context) => {
  const { client, clock, requests } = await serve(context, {});
  assert.equal(await client.schema(1), null);
  assert.equal(await client.schema(1), null);
  assert.equal(requests.length, 1);
  clock.advanceUs(10_000_000n);
  assert.equal(await client.schema(1), null);
  assert.equal(requests.length, 2);
});

test('subjects, registering and refusals', async (context) => {
  const { client } = await serve(context, {
    'GET /base/v7/subjects/t-value/versions/latest': [
      200,
      { id: 4, schema: 'message M {}', schemaType: 'PROTOBUF' },
    ],
    'POST /base/v7/subjects/t-value/versions': [200, { id: 5 }],
    'POST /base/v7/subjects/bad/versions': [409, { error_code: 409, message: 'incompatible' }],
  });
  assert.deepEqual(await client.latest('t-value'), {
    id: 4,
    schema: { type: 'PROTOBUF', text: 'message M {}', references: [] },
  });
  assert.equal(await client.latest('none'), null);
  assert.equal(await client.register('t-value', 'AVRO', '"int"'), 5);
  await assert.rejects(client.register('bad', 'AVRO', '"int"'), {
    sqlstate: '42804',
    message: 'the schema registry refused the schema: 409 incompatible',
  });
});

test('errors of the server are tried again, a refused login is not', async (context) => {
  const { client, requests } = await serve(context, {
    'GET /base/v7/schemas/ids/1': [500, { message: 'out of order' }],
    'GET /base/v7/schemas/ids/2': [401, 'who are you'],
    'GET /base/v7/schemas/ids/3': [200, '<html>'],
  });
  const reason = async (id: number): Promise<RegistryError> => {
    const error: unknown = await client.schema(id).then(
      () => null,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof RegistryError);
    return error;
  };
  assert.match((await reason(1)).message, /: 500 out of order$/);
  assert.equal(requests.length, 3);
  const refused = await reason(2);
  assert.equal(requests.length, 4);
  assert.equal(refused.toSqlError().sqlstate, '28000');
  assert.match((await reason(3)).message, /not JSON$/);
  assert.equal((await reason(1)).toSqlError().sqlstate, '08001');
});
