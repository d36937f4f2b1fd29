/**
 * Logging in with a password, and TLS: node-postgres and psql against SCRAM-SHA-256, with and
 * without encryption.
 */

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import pg from 'pg';
import type { TlsFiles } from '../base/config.ts';
import { SILENT_LOG } from '../base/log.ts';
import { FakeSessions } from '../testing/fake-session.ts';
import { frame, packet, RawClient, startup } from '../testing/raw-client.ts';
import { createAuthentication } from './authentication.ts';
import {
  createVerifier,
  preparePassword,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  ScramExchange,
} from './scram.ts';
import { startWireServer, type WireServer } from './server.ts';

const PSQL = '/usr/bin/psql';
const OPENSSL = ['/usr/bin/openssl', '/usr/local/bin/openssl'].find((file) => existsSync(file));
const NO_OPENSSL = OPENSSL === undefined && 'this machine has no openssl to make a certificate';
const PASSWORD = 'sesame \u{1f511} \u00e4';

let plain: WireServer;
let secured: WireServer | null = null;

before(async () => {
  plain = await start(null);
  if (OPENSSL !== undefined) secured = await start(selfSigned(OPENSSL));
});

after(async () => {
  await plain.close(1000);
  await secured?.close(1000);
});

function start(tls: TlsFiles | null): Promise<WireServer> {
  return startWireServer({
    host: '127.0.0.1',
    port: 0,
    sessions: new FakeSessions(),
    authentication: createAuthentication(PASSWORD),
    tls,
    log: SILENT_LOG,
  });
}

function selfSigned(openssl: string): TlsFiles {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
  try {
    const key = join(folder, 'key.pem');
    const cert = join(folder, 'cert.pem');
    const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const args = ['req', '-x509', ...kind, '-keyout', key, '-out', cert, '-subj', '/CN=localhost'];
    execFileSync(openssl, args, { stdio: 'pipe' });
    return { certPem: readFileSync(cert, 'utf8'), keyPem: readFileSync(key, 'utf8') };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function rowCount(server: WireServer, options: pg.ClientConfig): Promise<number | null> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: server.port,
    user: 'millrace',
    database: 'millrace',
    ...options,
  });
  client.on('error', () => undefined);
  await client.connect();
  const result = await client.query('rows 300');
  await client.end();
  return result.rowCount;
}

test('the right password logs in', async () => {
  assert.equal(await rowCount(plain, { password: PASSWORD }), 300);
});

test('a wrong password and an unknown user are refused alike', async () => {
  await assert.rejects(rowCount(plain, { password: 'wrong' }), {
    code: '28P01',
    message: 'password authentication failed for user "millrace"',
  });
  await assert.rejects(rowCount(plain, { user: 'nobody', password: PASSWORD }), {
    code: '28P01',
    message: 'password authentication failed for user "nobody"',
  });
});

test('broken answers to the authentication end the connection', async () => {
  const initial = (data: string) => {
    const size = Buffer.alloc(4);
    size.writeInt32BE(data.length);
    return frame('p', Buffer.concat([Buffer.from('SCRAM-SHA-256\0'), size, Buffer.from(data)]));
  };
  const cases: [Uint8Array, RegExp][] = [
    [frame('Q', Buffer.from('rows 1\0')), /^E FATAL 08P01 expected SASL response/],
    [frame('p', Buffer.from('MD5\0\xff\xff\xff\xff', 'latin1')), /^E FATAL 08P01 client selected/],
    [frame('p', Buffer.alloc(5000)), /^E FATAL 08P01 invalid message length/],
    [initial('n,,n=,r=short'), /^R$/],
    [initial('nonsense'), /^E FATAL 08P01 malformed SCRAM message/],
    [initial('p=tls-unique,,n=,r=abc'), /^E FATAL 08P01 malformed SCRAM message/],
    [initial('n,a=other,n=,r=abc'), /^E FATAL 0A000 client uses authorization identity/],
  ];
  for (const [bytes, expected] of cases) {
    const client = await RawClient.open(plain.port);
    client.send(startup({ user: 'millrace' }), bytes);
    client.send(frame('p', Buffer.from('c=biws,r=bad,p=bad')));
    const answer = await client.untilClosed();
    assert.equal(answer[0], 'R');
    assert.match(answer[1] ?? '', expected);
    assert.match(answer.at(-1) ?? '', /^E FATAL/);
  }
});

test('psql logs in with the password', { skip: !existsSync(PSQL) && 'no psql' }, async () => {
  const url = `postgres://millrace@127.0.0.1:${plain.port}/millrace`;
  const env = { ...process.env, PGPASSWORD: PASSWORD };
  const { stdout } = await promisify(execFile)(PSQL, ['-XAt', url, '-c', 'rows 1'], { env });
  assert.equal(stdout, '0|r0\n');
});

test('TLS by SSLRequest', { skip: NO_OPENSSL }, async () => {
  assert.ok(secured);
  const ssl = { rejectUnauthorized: false };
  assert.equal(await rowCount(secured, { password: PASSWORD, ssl }), 300);
  assert.equal(await rowCount(secured, { password: PASSWORD }), 300, 'plain stays possible');
  const bound = { password: PASSWORD, ssl, enableChannelBinding: true };
  assert.equal(await rowCount(secured, bound as pg.ClientConfig), 300);
});

test('psql binds SCRAM to the TLS channel', { skip: NO_OPENSSL || !existsSync(PSQL) }, async () => {
  assert.ok(secured);
  const options = 'sslmode=require&channel_binding=require';
  const url = `postgres://millrace@127.0.0.1:${secured.port}/millrace?${options}`;
  const env = { ...process.env, PGPASSWORD: PASSWORD };
  const args = ['-XAt', url, '-c', 'rows 2000', '-c', '\\conninfo'];
  const { stdout } = await promisify(execFile)(PSQL, args, { env });
  assert.match(stdout, /1999\|r1999\n.*\nSSL connection \(protocol: TLSv1\.3/);
});

test('TLS without SSLRequest needs the protocol by name', { skip: NO_OPENSSL }, async () => {
  const port = secured?.port ?? 0;
  const first = async (ALPNProtocols: string[]) => {
    const socket = connectTls({
      port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      ALPNProtocols,
    });
    socket.on('error', () => undefined);
    socket.write(startup({ user: 'millrace' }));
    return new Promise<string>((resolve) => {
      socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1', 0, 1)));
      socket.once('close', () => resolve('closed'));
    }).finally(() => socket.destroy());
  };
  assert.equal(await first(['postgresql']), 'R');
  assert.equal(await first([]), 'closed');
});

test('a broken TLS handshake closes', { skip: NO_OPENSSL }, async () => {
  const client = await RawClient.open(secured?.port ?? 0);
  client.send(packet(80_877_103));
  assert.equal(await client.byte(), 'S');
  client.send(Buffer.from('this is not TLS at all, and never will be'));
  await client.untilClosed();
  assert.equal(client.isClosed, true);
});

test('the exchange refuses a nonce, a binding or a proof that is not its own', () => {
  const verifier = createVerifier('x');
  const started = (mechanism: string, binding: Buffer | null, first: string) => {
    const exchange = new ScramExchange(verifier, mechanism, binding);
    return { exchange, nonce: /^r=([^,]+)/.exec(exchange.first(first))?.[1] ?? '' };
  };
  const plainFirst = 'n,,n=,r=abc';
  const one = started(SCRAM_SHA_256, null, plainFirst);
  assert.throws(() => one.exchange.final('c=biws,r=other,p=AAAA'), /malformed/);
  assert.equal(one.exchange.final(`c=biws,r=${one.nonce},p=AAAA`), null);
  const proof = Buffer.alloc(32).toString('base64');
  assert.equal(one.exchange.final(`c=biws,r=${one.nonce},p=${proof}`), null);
  assert.throws(
    () => one.exchange.final(`c=eSws,r=${one.nonce},p=${proof}`),
    /binding check failed/,
  );
  const hash = Buffer.alloc(32, 7);
  const two = started(SCRAM_SHA_256_PLUS, hash, 'p=tls-server-end-point,,n=,r=abc');
  assert.throws(
    () => two.exchange.final(`c=biws,r=${two.nonce},p=${proof}`),
    /binding check failed/,
  );
  const downgraded = new ScramExchange(verifier, SCRAM_SHA_256, hash);
  assert.throws(() => downgraded.first('y,,n=,r=abc'), /negotiation error/);
  const unbound = new ScramExchange(verifier, SCRAM_SHA_256_PLUS, hash);
  assert.throws(() => unbound.first(plainFirst), /malformed/);
});

test('passwords are prepared as SASLprep says', () => {
  assert.equal(preparePassword('I\u00adX'), 'IX');
  assert.equal(preparePassword('\u00aa'), 'a');
  assert.equal(preparePassword('\u2168'), 'IX');
  assert.equal(preparePassword('a\u00a0b'), 'a b');
  assert.equal(preparePassword('\u0007'), '\u0007');
});
