import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Connection } from '@platformatic/kafka';
import { BrokerConnections } from './connections.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';

/** The URL of an authorization server that gives a token to whoever asks; `count`: how often. */
async function tokenEndpoint(context: TestContext) {
  const asked = { count: 0 };
  const server = createServer((_request, response) => {
    asked.count += 1;
    response.end(JSON.stringify({ access_token: `t${asked.count}`, expires_in: 1000 }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` };
}

/** As the library where a broker refuses the login: listeners of 'error' hear of it first. */
function refuse(connection: Connection): Promise<void> {
  const error = new KafkaError('refused', KAFKA_CODES.saslAuthenticationFailed, 'SASL', true);
  connection.emit('error', error);
  return Promise.reject(error);
}

test('a connection that was opened with another token, as the first was refused, is kept', async (context) => {
  const { asked, url } = await tokenEndpoint(context);
  const endpoint = { url, scope: null, isUrlEncoded: false };
  const connections = new BrokerConnections({
    brokers: [],
    clientId: 'test',
    tls: null,
    sasl: { mechanism: 'OAUTHBEARER', username: 'me', password: 'secret', endpoint },
    requestTimeoutMs: 1000,
    connectTimeoutMs: 1000,
  });
  const connected: Connection[] = [];
  const isRefused = [false, true, false, false];
  context.mock.method(Connection.prototype, 'connect', function (this: Connection) {
    connected.push(this);
    return isRefused[connected.length - 1] ? refuse(this) : Promise.resolve();
  });
  await connections.to({ host: 'a', port: 1 }, 'other');
  const other = { host: 'b', port: 1 };
  const opened = await connections.to(other, 'other');
  assert.equal(asked.count, 2);
  assert.equal(opened, connected[2]);
  assert.equal(await connections.to(other, 'other'), opened);
  opened.emit('close');
  assert.notEqual(await connections.to(other, 'other'), opened);
  await connections.close();
});
