import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { isSealed, newSecretKey, SecretBox } from './secret-box.ts';

test('a text comes back, is never sealed the same twice, and is not to be seen', () => {
  const box = new SecretBox({ hex: newSecretKey() });
  for (const text of ['', 'a', 'sésame \u{1f512}', 'x'.repeat(100_000)]) {
    const sealed = box.seal(text);
    assert.ok(isSealed(sealed) && !isSealed(text));
    assert.equal(box.open(sealed), text);
    assert.notEqual(box.seal(text), sealed);
    if (text !== '' && text !== 'a') assert.ok(!sealed.includes(text.slice(0, 10)));
  }
});

test('another key, or a single changed bit, opens nothing', () => {
  const box = new SecretBox({ hex: newSecretKey() });
  const sealed = box.seal('sesame');
  const refused = { sqlstate: '58000', message: 'the key does not open the secrets' };
  assert.throws(() => new SecretBox({ hex: newSecretKey() }).open(sealed), refused);
  const prefix = sealed.slice(0, sealed.indexOf(':') + 1);
  const bytes = Buffer.from(sealed.slice(prefix.length), 'base64');
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = changed[at]! ^ 1;
    assert.throws(() => box.open(prefix + changed.toString('base64')), refused);
  }
  assert.throws(() => box.open(prefix), refused);
});

test('the key file: made once, for its owner only; one that is missing or broken is named', () => {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'millrace-key-'));
  try {
    const file = path.join(directory, 'secret.key');
    assert.throws(() => new SecretBox({ file }).seal('x'), { sqlstate: '58030' });
    assert.ok(!fs.existsSync(file));
    const box = new SecretBox({ file });
    box.ensureKey();
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    const sealed = box.seal('sesame');
    const key = fs.readFileSync(file, 'utf8');
    new SecretBox({ file }).ensureKey();
    assert.equal(fs.readFileSync(file, 'utf8'), key);
    assert.equal(new SecretBox({ file }).open(sealed), 'sesame');
    fs.writeFileSync(file, 'not a key');
    assert.throws(() => new SecretBox({ file }).open(sealed), /must be 64 hexadecimal digits/);
    assert.throws(() => new SecretBox({ file: path.join(file, 'x') }).ensureKey(), {
      sqlstate: '58030',
    });
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
});
