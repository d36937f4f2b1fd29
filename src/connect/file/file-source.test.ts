import assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { INT4, TEXT, TIMESTAMP } from '../../types/data-type.ts';
import type { Json } from '../source.ts';
import { type Columns, SourceUnderTest, temporaryDirectory, textOf } from '../source-fixture.ts';

const COLUMNS: Columns = [
  ['id', INT4],
  ['name', TEXT],
];
/** Longer than the time after which a followed file is looked at again. */
const LATER_US = 2_000_000n;

class Files {
  readonly directory: string;

  constructor(context: TestContext) {
    this.directory = temporaryDirectory(context);
  }

  path(name: string): string {
    return path.join(this.directory, name);
  }

  write(name: string, text: string | Buffer): void {
    fs.writeFileSync(this.path(name), text);
  }

  append(name: string, text: string): void {
    fs.appendFileSync(this.path(name), text);
  }

  source(options: Record<string, string>, columns = COLUMNS, encode?: string): SourceUnderTest {
    const spec = { connector: 'file', options, columns, ...(encode ? { encode } : {}) };
    return new SourceUnderTest(spec, [this.directory]);
  }
}

function lines(from: number, to: number): string {
  let text = '';
  for (let i = from; i < to; i += 1) text += `${i},name-${i}\n`;
  return text;
}

function rows(from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${from + i} name-${from + i}`);
}

test('a bounded file: rows, positions, end; every range is replayed exactly', (context) => {
  const files = new Files(context);
  files.write('a.csv', `id,name\n${lines(0, 3000)}x,bad\n3000,last`);
  const source = files.source({ path: 'a.csv' });
  const all = source.poll(source.started());
  assert.deepEqual(all.rows, [...rows(0, 3000), '3000 last']);
  assert.equal(all.chunks.at(-1)?.isEnded, true);
  const rejected = all.rejected[0]!;
  assert.equal(textOf(rejected.raw), 'x,bad');
  assert.equal(rejected.sqlstate, '22P02');
  assert.equal(rejected.reason, 'column "id": invalid input syntax for type integer: "x"');
  const offset = `id,name\n${lines(0, 3000)}`.length;
  const place = { file: files.path('a.csv'), line: 3002, offset, errorOffset: offset };
  assert.deepEqual(JSON.parse(String(rejected.position)), place);
  for (const [i, chunk] of all.chunks.entries()) {
    const resumed = source.poll(source.started({ '0': chunk.to }));
    assert.deepEqual(resumed.rows, all.rows.slice(1024 * (i + 1)));
    const replayed = source.replay('0', chunk.from, chunk.to);
    assert.deepEqual(replayed.rows, all.rows.slice(1024 * i, 1024 * (i + 1)));
    assert.deepEqual(replayed.rejected, chunk.rejected);
  }
  assert.deepEqual(source.replay('0', all.chunks[0]!.from, all.chunks.at(-1)!.to).rows, all.rows);
});

test('gzip, byte order mark, any batch size', (context) => {
  const files = new Files(context);
  files.write('a.csv.gz', gzipSync(`\ufeffid,name\r\n${lines(0, 5000).replaceAll('\n', '\r\n')}`));
  const source = files.source({ path: 'a.csv.gz' });
  const all = source.poll(source.started(), 7, 10_000);
  assert.deepEqual(all.rows, rows(0, 5000));
  const { from } = all.chunks[400]!;
  assert.deepEqual(source.replay('0', from, all.chunks[402]!.to).rows, rows(2800, 2821));
  // As a recovery does: range by range by one reader, which goes on where it stands, or does not.
  const reader = source.open();
  for (const step of [1, 3]) {
    for (let i = 0; i < all.chunks.length; i += step) {
      const chunk = all.chunks[i]!;
      const again = source.replay('0', chunk.from, chunk.to, reader);
      assert.deepEqual(again.rows, rows(7 * i, Math.min(5000, 7 * i + 7)));
      assert.deepEqual(again.chunks.at(-1)?.to ?? chunk.to, chunk.to);
    }
  }
  reader.close();
  files.write('b.csv.gz', gzipSync(lines(0, 5000)).subarray(0, 3000));
  const cut = files.source({ path: 'b.csv.gz' }, [
    ['0', INT4],
    ['name-0', TEXT],
  ]);
  assert.throws(() => cut.poll(cut.started()), {
    sqlstate: '58030',
    message: /unexpected end of file/,
  });
});

test('NDJSON by its name; a glob in name order as one split', (context) => {
  const files = new Files(context);
  files.write('p-2.ndjson', '{"id":3,"name":"name-3"}');
  files.write('p-1.ndjson', '{"id":1,"name":"name-1"}\n\n{"id":2,"name":"name-2"}\n');
  files.write('p-3.ndjson', '');
  files.write('p-4.ndjson', '{"id":4,"name":"name-4"}\n{"id":');
  const source = files.source({ path: 'p-*.ndjson' });
  files.write('p-0.ndjson', '{"id":0}');
  const reader = source.started();
  const all = source.poll(reader);
  assert.deepEqual(reader.splits, ['0']);
  assert.deepEqual(all.rows, rows(1, 5));
  assert.deepEqual(
    all.rejected.map(({ raw }) => textOf(raw)),
    ['{"id":'],
  );
  const ends = all.chunks.map(({ isEnded }) => isEnded);
  assert.equal(ends.filter(Boolean).length, 1);
  for (const chunk of all.chunks) source.replay('0', chunk.from, chunk.to);
  assert.deepEqual(source.replay('0', all.chunks[0]!.from, all.chunks.at(-1)!.to).rows, all.rows);
  const resumed = source.poll(source.started({ '0': all.chunks[0]!.to }));
  assert.deepEqual(resumed.rows, rows(3, 5));
});

test('follow: new lines, half a line, resumed and replayed', (context) => {
  const files = new Files(context);
  const source = files.source({ path: 'log.csv', follow: 'true' });
  const reader = source.started();
  const poll = (): string[] => {
    source.clock.advanceUs(LATER_US);
    const read = source.poll(reader);
    for (const chunk of read.chunks) chunks.push(chunk.to);
    return read.rows;
  };
  const chunks: Json[] = [];
  assert.deepEqual(poll(), []);
  files.write('log.csv', 'id,na');
  assert.deepEqual(poll(), []);
  files.append('log.csv', 'me\n0,name-0\n1,nam');
  assert.deepEqual(poll(), rows(0, 1));
  files.append('log.csv', 'e-1\n');
  assert.deepEqual(poll(), rows(1, 2));
  assert.deepEqual(poll(), []);
  files.append('log.csv', lines(2, 4));
  const resumed = source.started({ '0': chunks.at(-1)! });
  assert.deepEqual(source.poll(resumed).rows, rows(2, 4));
  assert.deepEqual(poll(), rows(2, 4));
  assert.deepEqual(source.replay('0', chunks[1]!, chunks.at(-1)!).rows, rows(1, 4));
});

test('follow: rotation, several of them while nobody reads, and truncation', (context) => {
  const files = new Files(context);
  const rename = (from: string, to: string): void =>
    fs.renameSync(files.path(from), files.path(to));
  const stamp = (name: string, seconds: number): void =>
    fs.utimesSync(files.path(name), seconds, seconds);
  files.write('log.csv', `id,name\n${lines(0, 2)}`);
  const source = files.source({ path: 'log.csv', follow: 'true' });
  let reader = source.started();
  const seen: string[] = [];
  let last: Json = null;
  const poll = (): void => {
    source.clock.advanceUs(LATER_US);
    for (const chunk of source.poll(reader).chunks) last = chunk.to;
  };
  const polled = (): string[] => {
    source.clock.advanceUs(LATER_US);
    const read = source.poll(reader);
    for (const chunk of read.chunks) {
      last = chunk.to;
      const again = source.replay(chunk.split, chunk.from, chunk.to).rows;
      seen.push(...again);
    }
    return read.rows;
  };
  assert.deepEqual(polled(), rows(0, 2));
  rename('log.csv', 'log.csv.1');
  files.append('log.csv.1', '2,name-2\n3,name-3');
  files.write('log.csv', `id,name\n${lines(4, 6)}`);
  assert.deepEqual(polled(), rows(2, 6));
  assert.deepEqual(seen, rows(0, 6));
  // Down: rotated twice meanwhile.
  reader.close();
  files.append('log.csv', lines(6, 7));
  stamp('log.csv.1', 1000);
  stamp('log.csv', 2000);
  rename('log.csv.1', 'log.csv.3');
  rename('log.csv', 'log.csv.2');
  files.write('log.csv.1', `id,name\n${lines(7, 9)}`);
  stamp('log.csv.1', 3000);
  files.write('log.csv.err', 'not,a,rotated,file\n');
  files.write('log.csv', `id,name\n${lines(9, 11)}`);
  reader = source.started({ '0': last });
  assert.deepEqual(polled(), rows(6, 11));
  // Truncated in place, once to nothing, once with new text of the same length and more.
  fs.truncateSync(files.path('log.csv'));
  poll();
  files.append('log.csv', `id,name\n${lines(11, 12)}`);
  assert.deepEqual(polled(), rows(11, 12));
  files.write('log.csv', `id,name\n${lines(12, 22)}`);
  assert.deepEqual(polled(), rows(12, 22));
  // Deleted, and a new one made.
  fs.rmSync(files.path('log.csv'));
  poll();
  files.write('log.csv', `id,name\n${lines(22, 23)}`);
  const restarted = source.started({ '0': last });
  assert.deepEqual(source.poll(restarted).rows, rows(22, 23));
  assert.deepEqual(polled(), rows(22, 23));
});

test('follow a glob: each file is a split, a rotated name is not read twice', (context) => {
  const files = new Files(context);
  files.write('a.csv', `id,name\n${lines(0, 2)}`);
  const source = files.source({ path: '*.csv*', follow: 'true' }, COLUMNS, 'csv');
  const reader = source.started();
  const positions = new Map<string, Json>();
  const poll = (from = reader): string[] => {
    source.clock.advanceUs(LATER_US);
    const read = source.poll(from);
    for (const chunk of read.chunks) positions.set(chunk.split, chunk.to);
    return read.rows.sort();
  };
  assert.deepEqual(poll(), rows(0, 2));
  files.write('b.csv', `id,name\n${lines(2, 3)}`);
  assert.deepEqual(poll(), rows(2, 3));
  fs.renameSync(files.path('a.csv'), files.path('a.csv.1'));
  files.write('a.csv', `id,name\n${lines(3, 4)}`);
  assert.deepEqual(poll(), rows(3, 4));
  assert.deepEqual(poll(), []);
  assert.deepEqual([...reader.splits].sort(), ['a.csv', 'b.csv']);
  files.append('b.csv', lines(4, 5));
  const resumed = source.started(Object.fromEntries(positions));
  assert.deepEqual(poll(resumed), rows(4, 5));
});

test('replay by event time', (context) => {
  const files = new Files(context);
  const stamps = ['00:00:00', '00:00:10', '00:00:05', '', '00:01:00'];
  files.write(
    't.csv',
    `id,ts\n${stamps.map((s, i) => `${i},${s && `2001-01-01 ${s}`}\n`).join('')}`,
  );
  const options = { path: 't.csv', 'replay.column': 'ts', 'replay.speed': '10' };
  const source = files.source(options, [
    ['id', INT4],
    ['ts', TIMESTAMP],
  ]);
  const reader = source.started();
  const ids = (from = reader): string[] => source.poll(from).rows.map((row) => row.split(' ')[0]!);
  assert.deepEqual(ids(), ['0']);
  assert.equal(reader.nextDueUs(), 1_000_000n);
  source.clock.advanceUs(999_999n);
  assert.deepEqual(ids(), []);
  source.clock.advanceUs(1n);
  const read = source.poll(reader);
  assert.equal(read.rows.length, 3);
  source.clock.advanceUs(5_000_000n);
  assert.deepEqual(ids(), ['4']);
  assert.deepEqual(ids(source.started({ '0': read.chunks[0]!.to })), ['4']);
});

test('a position whose bytes changed or are gone is an error, not other rows', (context) => {
  const files = new Files(context);
  files.write('a.csv', `id,name\n${lines(0, 10)}`);
  const bounded = files.source({ path: 'a.csv' });
  const followed = files.source({ path: 'a.csv', follow: 'true' });
  const to = bounded.poll(bounded.started(), 5).chunks[0]!.to;
  files.write('a.csv', `id,name\n${lines(1, 10)}`);
  assert.throws(() => bounded.started({ '0': to }), { sqlstate: '58030' });
  fs.rmSync(files.path('a.csv'));
  assert.throws(() => bounded.started({ '0': to }), { sqlstate: '58030' });
  assert.throws(() => followed.started({ '0': to }), { sqlstate: '58030' });
});

test('a record that is too long, or a quote that never closes, spoils one line', (context) => {
  const files = new Files(context);
  files.write('a.csv', `id,name\n0,name-0\n1,"open\n${lines(2, 700_000)}`);
  const source = files.source({ path: 'a.csv' });
  const reader = source.started();
  let count = 0;
  const rejected: string[] = [];
  for (let chunk = reader.poll(1024); chunk !== null; chunk = reader.poll(1024)) {
    count += chunk.batch?.rowCount ?? 0;
    for (const { raw, sqlstate } of chunk.rejected)
      rejected.push(`${sqlstate} ${textOf(raw).slice(0, 7)}`);
    source.scratch.reset();
  }
  assert.deepEqual(rejected, ['54000 1,"open']);
  assert.equal(count, 699_999);
});

test('what is kept of rejected records stays, whatever is read after them', (context) => {
  const files = new Files(context);
  const texts = Array.from({ length: 40_000 }, (_, i) =>
    i % 100 === 7 ? `x${i},bad` : `${i},name`,
  );
  files.write('a.csv', `id,name\n${texts.join('\n')}\n`);
  const source = files.source({ path: 'a.csv' });
  const { rejected } = source.poll(source.started());
  const bad = texts.filter((text) => text.startsWith('x'));
  assert.deepEqual(
    rejected.map(({ raw }) => textOf(raw)),
    bad,
  );
});

test('files outside the roots, and other bad options', (context) => {
  const files = new Files(context);
  const outside = new Files(context);
  outside.write('secret.csv', 'id,name\n');
  fs.symlinkSync(outside.path('secret.csv'), files.path('link.csv'));
  files.write('a.csv', 'id,nam\n');
  files.write('b.txt', '');
  fs.mkdirSync(files.path('d.csv'));
  const refuse = (options: Record<string, string>, sqlstate: string): void => {
    assert.throws(() => files.source(options), { sqlstate }, JSON.stringify(options));
  };
  refuse({ path: outside.path('secret.csv') }, '42501');
  refuse({ path: '../x.csv' }, '42501');
  refuse({ path: 'link.csv' }, '42501');
  refuse({ path: 'lin*.csv' }, '42501');
  refuse({ path: 'missing.csv' }, '58P01');
  refuse({ path: 'missing-*.csv' }, '58P01');
  refuse({ path: 'a.csv' }, '42703');
  refuse({ path: 'd.csv' }, '42809');
  refuse({ path: 'b.txt' }, '22023');
  refuse({ path: 'a.csv', 'replay.column': 'id' }, '42804');
  refuse({ path: 'a.csv', 'replay.column': 'idd' }, '22023');
  refuse({ path: 'a.csv', follow: 'true', compression: 'gzip' }, '22023');
  refuse({ path: 'a.csv', folow: 'true' }, '22023');
  refuse({}, '22023');
});
