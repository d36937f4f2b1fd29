import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemClock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import { INT4 } from '../../types/data-type.ts';
import { checkSourceOptions } from '../connectors.ts';
import type { SaslConfig } from './kafka-config.ts';

const CLIENT = {
  'client.credentials.client.id': 'me',
  'client.credentials.client.secret': 'marked',
};

/** `options`: names behind properties.sasl.oauthbearer. */
function check(options: Readonly<Record<string, string>>): SaslConfig {
  const own = Object.entries(options).map(([name, value]) => [
    `properties.sasl.oauthbearer.${name}`,
    value,
  ]);
  const definition = {
    connector: 'kafka',
    options: {
      topic: 't',
      'properties.bootstrap.server': 'localhost:9092',
      'properties.security.protocol': 'sasl_ssl',
      'properties.sasl.mechanism': 'oauthbearer',
      ...(Object.fromEntries(own) as Record<string, string>),
    },
    format: 'plain',
    encode: 'json',
    encodeOptions: {},
  };
  const context = { fileRoots: [], clock: new SystemClock() };
  const checked = checkSourceOptions(definition, [{ name: 'id', type: INT4 }], context);
  return (checked as unknown as { checked: { config: { sasl: SaslConfig } } }).checked.config.sasl;
}

function refusal(options: Readonly<Record<string, string>>): string {
  try {
    check(options);
  } catch (error) {
    assert.ok(error instanceof SqlError);
    assert.equal(error.sqlstate, '22023');
    return [error.message, error.fields.hint].join(' ');
  }
  return assert.fail(JSON.stringify(options));
}

test('a token, or an endpoint', () => {
  assert.deepEqual(check({ token: 'abc' }), {
    mechanism: 'OAUTHBEARER',
    username: '',
    password: 'abc',
  });
  const url = 'https://login.example.com/token?tenant=1';
  assert.deepEqual(
    check({
      'token.endpoint.url': url,
      ...CLIENT,
      scope: 'a b',
      extensions: 'logicalCluster=lkc-1, identityPoolId=p=2',
      'header.urlencode': 'true',
    }),
    {
      mechanism: 'OAUTHBEARER',
      username: 'me',
      password: 'marked',
      endpoint: { url, scope: 'a b', isUrlEncoded: true },
      extensions: { logicalCluster: 'lkc-1', identityPoolId: 'p=2' },
    },
  );
});

test('endpoints that nobody listens to on the way', () => {
  for (const host of ['localhost', '127.0.0.1:8080', '127.1.2.3', '[::1]:1']) {
    check({ 'token.endpoint.url': `http://${host}/token`, ...CLIENT });
  }
  for (const url of [
    'http://example.com/token',
    'http://127.0.0.1.example.com',
    'ftp://localhost',
    'token',
    'https://me:marked@example.com',
    'https:/me:marked@example.com',
    'me:marked@example.com/token',
  ]) {
    const message = refusal({ 'token.endpoint.url': url, ...CLIENT });
    assert.match(message, /token\.endpoint\.url.* It must be a URL of https, or of http on this/);
    assert.doesNotMatch(message, /marked/);
  }
});

test('what is missing, too much, or no token', () => {
  assert.match(refusal({}), /needs one of the options "\S+token" and "\S+token\.endpoint\.url"/);
  assert.match(refusal({ token: 'abc', 'token.endpoint.url': 'https://x' }), /needs one of/);
  const alone = refusal({ 'token.endpoint.url': 'https://x' });
  assert.match(alone, /needs the option "\S+client\.credentials\.client\.id"/);
  assert.match(refusal({ token: 'abc', scope: 'a' }), /"\S+scope" needs the option "\S+url"/);
  const broken = refusal({ token: 'marked token' });
  assert.match(broken, /invalid value for option "\S+token"/);
  assert.doesNotMatch(broken, /marked/);
  for (const extensions of ['auth=x', 'a', 'a b=c', 'a=']) {
    assert.match(refusal({ token: 'abc', extensions }), /It must be names and values/);
  }
});
