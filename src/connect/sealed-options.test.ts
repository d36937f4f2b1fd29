import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SystemClock } from '../base/clock.ts';
import { newSecretKey, SecretBox } from '../base/secret-box.ts';
import { INT4 } from '../types/data-type.ts';
import { checkSourceOptions } from './connectors.ts';
import {
  isHiddenOption,
  maySecretBe,
  openOptions,
  sealedTexts,
  sealOptions,
  withTexts,
} from './sealed-options.ts';

const box = new SecretBox({ hex: newSecretKey() });

function check(password: string, token: string) {
  const definition = {
    connector: 'kafka',
    options: {
      connector: 'kafka',
      topic: 'orders,sesame',
      'properties.bootstrap.server': 'localhost:9092',
      'properties.security.protocol': 'sasl_plaintext',
      'properties.sasl.mechanism': 'plain',
      'properties.sasl.username': 'sesame',
      'properties.sasl.password': password,
    },
    format: 'plain',
    encode: 'avro',
    encodeOptions: {
      'schema.registry': 'http://localhost:8081',
      'schema.registry.username': 'reader',
      'schema.registry.password': token,
    },
  };
  const context = { fileRoots: [], clock: new SystemClock() };
  return checkSourceOptions(definition, [{ name: 'id', type: INT4 }], context);
}

test('what comes from a secret is sealed, also where it is a part of a text; all else stays', () => {
  const checked = check('sesame', 'registry sesame');
  const kept = sealOptions(checked, checked, check('other', 'another'), box);
  const text = JSON.stringify(kept);
  assert.deepEqual(openOptions(kept, box), checked);
  assert.equal(text.match(/sealed:/g)?.length, 2);
  assert.ok(!text.includes(Buffer.from('reader:registry sesame').toString('base64')));
  // The topic and the user name of the same text are no secrets.
  assert.equal(text.match(/sesame/g)?.length, 2);
  assert.match(text, /"topics":\["orders","sesame"\]|orders.*sesame/);
});

test('what was added to the checked options stays as it is', () => {
  const box2 = new SecretBox({ hex: newSecretKey() });
  const kept = sealOptions(
    { a: 's', list: ['s', 1, null], id: 7, more: { b: 's' } },
    { a: 's', list: ['s', 1, null] },
    { a: 't', list: ['t', 1, null] },
    box2,
  ) as { a: string; list: unknown[]; id: number; more: unknown };
  assert.deepEqual([kept.id, kept.more, kept.list[1]], [7, { b: 's' }, 1]);
  assert.deepEqual(openOptions(kept as never, box2), {
    a: 's',
    list: ['s', 1, null],
    id: 7,
    more: { b: 's' },
  });
  assert.throws(() => openOptions(kept as never, box), { sqlstate: '58000' });
});

test('another value of a secret goes where the one before was', () => {
  const probed = { ...(check('first', 'first') as object), schemaId: 7 };
  const first = check('first', 'first');
  const kept = sealOptions(probed, first, check('other', 'other'), box);
  const second = check('second', 'second');
  const texts = sealedTexts(second, check('other', 'other'), box);
  assert.doesNotMatch(JSON.stringify(texts), /second|Basic/);
  assert.deepEqual(openOptions(withTexts(kept, texts), box), {
    ...(second as object),
    schemaId: 7,
  });
});

test('secrets are what errors and status never show', () => {
  for (const name of ['properties.sasl.password', 'properties.ssl.key.pem', 'secret']) {
    assert.ok(maySecretBe(name), name);
  }
  const oauth = 'properties.sasl.oauthbearer';
  for (const name of [`${oauth}.token`, `${oauth}.client.credentials.client.secret`]) {
    assert.ok(maySecretBe(name) && isHiddenOption(name), name);
  }
  const shown = ['topic', 'path', 'properties.bootstrap.server', 'schema.registry'];
  for (const name of [...shown, `${oauth}.token.endpoint.url`]) {
    assert.ok(!maySecretBe(name) && !isHiddenOption(name), name);
  }
});
