import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import {
  BOOL,
  FLOAT8,
  INT4,
  INT8,
  JSONB,
  TEXT,
  TIMESTAMP,
  VARCHAR,
  withTypmod,
} from '../types/data-type.ts';
import { checkSourceOptions, defaultSourceColumns, sourceIdleTimeoutUs } from './connectors.ts';
import { type Columns, SourceUnderTest } from './source-fixture.ts';

function columnsOf(kind: string): Columns {
  const definition = {
    connector: 'nexmark',
    options: { connector: 'nexmark', 'nexmark.table.type': kind },
    format: null,
    encode: null,
    encodeOptions: {},
  };
  return defaultSourceColumns(definition)!.map(({ name, type }) => [name, type] as const);
}

function nexmark(kind: string, options: Record<string, string> = {}): SourceUnderTest {
  return new SourceUnderTest({
    connector: 'nexmark',
    options: { 'nexmark.table.type': kind, 'nexmark.max.events': '5000', ...options },
    columns: columnsOf(kind),
  });
}

test('nexmark: 1 person, 3 auctions, 46 bids of 50, fields as they are defined', () => {
  for (const [kind, count] of [
    ['person', 100],
    ['auction', 300],
    ['bid', 4600],
  ] as const) {
    const source = nexmark(kind);
    const { rows, chunks } = source.poll(source.started());
    assert.equal(rows.length, count, kind);
    assert.equal(chunks.at(-1)?.isEnded, true);
    assert.equal(chunks.at(-1)?.to, 5000);
  }
  const bid = nexmark('bid');
  const first = bid.poll(bid.started(), 1).rows[0]!;
  assert.match(
    first,
    /^\d+ \d+ \d+ \S+ https:\/\/www\.nexmark\.com\/\S+ 2015-07-15 00:00:00 [a-z]*$/,
  );
});

test('nexmark: the events of a seed are fixed for ever', () => {
  const person = nexmark('person');
  const auction = nexmark('auction');
  const bid = nexmark('bid');
  const hash = (source: SourceUnderTest): string => {
    const { rows } = source.poll(source.started());
    let sum = 0;
    for (const text of rows)
      for (const c of text) sum = (Math.imul(sum, 31) + c.codePointAt(0)!) >>> 0;
    return sum.toString(16);
  };
  assert.deepEqual([hash(person), hash(auction), hash(bid)], ['14f6e4d0', 'd774ccf3', '976ee4e0']);
});

test('nexmark: hot keys, averages and sizes', () => {
  const source = nexmark('bid', { 'nexmark.max.events': '50000' });
  const { rows } = source.poll(source.started());
  const bids = rows.map((row) => row.split(' '));
  const named = bids.filter(([, , , channel]) => /^(Google|Facebook|Baidu|Apple)$/.test(channel!));
  assert.ok(Math.abs(named.length / bids.length - 0.5) < 0.02);
  const hot = bids.filter(([auction]) => (Number(auction) - 1000) % 100 === 0);
  assert.ok(Math.abs(hot.length / bids.length - 0.5) < 0.02, String(hot.length / bids.length));
  const bytes = rows.reduce((sum, row) => sum + row.length, 0) / rows.length;
  assert.ok(bytes > 120 && bytes < 220, String(bytes));
  assert.ok(bids.every(([, , price]) => Number(price) >= 100 && Number(price) <= 100_000_000));
});

test('nexmark: the fields of an event do not depend on each other', () => {
  const source = nexmark('bid', { 'nexmark.max.events': '50000' });
  const bids = source.poll(source.started()).rows.map((row) => row.split(' '));
  const isHotAuction = (bid: string[]): boolean => (Number(bid[0]) - 1000) % 100 === 0;
  const isHotBidder = (bid: string[]): boolean => (Number(bid[1]) - 1001) % 100 === 0;
  const isDear = (bid: string[]): boolean => Number(bid[2]) > 100_000;
  const isNamed = (bid: string[]): boolean => !bid[3]!.startsWith('channel-');
  const share = (of: string[][], is: (bid: string[]) => boolean): number =>
    of.filter(is).length / of.length;
  const facts = [isHotAuction, isHotBidder, isDear, isNamed];
  for (const fact of facts) {
    for (const other of facts) {
      if (fact === other) continue;
      const difference = share(bids.filter(fact), other) - share(bids, other);
      assert.ok(Math.abs(difference) < 0.02, `${fact.name} ${other.name} ${difference}`);
    }
  }
});

test('nexmark: pruned columns are the same columns, and so is a replay', () => {
  const source = nexmark('bid');
  const all = source.poll(source.started());
  const reader = source.started({}, [2, 0]);
  const prices: string[] = [];
  for (let chunk = reader.poll(7); chunk !== null; chunk = reader.poll(7)) {
    const { batch } = chunk;
    if (batch === null) continue;
    const { i64 } = source.memory;
    for (let row = 0; row < batch.rowCount; row += 1) {
      const [price, auction] = batch.columns.map(({ values }) => i64[(values >>> 3) + row]);
      prices.push(`${auction} ${price}`);
    }
  }
  const expected = all.rows.map((row) => [row.split(' ')[0], row.split(' ')[2]].join(' '));
  assert.deepEqual(prices, expected);
  const half = all.chunks[2]!;
  const replayed = source.replay('0', half.from, all.chunks.at(-1)!.to);
  assert.deepEqual(replayed.rows, all.rows.slice(2048));
  const resumed = source.poll(source.started({ '0': half.to }));
  assert.deepEqual(resumed.rows, all.rows.slice(3072));
});

test('nexmark: realtime gives events at their rate', () => {
  const source = nexmark('bid', { 'nexmark.pace': 'realtime', 'nexmark.event.rate': '50' });
  const reader = source.started();
  assert.equal(source.poll(reader).rows.length, 0);
  assert.equal(reader.nextDueUs(), 20_000n);
  source.clock.advanceUs(1_000_000n);
  assert.equal(source.poll(reader).rows.length, 46);
});

test('nexmark: wrong columns, types and options are refused', () => {
  const refuse = (columns: Columns, options: Record<string, string>, sqlstate: string): void => {
    const spec = {
      connector: 'nexmark',
      options: { 'nexmark.table.type': 'bid', ...options },
      columns,
    };
    assert.throws(() => new SourceUnderTest(spec), { sqlstate });
  };
  refuse([['bider', INT8]], {}, '42703');
  refuse([['bidder', INT4]], {}, '42804');
  refuse([['bidder', INT8]], { 'nexmark.event.rate': '0' }, '22023');
  assert.throws(
    () =>
      new SourceUnderTest({
        connector: 'nexmark',
        options: { 'nexmark.table.typ': 'bid' },
        columns: [],
      }),
    (error: { sqlstate: string; fields: { hint: string } }) => {
      assert.equal(error.sqlstate, '22023');
      assert.match(error.fields.hint, /^Perhaps you meant "nexmark.table.type"\. Allowed: /);
      return true;
    },
  );
  assert.throws(() => new SourceUnderTest({ connector: 'nexmrk', options: {}, columns: [] }), {
    sqlstate: '22023',
    message: 'unrecognized source connector "nexmrk"',
  });
});

test('datagen: kinds, bounds, NULLs; the same rows for a seed', () => {
  const spec = {
    connector: 'datagen',
    options: {
      'number.of.rows': '200',
      'rows.per.second': '100',
      seed: '3',
      'fields.id.kind': 'sequence',
      'fields.id.start': '5',
      'fields.v.min': '-2',
      'fields.v.max': '2',
      'fields.f.min': '0.5',
      'fields.f.max': '0.6',
      'fields.s.length': '4',
      'fields.s.null_rate': '0.5',
      'fields.ts.start': '2024-01-01 00:00:00',
    },
    columns: [
      ['id', INT8],
      ['v', INT4],
      ['f', FLOAT8],
      ['s', TEXT],
      ['ts', TIMESTAMP],
      ['b', BOOL],
    ] as Columns,
  };
  const source = new SourceUnderTest(spec);
  const reader = source.started();
  source.clock.advanceUs(10_000_000n);
  const { rows, chunks } = source.poll(reader);
  assert.equal(rows.length, 200);
  assert.equal(chunks.at(-1)?.isEnded, true);
  for (const [i, row] of rows.entries()) {
    assert.match(
      row,
      /^\d+ (-[12]|[012]) 0\.5\d* ([a-z]{4}|NULL) 2024-01-01 00:00:0[01](\.\d+)? [tf]$/,
    );
    assert.equal(Number(row.split(' ')[0]), i + 5);
  }
  assert.ok(rows[1]!.includes('00:00:00.01'));
  const nulls = rows.filter((row) => row.includes('NULL')).length;
  assert.ok(nulls > 60 && nulls < 140);
  assert.deepEqual(source.replay('0', 0, 200).rows, rows);
});

test('datagen: a sequence with an end ends the source; rows come at their pace', () => {
  const source = new SourceUnderTest({
    connector: 'datagen',
    options: { 'fields.id.kind': 'sequence', 'fields.id.start': '1', 'fields.id.end': '25' },
    columns: [['id', INT4]],
  });
  const reader = source.started();
  assert.deepEqual(source.poll(reader).rows, ['1']);
  source.clock.advanceUs(1_000_000n);
  assert.equal(source.poll(reader).rows.length, 10);
  source.clock.advanceUs(10_000_000n);
  assert.deepEqual([source.poll(reader).rows.at(-1), reader.nextDueUs()], ['25', null]);
});

test('datagen: bad options', () => {
  const refuse = (options: Record<string, string>, sqlstate: string): void => {
    const columns: Columns = [
      ['id', INT4],
      ['s', withTypmod(VARCHAR, 7)],
    ];
    assert.throws(() => new SourceUnderTest({ connector: 'datagen', options, columns }), {
      sqlstate,
    });
  };
  refuse({ 'fields.id.min': '3', 'fields.id.max': '2' }, '22023');
  refuse({ 'fields.id.min': '3000000000' }, '22003');
  refuse({ 'fields.id.start': '1' }, '22023');
  refuse({ 'fields.idd.kind': 'random' }, '22023');
  refuse({ 'fields.s.length': '4' }, '22001');
  assert.throws(
    () => new SourceUnderTest({ connector: 'datagen', options: {}, columns: [['j', JSONB]] }),
    { sqlstate: '0A000' },
  );
});

test('options of all sources: idle timeout', () => {
  const check = (text: string): bigint | null => {
    const definition = {
      connector: 'datagen',
      options: { connector: 'datagen', 'watermark.idle_timeout': text },
      format: null,
      encode: null,
      encodeOptions: {},
    };
    return sourceIdleTimeoutUs(
      checkSourceOptions(definition, [], { fileRoots: [], clock: new FakeClock() }),
    );
  };
  assert.equal(check('30 seconds'), 30_000_000n);
  for (const text of ['0 s', '1 month', '-1 s'])
    assert.throws(() => check(text), { sqlstate: '22023' });
});
