/** Secrets from outside: another value, what lies in the data directory, the key file, and what happens without the right key. */

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { test } from 'node:test';
import { ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';

const VALUE = 'marked-secret-value-4711';
const BODY = '{"id": 1}';
const LATER_VALUE = 'marked-later-value-4712';
const signatureBy = (secret: string) => createHmac('sha256', secret).update(BODY).digest('hex');
const SIGNATURE = signatureBy(LATER_VALUE);

/** Every file below the directory that holds one of the texts. */
function filesWith(directory: string, texts: readonly string[]): string[] {
  const files = fs
    .readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
  assert.ok(files.length > 0);
  return files.filter((file) => {
    const bytes = fs.readFileSync(file);
    return texts.some((text) => bytes.includes(text));
  });
}

const FORMS = [VALUE, LATER_VALUE].flatMap((value) => {
  const bytes = Buffer.from(value);
  return [value, bytes.toString('base64'), bytes.toString('hex')];
});

async function postStatus(server: ServerProcess, signature: string): Promise<number> {
  const headers = { 'x-hub-signature-256': signature };
  const answer = await fetch(`${server.httpUrl}/ingest/public/hooks`, {
    method: 'POST',
    body: BODY,
    headers,
  });
  await answer.arrayBuffer();
  return answer.status;
}

test('a secret works through kill -9, its value may change, the data directory does not hold it, and the key must be there', async (t) => {
  const directory = fs.mkdtempSync(path.join(tmpdir(), 'millrace-key-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const server = await ServerProcess.start({ isHttpOn: true });
  t.after(() => server.dispose());
  const client = await SqlClient.connect(server.url);
  await client.query(`CREATE SECRET hook WITH (backend = 'meta') AS '${VALUE}'`);
  await client.query(
    "CREATE SOURCE hooks (id int) WITH (connector = 'webhook', secret = secret hook) FORMAT PLAIN ENCODE JSON",
  );
  await client.query('CREATE MATERIALIZED VIEW seen AS SELECT id FROM hooks');
  assert.equal(await postStatus(server, signatureBy(VALUE)), 200);
  await client.query(`ALTER SECRET hook AS '${LATER_VALUE}'`);
  assert.equal(await postStatus(server, signatureBy(VALUE)), 403);
  assert.equal(await postStatus(server, SIGNATURE), 200);
  assert.deepEqual(filesWith(server.dataDir, FORMS), []);
  await client.close();
  await server.kill();
  await server.restart();
  assert.equal(await postStatus(server, SIGNATURE), 200);
  assert.equal(await postStatus(server, SIGNATURE.replace(/^./, 'x')), 403);
  // With the checkpoint of the end, too.
  await server.stop();
  assert.deepEqual(filesWith(server.dataDir, FORMS), []);
  const file = path.join(server.dataDir, 'secret.key');
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  const elsewhere = path.join(directory, 'key');
  fs.renameSync(file, elsewhere);
  const refused = async (line: RegExp) => {
    server.spawn();
    assert.equal((await server.exit(20_000)).code, 1);
    assert.match(server.log, line);
  };
  await refused(/^millrace: could not read the key file ".*secret\.key": ENOENT/m);
  assert.ok(!fs.existsSync(file));
  fs.writeFileSync(file, `${'0'.repeat(64)}\n`);
  await refused(/^millrace: the key in ".*secret\.key" does not open the secrets/m);
  const moved = await ServerProcess.start({
    isHttpOn: true,
    dataDir: server.dataDir,
    args: ['--secret-key-file', elsewhere],
  });
  t.after(() => moved.dispose());
  assert.equal(await postStatus(moved, SIGNATURE), 200);
  const again = await SqlClient.connect(moved.url);
  assert.equal(await again.value('SELECT count(*) FROM seen'), '4');
  await again.close();
  assert.ok(FORMS.every((text) => !server.log.includes(text) && !moved.log.includes(text)));
});
