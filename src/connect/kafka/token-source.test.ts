import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { FakeClock } from '../../base/clock.ts';
import type { KafkaError } from './kafka-error.ts';
import { isToken, NO_TOKEN, TokenSource } from './token-source.ts';

/** A source of tokens of a server that answers so; `asked`: the Authorization headers that came. */
async function tokenSource(
  context: TestContext,
  answer: (response: ServerResponse, count: number) => void,
  isUrlEncoded = false,
) {
  const asked: string[] = [];
  const server = createServer((request: IncomingMessage, response) => {
    asked.push(request.headers.authorization ?? '');
    answer(response, asked.length);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const sasl = { mechanism: 'OAUTHBEARER', username: 'me', password: 'a+b/c=' } as const;
  const clock = new FakeClock();
  const source = new TokenSource(sasl, { url, scope: null, isUrlEncoded }, 5000, clock);
  return { source, clock, asked, url };
}

const given = (response: ServerResponse, token: string, seconds?: number) =>
  response.end(JSON.stringify({ access_token: token, expires_in: seconds }));

const refused = (reason: RegExp, isAuthentication: boolean) => (error: KafkaError) => {
  assert.deepEqual([error.id, error.isAuthentication], [NO_TOKEN, isAuthentication]);
  assert.match(error.message, reason);
  return true;
};

test('a token is kept until most of its time is over, and on where no other comes', async (context) => {
  const { source, clock, asked } = await tokenSource(context, (response, count) => {
    if (count === 2) response.writeHead(503).end('later');
    else given(response, `t${count}`, 100);
  });
  const [one, same] = await Promise.all([source.token(), source.token()]);
  assert.deepEqual([one.text, same.text, asked.length], ['t1', 't1', 1]);
  clock.advanceUs(79_000_000n);
  assert.deepEqual(await source.token(), { text: 't1', isUsed: true });
  clock.advanceUs(2_000_000n);
  assert.deepEqual(await source.token(), { text: 't1', isUsed: true });
  assert.equal(asked.length, 2);
  assert.deepEqual(await source.token(), { text: 't3', isUsed: false });
  source.drop(one);
  assert.deepEqual(await source.token(), { text: 't3', isUsed: true });
  source.drop({ text: 't3', isUsed: true });
  assert.deepEqual(await source.token(), { text: 't4', isUsed: false });
  assert.deepEqual(new Set(asked), new Set([`Basic ${btoa('me:a+b/c=')}`]));
});

test('its lifetime is what the answer says, else what the token says; without one it is used once', async (context) => {
  const claims = Buffer.from('{"iat": 1000, "exp": 1010}').toString('base64url');
  const { source, clock } = await tokenSource(context, (response, count) => {
    given(response, count === 1 ? `e30.${claims}.` : `opaque${count}`);
  });
  assert.equal((await source.token()).isUsed, false);
  clock.advanceUs(7_000_000n);
  assert.equal((await source.token()).isUsed, true);
  clock.advanceUs(2_000_000n);
  assert.equal((await source.token()).text, 'opaque2');
  assert.equal((await source.token()).text, 'opaque3');
});

test('id and secret may be URL-encoded', async (context) => {
  const answer = (response: ServerResponse) => void given(response, 't');
  const { source, asked } = await tokenSource(context, answer, true);
  await source.token();
  assert.deepEqual(asked, [`Basic ${btoa('me:a%2Bb%2Fc%3D')}`]);
});

test('a refusal is final, anything else may pass; the secret is not shown', async (context) => {
  const answers: [status: number, body: string][] = [
    [400, '{"error": "invalid_scope"}'],
    [401, 'no a+b/c= here'],
    [500, ''],
    [200, '<html>'],
    [200, '{"access_token": "a b"}'],
    [302, ''],
  ];
  const { source } = await tokenSource(context, (response, count) => {
    const [status, body] = answers[count - 1]!;
    response.writeHead(status, { location: '/elsewhere' }).end(body);
  });
  const fails = (reason: RegExp, isFinal: boolean) =>
    assert.rejects(source.token(), refused(reason, isFinal));
  await fails(/^no token from http:\S+: 400 invalid_scope$/, true);
  await fails(/: 401 no \*{8} here$/, true);
  await fails(/: 500 $/, false);
  await fails(/: the answer holds no token$/, false);
  await fails(/: the answer holds no token$/, false);
  await fails(/: unexpected redirect$/, false);
});

test('what a server repeats of the secret is not shown, nor more than a part of what it says', async (context) => {
  const answers = [
    `${'x'.repeat(194)}a+b/c=`,
    `Basic ${btoa('me:a+b/c=')}`,
    JSON.stringify({ error: 'x'.repeat(1000) }),
  ];
  const { source } = await tokenSource(context, (response, count) => {
    response.writeHead(500).end(answers[count - 1]);
  });
  await assert.rejects(source.token(), refused(/: 500 x{194}\*\*$/, false));
  await assert.rejects(source.token(), refused(/: 500 Basic \*{8}$/, false));
  await assert.rejects(source.token(), refused(/: 500 x{196}$/, false));
});

test('a token may come as something new', async (context) => {
  const { source } = await tokenSource(context, (response) => given(response.writeHead(201), 't'));
  assert.equal((await source.token()).text, 't');
});

test('what may be sent as a token', () => {
  assert.ok(isToken('aGVsbG8.x-_~+/='));
  for (const text of ['', 'a b', 'a\x01auth=Bearer b', 'ä']) assert.ok(!isToken(text), text);
});
