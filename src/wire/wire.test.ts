/**
 * The wire with real clients: node-postgres, its cursors, psql where the machine has it, and many
 * statements at once.
 */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
// @ts-expect-error: the package has no types
import UntypedCursor from 'pg-cursor';
import { type LogLine, recordingLog } from '../base/log.ts';
import { Metrics } from '../base/metrics.ts';
import { FakeSessions } from '../testing/fake-session.ts';
import { errorFields, frame, packet, RawClient, serialize } from '../testing/raw-client.ts';
import { TRUST } from './authentication.ts';
import { startWireServer, type WireServer } from './server.ts';

interface RowCursor extends pg.Submittable {
  read(rowsMax: number): Promise<unknown[]>;
  close(): Promise<void>;
}

const Cursor = UntypedCursor as new (text: string) => RowCursor;

const PSQL = '/usr/bin/psql';

let server: WireServer;
const sessions = new FakeSessions();
const lines: LogLine[] = [];
const metrics = new Metrics();

before(async () => {
  server = await startWireServer({
    host: '127.0.0.1',
    port: 0,
    sessions,
    authentication: TRUST,
    tls: null,
    log: recordingLog(lines),
    metrics,
    connectionsMax: 8,
  });
});

after(() => server.close(1000));

function lastSession() {
  const session = sessions.opened.at(-1);
  assert.ok(session);
  return session;
}

async function connect(options: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port: server.port,
    user: 'millrace',
    database: 'millrace',
    ...options,
  });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** Retries until the condition holds. */
async function eventually(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 500 && !condition(); i++) {
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.ok(condition());
}

test('a simple query: fields, rows, tag', async () => {
  const client = await connect({
    application_name: 'tests',
    options: '-c search_path=a -c x=b\\ c',
  });
  const result = await client.query('rows 3');
  assert.deepEqual(result.rows, [
    { n: 0, t: 'r0' },
    { n: 1, t: 'r1' },
    { n: 2, t: 'r2' },
  ]);
  assert.equal(result.command, 'SELECT');
  assert.equal(result.rowCount, 3);
  assert.deepEqual(
    result.fields.map(({ name, dataTypeID, dataTypeSize, tableID, columnID }) => [
      name,
      dataTypeID,
      dataTypeSize,
      tableID,
      columnID,
    ]),
    [
      ['n', 23, 4, 0, 0],
      ['t', 25, -1, 16_400, 2],
    ],
  );
  const { startup } = lastSession();
  assert.equal(startup.user, 'millrace');
  assert.equal(startup.database, 'millrace');
  assert.equal(startup.clientAddress, '127.0.0.1');
  assert.equal(startup.settings.get('application_name'), 'tests');
  assert.equal(startup.settings.get('search_path'), 'a');
  assert.equal(startup.settings.get('x'), 'b c');
  await client.end();
  await eventually(() => lastSession().hasEnded);
});

test('several statements answer one by one, and an error ends the message', async () => {
  const client = await connect();
  const results = (await client.query('begin; rows 2; commit')) as unknown as pg.QueryResult[];
  assert.deepEqual(
    results.map((result) => result.command),
    ['BEGIN', 'SELECT', 'COMMIT'],
  );
  await assert.rejects(client.query('begin; error 42P01 7 nope; rows 1'), { code: '42P01' });
  assert.deepEqual(lastSession().calls.at(-1), 'failed');
  assert.equal(lastSession().status, 'E');
  await client.end();
});

test('errors carry their fields; positions count characters', async () => {
  const client = await connect();
  const text = 'error 42703 20 "\u{1f600}\u00e4" is wrong';
  const error = await client.query(text).catch((thrown) => thrown);
  assert.ok(error instanceof pg.DatabaseError);
  assert.equal(error.severity, 'ERROR');
  assert.equal(error.code, '42703');
  assert.equal(error.message, '"\u{1f600}\u00e4" is wrong');
  assert.equal(error.detail, 'the detail');
  assert.equal(error.hint, 'the hint');
  assert.equal(error.position, '20', 'the emoji is two units and one character');
  await client.end();
});

test('notices and parameter changes arrive', async () => {
  const client = await connect();
  const seen: string[] = [];
  client.on('notice', (notice) => seen.push(`${notice.severity} ${notice.message} ${notice.hint}`));
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter };
  connection.on('parameterStatus', (message) =>
    seen.push(`${message.parameterName}=${message.parameterValue}`),
  );
  await client.query('notice; set TimeZone UTC');
  assert.deepEqual(seen, ['NOTICE hear listen', 'TimeZone=UTC']);
  await client.end();
});

test('the extended protocol: statements, parameters, binary results', async () => {
  const client = await connect();
  assert.equal((await client.query({ text: 'params', values: ['7', null] })).command, 'PARAMS');
  assert.ok(lastSession().calls.includes('bind   [0,0] [7,NULL] [0]'), lastSession().calls.join());
  const config = { text: 'rows 2', values: [], binary: true, name: 's' };
  const binary = await client.query(config as pg.QueryConfig);
  assert.deepEqual(binary.rows, [
    { n: 0, t: 'r0' },
    { n: 1, t: 'r1' },
  ]);
  await client.query({ text: 'rows 2', values: [], name: 's' });
  assert.equal(lastSession().calls.filter((call) => call.startsWith('parse s')).length, 1);
  await assert.rejects(client.query({ text: 'error 42601 3 no', values: [] }), {
    code: '42601',
    position: '4',
  });
  assert.equal((await client.query({ text: 'rows 1', values: [] })).rowCount, 1);
  await client.end();
});

test('a cursor suspends and resumes', async () => {
  const client = await connect();
  await client.query('begin');
  const cursor = client.query(new Cursor('rows 250'));
  const counts: number[] = [];
  for (;;) {
    const rows = await cursor.read(100);
    counts.push(rows.length);
    if (rows.length === 0) break;
  }
  assert.deepEqual(counts, [100, 100, 50, 0]);
  await cursor.close();
  await client.query('commit');
  await client.end();
});

test('Describe and Flush answer without Sync', async () => {
  const client = await RawClient.login(server.port);
  client.send(
    serialize.parse({ name: 's', text: 'params' }),
    serialize.describe({ type: 'S', name: 's' }),
    serialize.flush(),
  );
  const letters: string[] = [];
  for (let i = 0; i < 3; i++) letters.push((await client.message())?.letter ?? 'closed');
  assert.deepEqual(letters, ['1', 't', 'n']);
  client.send(serialize.sync());
  assert.deepEqual(await client.untilReady(), ['Z I']);
  client.destroy();
});

test('hundreds of pipelined statements are answered in order', async () => {
  const client = await RawClient.login(server.port);
  const one = [
    serialize.parse({ text: 'rows 1' }),
    serialize.bind({}),
    serialize.execute({ rows: 0 }),
    serialize.sync(),
  ];
  client.send(...Array.from({ length: 300 }, () => one).flat());
  for (let i = 0; i < 300; i++) {
    assert.deepEqual(await client.untilReady(), ['1', '2', 'D', 'C SELECT 1', 'Z I']);
  }
  client.destroy();
});

test('COPY FROM STDIN: data, CopyFail, an error in the middle', async () => {
  const client = await RawClient.login(server.port);
  client.send(serialize.query('copy in'));
  assert.equal((await client.message())?.letter, 'G');
  client.send(
    frame('d', Buffer.from('a\nb')),
    frame('H'),
    frame('S'),
    frame('d', Buffer.from('\n')),
  );
  client.send(frame('c'));
  assert.deepEqual(await client.untilReady(), ['C COPY 2', 'Z I']);
  assert.equal(lastSession().copied, 'a\nb\n');

  client.send(
    serialize.query('copy in'),
    frame('d', Buffer.from('x\n')),
    frame('f', Buffer.from('no\0')),
  );
  const failed = await client.untilReady();
  assert.deepEqual(failed, ['G', 'E ERROR 57014 COPY from stdin failed: no', 'Z I']);

  client.send(serialize.query('copy in'), frame('d', Buffer.from('bad\n')));
  const refused = 'E ERROR 22P04 extra data after last expected column';
  assert.deepEqual(await client.untilReady(), ['G', refused, 'Z I']);
  client.send(frame('d', Buffer.from('more')), frame('c'), serialize.query('rows 0'));
  assert.deepEqual(await client.untilReady(), ['T', 'C SELECT 0', 'Z I']);

  client.send(serialize.query('copy in'), serialize.query('rows 1'));
  const unexpected = 'E ERROR 08P01 unexpected message type 0x51 during COPY from stdin';
  assert.deepEqual(await client.untilReady(), ['G', unexpected, 'Z I']);
  assert.equal(lastSession().copied, 'a\nb\n');
  client.destroy();
});

test('a client that is gone in mid-COPY leaves nothing', async () => {
  const client = await RawClient.login(server.port);
  const session = lastSession();
  client.send(serialize.query('copy in'), frame('d', Buffer.from('x\n')));
  assert.equal((await client.message())?.letter, 'G');
  client.destroy();
  await eventually(() => session.hasEnded);
  assert.equal(session.copied, '');
});

test('COPY TO STDOUT', async () => {
  const client = await RawClient.login(server.port);
  client.send(serialize.query('copy out 2'));
  assert.deepEqual(await client.untilReady(), ['H', 'd', 'd', 'c', 'C COPY 2', 'Z I']);
  client.destroy();
});

test('a CancelRequest ends the statement, and only with the right key', async () => {
  const client = await connect();
  const { processID, secretKey } = client as unknown as { processID: number; secretKey: number };
  const running = client.query('sleep').catch((thrown) => thrown);
  const session = lastSession();
  await eventually(() => session.calls.includes('query sleep'));
  await cancel(processID, secretKey ^ 1);
  assert.ok(!session.calls.some((call) => call.startsWith('cancel')));
  await cancel(processID, secretKey);
  const error = await running;
  assert.equal(error.code, '57014');
  assert.equal(error.message, 'canceling statement due to user request');
  await cancel(processID, secretKey);
  assert.equal((await client.query('rows 1')).rowCount, 1, 'an idle connection hears no cancel');
  await client.end();
});

async function cancel(processId: number, key: number): Promise<void> {
  const client = await RawClient.open(server.port);
  const body = Buffer.alloc(8);
  body.writeInt32BE(processId, 0);
  body.writeInt32BE(key, 4);
  client.send(packet(80_877_102, body));
  assert.deepEqual(await client.untilClosed(), []);
}

test('a client that does not read stops its statement until a cancel', async () => {
  const client = await RawClient.login(server.port);
  const session = lastSession();
  client.socket.pause();
  client.send(serialize.query('wide 2000000'));
  await eventually(() => session.rowsSent > 0);
  let sent = -1;
  while (sent !== session.rowsSent) {
    sent = session.rowsSent;
    await new Promise((resolve) => setTimeout(resolve, 150));
  }
  // What the kernel's buffers hold (some MB on loopback) and 1 MiB of ours, out of 2 GB.
  assert.ok(sent < 20_000, `${sent} rows were sent to a client that does not read`);
  server.cancelBackend(session.startup.processId);
  await eventually(() => session.calls.includes('failed'));
  client.socket.resume();
  const answer = await client.untilReady();
  assert.equal(answer.at(-2), 'E ERROR 57014 canceling statement due to user request');
  assert.equal(answer.at(-1), 'Z I');
  client.destroy();
});

test('a lost client cancels its statement and ends its session', async () => {
  const client = await RawClient.login(server.port);
  const session = lastSession();
  client.send(serialize.query('sleep'));
  await eventually(() => session.calls.includes('query sleep'));
  client.destroy();
  await eventually(() => session.hasEnded);
  assert.ok(session.calls.includes('cancel connection to client lost'));
});

test('a client that sends no more has its statement cancelled, whatever it sent behind it', async () => {
  const client = await RawClient.login(server.port);
  const session = lastSession();
  client.send(
    serialize.parse({ text: 'sleep' }),
    serialize.bind({}),
    serialize.execute({ rows: 0 }),
  );
  client.send(serialize.sync());
  await eventually(() => session.calls.includes('execute  0'));
  client.socket.end();
  const answer = await client.untilClosed();
  assert.deepEqual(answer, ['1', '2', 'E ERROR 57014 connection to client lost', 'Z I']);
  assert.equal(session.hasEnded, true);
});

test('a client that half-closes gets its answers', async () => {
  const client = await RawClient.login(server.port);
  client.send(serialize.query('rows 2'), serialize.query('rows 1'), serialize.end());
  client.socket.end();
  const answer = await client.untilClosed();
  assert.deepEqual(answer, ['T', 'D', 'D', 'C SELECT 2', 'Z I', 'T', 'D', 'C SELECT 1', 'Z I']);
});

test('terminateBackend sends 57P01; a bug in the session is logged and survived', async () => {
  const client = await RawClient.login(server.port);
  client.send(serialize.query('bug'));
  assert.equal((await client.untilReady()).at(-1), 'Z I');
  assert.ok(lines.some(({ level, facts }) => level === 'error' && 'err' in facts));
  assert.equal(server.terminateBackend(lastSession().startup.processId), true);
  const answer = await client.untilClosed();
  assert.deepEqual(answer, ['E FATAL 57P01 terminating connection due to administrator command']);
  assert.equal(server.terminateBackend(999_999), false);
});

test('too many clients are refused with 53300', async () => {
  await eventually(() => server.connectionCount === 0);
  const clients = await Promise.all(Array.from({ length: 8 }, () => connect()));
  await assert.rejects(connect(), { code: '53300', message: 'sorry, too many clients already' });
  assert.match(await metrics.render(), /millrace_connections 8/);
  await Promise.all(clients.map((client) => client.end()));
  await eventually(() => server.connectionCount === 0);
});

test('close sends idle and busy clients away and ends their sessions', async () => {
  const own = new FakeSessions();
  const other = await startWireServer({
    host: '127.0.0.1',
    port: 0,
    sessions: own,
    authentication: TRUST,
    tls: null,
    log: recordingLog(),
  });
  const [idle, busy] = [await RawClient.login(other.port), await RawClient.login(other.port)];
  const mute = await RawClient.open(other.port);
  busy.send(serialize.query('sleep'));
  await eventually(() => own.opened[1]?.calls.includes('query sleep') === true);
  await other.close(2000);
  const farewell = 'E FATAL 57P01 terminating connection due to administrator command';
  assert.deepEqual(await idle.untilClosed(), [farewell]);
  const canceled = 'E ERROR 57014 terminating connection due to administrator command';
  assert.deepEqual(await busy.untilClosed(), [canceled, 'Z I', farewell]);
  assert.deepEqual(await mute.untilClosed(), [farewell]);
  assert.ok(own.opened.every((session) => session.hasEnded));
  await assert.rejects(RawClient.open(other.port), { code: 'ECONNREFUSED' });
});

test('a port that is taken is one line and exit code 1', async () => {
  const taken = startWireServer({
    host: '127.0.0.1',
    port: server.port,
    sessions,
    authentication: TRUST,
    tls: null,
    log: recordingLog(),
  });
  await assert.rejects(taken, {
    name: 'ConfigError',
    exitCode: 1,
    message: /is in use: stop the other/,
  });
});

test('psql talks to it', { skip: !existsSync(PSQL) && 'this machine has no psql' }, async () => {
  const run = promisify(execFile);
  const url = `postgres://millrace@127.0.0.1:${server.port}/millrace`;
  const { stdout } = await run(PSQL, [
    '-XAt',
    url,
    '-c',
    'rows 2',
    '-c',
    'copy out 2',
    '-c',
    '\\conninfo',
  ]);
  assert.match(stdout, /^0\|r0\n1\|r1\nline 0\nline 1\nYou are connected to database "millrace"/);
  const failed = await run(PSQL, ['-X', url, '-c', 'error 42601 6 no']).catch((error) => error);
  assert.match(
    failed.stderr,
    /^ERROR: {2}no\nLINE 1: error 42601 6 no\n {14}\^\nDETAIL: {2}the detail\nHINT: {2}the hint/,
  );
});

test('an error response leaves out what is not there', async () => {
  const client = await RawClient.login(server.port);
  client.send(serialize.query('nonsense'));
  const message = await client.message();
  const fields = errorFields(message?.body ?? Buffer.alloc(0));
  assert.deepEqual(Object.keys(fields), ['S', 'V', 'C', 'M', 'P']);
  client.destroy();
});
