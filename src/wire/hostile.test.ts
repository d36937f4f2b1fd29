/** Hostile and broken frames: the answers of PostgreSQL 15 (reliability.md §6), case by case. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SILENT_LOG } from '../base/log.ts';
import { FakeSessions } from '../testing/fake-session.ts';
import {
  errorFields,
  frame,
  packet,
  RawClient,
  serialize,
  startup,
} from '../testing/raw-client.ts';
import { TRUST } from './authentication.ts';
import { startWireServer, type WireServer } from './server.ts';

const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const CANCEL_REQUEST = 80_877_102;

let server: WireServer;
const sessions = new FakeSessions();

before(async () => {
  server = await startWireServer({
    host: '127.0.0.1',
    port: 0,
    sessions,
    authentication: TRUST,
    tls: null,
    log: SILENT_LOG,
    loginTimeoutMs: 400,
  });
});

after(() => server.close(1000));

interface StartupCase {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly answer: readonly string[];
}

const LAYOUT = 'E FATAL 08P01 invalid startup packet layout: expected terminator as last byte';

const STARTUP_CASES: readonly StartupCase[] = [
  { name: 'length 3', bytes: packet(0x30000, Buffer.alloc(0), 3), answer: [] },
  { name: 'length 0x7fffffff', bytes: packet(0x30000, Buffer.alloc(0), 0x7fffffff), answer: [] },
  {
    name: 'protocol 2.0',
    bytes: startup({ user: 'x' }, 0x20000),
    answer: ['E FATAL 0A000 unsupported frontend protocol 2.0: server supports 3.0 to 3.0'],
  },
  {
    name: 'protocol 3.9999 without terminator',
    bytes: packet((3 << 16) | 9999, Buffer.from('user\0x\0')),
    answer: [LAYOUT],
  },
  { name: 'a name without value', bytes: packet(0x30000, Buffer.from('user\0')), answer: [LAYOUT] },
  {
    name: 'no user',
    bytes: startup({ database: 'millrace' }),
    answer: ['E FATAL 28000 no PostgreSQL user name specified in startup packet'],
  },
  {
    name: 'user that is not UTF-8',
    bytes: packet(0x30000, Buffer.from('user\0\xff\xfe\0\0', 'latin1')),
    answer: ['E FATAL 22021 invalid byte sequence for encoding "UTF8": 0xff'],
  },
  {
    name: 'replication',
    bytes: startup({ user: 'x', replication: 'database' }),
    answer: ['E FATAL 0A000 replication connections are not supported'],
  },
  {
    name: 'an unknown database',
    bytes: startup({ user: 'x', database: 'nowhere' }),
    answer: ['R', 'E FATAL 3D000 database "nowhere" does not exist'],
  },
  {
    name: 'options that are none',
    bytes: startup({ user: 'x', options: '--nonsense' }),
    answer: ['E FATAL 42601 invalid command-line argument for server process: --nonsense'],
  },
  {
    name: 'CancelRequest with a wrong key',
    bytes: packet(CANCEL_REQUEST, Buffer.from([0, 0, 0, 1, 9, 9, 9, 9])),
    answer: [],
  },
  { name: 'CancelRequest cut short', bytes: packet(CANCEL_REQUEST), answer: [] },
  { name: 'HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'), answer: [] },
  { name: 'a TLS handshake', bytes: Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0]), answer: [] },
];

for (const { name, bytes, answer } of STARTUP_CASES) {
  test(`start-up: ${name}`, async () => {
    const client = await RawClient.open(server.port);
    client.send(bytes);
    assert.deepEqual(await client.untilClosed(), answer);
  });
}

test('SSLRequest and GSSENCRequest are answered N, and start-up follows', async () => {
  const client = await RawClient.open(server.port);
  client.send(packet(GSS_REQUEST));
  assert.equal(await client.byte(), 'N');
  client.send(packet(SSL_REQUEST));
  assert.equal(await client.byte(), 'N');
  client.send(startup({ user: 'x' }));
  assert.equal((await client.untilReady()).at(-1), 'Z I');
  client.destroy();
});

test('a second SSLRequest, and one with a start-up stuffed behind it, close', async () => {
  const second = await RawClient.open(server.port);
  second.send(packet(SSL_REQUEST));
  assert.equal(await second.byte(), 'N');
  second.send(packet(SSL_REQUEST));
  assert.deepEqual(await second.untilClosed(), []);
  const stuffed = await RawClient.open(server.port);
  stuffed.send(packet(SSL_REQUEST), startup({ user: 'x' }));
  const answer = await stuffed.untilClosed();
  assert.match(answer[0] ?? '', /^E FATAL 08P01 received unencrypted data/);
});

test('a start-up that never ends, or never begins, is closed in time', async () => {
  const half = await RawClient.open(server.port);
  half.send(packet(0x30000, Buffer.from('user\0'), 10_000));
  assert.match((await half.untilClosed())[0] ?? '', /^E FATAL 57014 canceling authentication/);
  const mute = await RawClient.open(server.port);
  assert.match((await mute.untilClosed())[0] ?? '', /^E FATAL 57014 canceling authentication/);
});

test('a start-up byte by byte works', async () => {
  const client = await RawClient.open(server.port);
  for (const byte of startup({ user: 'x' })) {
    client.send(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await client.untilReady()).at(-1), 'Z I');
  client.destroy();
});

test('newer minor versions and unknown protocol options are negotiated down', async () => {
  const client = await RawClient.open(server.port);
  client.send(startup({ user: 'x', '_pq_.magic': '1' }, 0x30002));
  const message = await client.message();
  assert.equal(message?.letter, 'v');
  assert.equal(message?.body.toString('latin1'), '\0\x03\0\0\0\0\0\x01_pq_.magic\0');
  assert.equal((await client.untilReady()).at(-1), 'Z I');
  client.destroy();
});

const INVALID_LENGTH = 'E FATAL 08P01 invalid message length';

const FATAL_CASES: readonly StartupCase[] = [
  ...[0x7fffffff, 0xffffffff, 3, 0x3fffffff].map((length) => ({
    name: `Query length 0x${length.toString(16)}`,
    bytes: frame('Q', Buffer.alloc(0), length),
    answer: [INVALID_LENGTH],
  })),
  {
    name: 'Sync of 20,000 bytes',
    bytes: frame('S', Buffer.alloc(20_000)),
    answer: [INVALID_LENGTH],
  },
  {
    name: 'unknown type z',
    bytes: frame('z'),
    answer: ['E FATAL 08P01 invalid frontend message type 122'],
  },
  {
    name: 'PasswordMessage after login',
    bytes: frame('p', Buffer.from('x\0')),
    answer: ['E FATAL 08P01 invalid frontend message type 112'],
  },
];

for (const { name, bytes, answer } of FATAL_CASES) {
  test(`fatal: ${name}`, async () => {
    const client = await RawClient.login(server.port);
    client.send(bytes);
    assert.deepEqual(await client.untilClosed(), answer);
  });
}

interface OpenCase {
  readonly name: string;
  readonly bytes: readonly Uint8Array[];
  readonly answer: readonly string[];
}

const SYNC = serialize.sync();
const NO_COUNTS = Buffer.from([0, 0, 0, 0, 0, 0]);

function bind(portal: string, statement: string, rest: Uint8Array): Buffer {
  return frame('B', Buffer.concat([Buffer.from(`${portal}\0${statement}\0`), rest]));
}

/** One parameter, its size, and no bytes for it. */
function sizeOnly(size: number): Buffer {
  const bytes = Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]);
  bytes.writeInt32BE(size, 4);
  return bytes;
}

const OPEN_CASES: readonly OpenCase[] = [
  {
    name: 'Query without terminator',
    bytes: [frame('Q', Buffer.from('rows 1'))],
    answer: ['E ERROR 08P01 invalid string in message', 'Z I'],
  },
  {
    name: 'Query with a NUL inside',
    bytes: [frame('Q', Buffer.from('rows\0 1\0'))],
    answer: ['E ERROR 08P01 invalid message format', 'Z I'],
  },
  {
    name: 'Query with bytes FF FE',
    bytes: [frame('Q', Buffer.from('rows \xff\xfe\0', 'latin1'))],
    answer: ['E ERROR 22021 invalid byte sequence for encoding "UTF8": 0xff', 'Z I'],
  },
  {
    name: 'Query with a cut-off sequence',
    bytes: [frame('Q', Buffer.from('a\u00e4\xe2\x28\xa1 \0', 'latin1'))],
    answer: ['E ERROR 22021 invalid byte sequence for encoding "UTF8": 0xe4 0xe2 0x28', 'Z I'],
  },
  {
    name: 'Sync with a body',
    bytes: [frame('S', Buffer.from('x'))],
    answer: ['E ERROR 08P01 invalid message format', 'Z I'],
  },
  {
    name: 'Parse cut short',
    bytes: [frame('P', Buffer.from('s\0rows 1')), SYNC],
    answer: ['E ERROR 08P01 invalid string in message', 'Z I'],
  },
  {
    name: 'Parse of 65,535 parameters and no OIDs',
    bytes: [frame('P', Buffer.from('s\0rows 1\0\xff\xff', 'latin1')), SYNC],
    answer: ['E ERROR 08P01 insufficient data left in message', 'Z I'],
  },
  {
    name: 'Bind to an unknown statement',
    bytes: [bind('', 'no', NO_COUNTS), SYNC],
    answer: ['E ERROR 26000 prepared statement "no" does not exist', 'Z I'],
  },
  {
    name: 'Bind with a wrong parameter count',
    bytes: [serialize.parse({ text: 'params' }), bind('', '', NO_COUNTS), SYNC],
    answer: [
      '1',
      'E ERROR 08P01 bind message supplies 0 parameters, but prepared statement "" requires 2',
      'Z I',
    ],
  },
  ...[0x7fffffff, -2].map((size) => ({
    name: `Bind value length ${size}`,
    bytes: [serialize.parse({ text: 'params' }), bind('', '', sizeOnly(size)), SYNC],
    answer: ['1', 'E ERROR 08P01 insufficient data left in message', 'Z I'],
  })),
  {
    name: 'Bind format code 7',
    bytes: [
      serialize.parse({ text: 'params' }),
      bind('', '', Buffer.from([0, 1, 0, 7, 0, 0, 0, 0])),
      SYNC,
    ],
    answer: ['1', 'E ERROR 22023 unsupported format code: 7', 'Z I'],
  },
  {
    name: 'Bind with two formats for one parameter',
    bytes: [
      bind('', '', Buffer.from([0, 2, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 0])),
      SYNC,
    ],
    answer: ['E ERROR 08P01 bind message has 2 parameter formats but 1 parameters', 'Z I'],
  },
  {
    name: 'Execute of an unknown portal',
    bytes: [serialize.execute({ portal: 'p', rows: 0 }), SYNC],
    answer: ['E ERROR 34000 portal "p" does not exist', 'Z I'],
  },
  {
    name: 'Describe kind q',
    bytes: [frame('D', Buffer.from('qx\0')), SYNC],
    answer: ['E ERROR 08P01 invalid DESCRIBE message subtype 113', 'Z I'],
  },
  {
    name: 'Close kind q',
    bytes: [frame('C', Buffer.from('qx\0')), SYNC],
    answer: ['E ERROR 08P01 invalid CLOSE message subtype 113', 'Z I'],
  },
  {
    name: 'Close of an unknown name',
    bytes: [frame('C', Buffer.from('Snone\0')), SYNC],
    answer: ['3', 'Z I'],
  },
  {
    name: 'an error in Parse, then Bind, Execute, Sync',
    bytes: [
      serialize.parse({ text: 'error 42601 0 no' }),
      bind('', '', NO_COUNTS),
      serialize.execute({ rows: 0 }),
      SYNC,
    ],
    answer: ['E ERROR 42601 no', 'Z I'],
  },
  {
    name: 'CopyData, CopyDone and CopyFail outside COPY',
    bytes: [frame('d', Buffer.from('x')), frame('c'), frame('f', Buffer.from('x\0')), SYNC],
    answer: ['Z I'],
  },
  {
    name: 'a function call',
    bytes: [frame('F', Buffer.alloc(8))],
    answer: ['E ERROR 0A000 the function call message is not supported', 'Z I'],
  },
  { name: 'an empty query', bytes: [serialize.query('')], answer: ['I', 'Z I'] },
  {
    name: 'a stack overflow',
    bytes: [serialize.query('overflow')],
    answer: ['E ERROR 54001 stack depth limit exceeded', 'Z I'],
  },
  {
    name: 'a bug',
    bytes: [serialize.query('bug')],
    answer: ['E ERROR XX000 internal error: x is not a function', 'Z I'],
  },
];

for (const { name, bytes, answer } of OPEN_CASES) {
  test(`open: ${name}`, async () => {
    const client = await RawClient.login(server.port);
    client.send(...bytes);
    assert.deepEqual(await client.untilReady(), answer);
    client.send(serialize.query('begin'));
    assert.deepEqual(await client.untilReady(), ['C BEGIN', 'Z T']);
    client.destroy();
  });
}

test('half a frame and silence costs nothing, and its end is the end', async () => {
  const client = await RawClient.login(server.port);
  client.send(frame('Q', Buffer.from('rows'), 60 * 1024 * 1024));
  client.socket.end();
  assert.deepEqual(await client.untilClosed(), []);
});

test('a message of several megabytes arrives whole', async () => {
  const client = await RawClient.login(server.port);
  const text = `error 42601 ${4_000_000} ${'y'.repeat(4_000_000)}`;
  client.send(serialize.query(text));
  const message = await client.message();
  assert.equal(message?.letter, 'E');
  assert.equal(errorFields(message?.body ?? Buffer.alloc(0)).P, '4000001');
  client.destroy();
});

test('a fatal error of the session closes the connection', async () => {
  const client = await RawClient.login(server.port);
  client.send(serialize.query('fatal'));
  assert.deepEqual(await client.untilClosed(), ['E FATAL 57P05 idle for too long']);
  assert.equal(sessions.opened.at(-1)?.hasEnded, true);
});
