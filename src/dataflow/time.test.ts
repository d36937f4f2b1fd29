/**
 * Windows, lateness and sources against references that go row by row: with one split the result must not depend on where
 * epochs are cut, nor on the size of batches (semantics.md rule 14), nor on a restart.
 */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { Random } from '../base/random.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import type { AggregateNode, EmitOnCloseNode, PlanNode, WindowNode } from '../plan/plan-node.ts';
import { BOOL, INT8 } from '../types/data-type.ts';
import { createSource, createView, EngineBench, sourceScan } from './engine-bench.ts';
import { column } from './graph-bench.ts';

const COLUMNS = [column('ts', INT8), column('k', INT8)];
const DELAY = 7n;
const SOURCE = 20_001;
const VIEW = 20_002;

interface Event {
  readonly ts: bigint | null;
  readonly k: bigint;
}

/** Times that wander forward, some of them far behind. */
function randomEvents(random: Random, count: number): Event[] {
  const events: Event[] = [];
  let base = 100;
  for (let i = 0; i < count; i++) {
    base += random.below(4);
    const behind = random.chance(0.2) ? random.below(40) : random.below(6);
    const ts = random.chance(0.03) ? null : BigInt(base - behind);
    events.push({ ts, k: BigInt(random.below(3)) });
  }
  return events;
}

/** Each event with the watermark that judges it. */
function judged(events: readonly Event[]): { event: Event; watermark: bigint }[] {
  let running = -(10n ** 18n);
  return events.map((event) => {
    const watermark = running;
    if (event.ts !== null && event.ts - DELAY > running) running = event.ts - DELAY;
    return { event, watermark };
  });
}

function windowNode(parts: Partial<WindowNode>): WindowNode {
  const node: WindowNode = {
    kind: 'window',
    windowKind: 'tumble',
    input: sourceScan(SOURCE, COLUMNS, 0),
    time: 0,
    sizeUs: '10',
    slideUs: '10',
    offsetUs: '3',
    partition: [],
    watermark: 0,
    allowedLatenessUs: '0',
    columns: [...COLUMNS, ...['ws', 'we', 'wt'].map((name) => column(name, INT8))],
    ...parts,
  };
  const lateness = BigInt(node.allowedLatenessUs);
  const at = (c: number, shift: bigint) => ({
    column: c,
    source: 0,
    shiftUs: String(shift - lateness),
  });
  const opened = 1n - BigInt(node.sizeUs);
  const watermarks =
    node.windowKind === 'session' ? [at(3, 0n), at(4, -2n)] : [at(2, opened), at(3, 1n), at(4, 0n)];
  const isAppendOnly = node.windowKind !== 'session';
  return { ...node, properties: { key: null, isAppendOnly, watermarks } };
}

/** count by (window_start, window_end, k). */
function countNode(input: WindowNode): AggregateNode {
  const end = input.properties!.watermarks.findIndex((w) => w.column === 3);
  return {
    kind: 'aggregate',
    input,
    keys: [2, 3, 1],
    calls: [
      { function: 'count()', args: [], isDistinct: false, filter: null, orderBy: [], type: INT8 },
    ],
    closeOn: { key: 1, watermark: end, shiftUs: '0' },
    columns: [column('ws', INT8), column('we', INT8), column('k', INT8), column('n', INT8)],
    properties: {
      key: [0, 1, 2],
      isAppendOnly: false,
      watermarks: [{ column: 1, source: end, shiftUs: '0' }],
    },
  };
}

function emitNode(input: AggregateNode): EmitOnCloseNode {
  const properties = { key: [0, 1, 2], isAppendOnly: true, watermarks: [] };
  return {
    kind: 'emit_on_close',
    input,
    column: 1,
    watermark: 0,
    isStrict: true,
    columns: input.columns,
    properties,
  };
}

function pictureOf(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .map(([key, n]) => `+ ${key} ${n}`)
    .sort()
    .join('\n');
}

function addTo(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function floorTo(value: bigint, step: bigint): bigint {
  return value - (((value % step) + step) % step);
}

/** Windows of a time: [start, end) pairs. */
function hops(ts: bigint, slide: bigint, size: bigint, offset: bigint): [bigint, bigint][] {
  const windows: [bigint, bigint][] = [];
  const last = floorTo(ts - offset, slide) + offset;
  for (let start = last; start > ts - size; start -= slide) windows.push([start, start + size]);
  return windows;
}

interface Expectation {
  readonly picture: string;
  readonly late: number;
  readonly nullTime: number;
}

function expectHops(
  events: readonly Event[],
  slide: bigint,
  size: bigint,
  lateness: bigint,
): Expectation {
  const counts = new Map<string, number>();
  let late = 0;
  let nullTime = 0;
  for (const { event, watermark } of judged(events)) {
    if (event.ts === null) {
      nullTime += 1;
      continue;
    }
    const windows = hops(event.ts, slide, size, 3n);
    const open = windows.filter(([, end]) => watermark - lateness < end);
    if (windows.length > 0 && open.length === 0) late += 1;
    for (const [start, end] of open) addTo(counts, `${start} ${end} ${event.k}`);
  }
  return { picture: pictureOf(counts), late, nullTime };
}

/** Sessions of each k, one event after the other; closed ones are left as they were. */
function expectSessions(events: readonly Event[], gap: bigint): Expectation {
  const sessions: { k: bigint; times: bigint[] }[] = [];
  let late = 0;
  let nullTime = 0;
  for (const { event, watermark } of judged(events)) {
    const { ts, k } = event;
    if (ts === null) {
      nullTime += 1;
      continue;
    }
    const endOf = (times: readonly bigint[]): bigint =>
      times.reduce((a, b) => (a > b ? a : b)) + gap;
    const isNear = (one: { k: bigint; times: bigint[] }): boolean =>
      one.k === k && one.times.some((time) => (time > ts ? time - ts : ts - time) <= gap);
    const near = sessions.filter(isNear);
    const times = [ts, ...near.flatMap((one) => one.times)];
    const touchesOver = near.some((one) => endOf(one.times) < watermark);
    const isFirst = near.every((one) => one.times.every((time) => time > ts));
    const isFarBack = isFirst && ts + 4n * gap < watermark;
    if (endOf(times) < watermark || touchesOver || isFarBack) {
      late += 1;
      continue;
    }
    for (const one of near) sessions.splice(sessions.indexOf(one), 1);
    sessions.push({ k, times });
  }
  const counts = new Map<string, number>();
  for (const { k, times } of sessions) {
    const start = times.reduce((a, b) => (a < b ? a : b));
    const end = times.reduce((a, b) => (a > b ? a : b)) + gap;
    counts.set(`${start} ${end} ${k}`, times.length);
  }
  return { picture: pictureOf(counts), late, nullTime };
}

async function openBench(
  options: { dataDir?: string; batchRowsMax?: number },
  node: PlanNode,
): Promise<EngineBench> {
  const bench = await EngineBench.open({ dataDir: ':memory:', ...options });
  const source = createSource(SOURCE, 'events', COLUMNS, { column: 0, delayUs: String(DELAY) });
  await bench.commit({ ddl: [source, createView(VIEW, node)] });
  return bench;
}

/** Lets the events in by random cuts. */
function feed(bench: EngineBench, events: readonly Event[], random: Random, cutMax: number): void {
  const source = bench.source('events');
  for (const { ts, k } of events) source.rows.push([ts, k]);
  while (source.available < source.rows.length) {
    source.available = Math.min(source.rows.length, source.available + 1 + random.below(cutMax));
    bench.run();
  }
}

async function compare(
  node: PlanNode,
  expect: (events: readonly Event[]) => Expectation,
): Promise<void> {
  for (const [seed, batchRowsMax, cutMax] of [
    [1, 1, 9],
    [2, 7, 30],
    [3, 1024, 1],
    [4, 1024, 500],
  ] as const) {
    const events = randomEvents(new Random(seed), 400);
    const bench = await openBench({ batchRowsMax }, node);
    feed(bench, events, new Random(seed + 100), cutMax);
    const { picture, late, nullTime } = expect(events);
    const note = `seed ${seed}, batches of ${batchRowsMax}, cuts up to ${cutMax}`;
    assert.equal(bench.read(VIEW), picture, note);
    const [job] = bench.opened.engine.status().jobs;
    assert.equal(job!.state, 'running', job!.error ?? '');
    assert.equal(job!.late, late, `late rows, ${note}`);
    assert.equal(job!.nullTime, nullTime, `rows without a time, ${note}`);
    assert.equal(job!.rowsIn, job!.used + job!.late + job!.nullTime + job!.withheld, 'rule 24');
  }
}

test('tumble: results and lateness do not depend on the cuts', () =>
  compare(countNode(windowNode({})), (events) => expectHops(events, 10n, 10n, 0n)));

test('hop, its size not a multiple of its slide', () =>
  compare(countNode(windowNode({ windowKind: 'hop', slideUs: '4', sizeUs: '10' })), (events) =>
    expectHops(events, 4n, 10n, 0n),
  ));

test('hop with gaps between windows', () =>
  compare(countNode(windowNode({ windowKind: 'hop', slideUs: '10', sizeUs: '4' })), (events) =>
    expectHops(events, 10n, 4n, 0n),
  ));

test('allowed lateness', () =>
  compare(countNode(windowNode({ allowedLatenessUs: '15' })), (events) =>
    expectHops(events, 10n, 10n, 15n),
  ));

test('sessions merge, and are judged after merging', () => {
  const input = windowNode({ windowKind: 'session', sizeUs: '4', partition: [1] });
  return compare(countNode(input), (events) => expectSessions(events, 4n));
});

test('an interval join has every pair, and frees what can meet nobody', async () => {
  const right = 20_005;
  const left = sourceScan(SOURCE, COLUMNS, 0);
  const other = sourceScan(right, COLUMNS, 0);
  const time = (index: number) => ({ kind: 'column' as const, index, type: INT8 });
  const call = (id: string, args: readonly BoundExpr[], type = BOOL): BoundExpr => ({
    kind: 'call',
    function: id,
    args,
    type,
  });
  const five: BoundExpr = { kind: 'literal', text: '5', type: INT8 };
  // r.ts between l.ts - 5 and l.ts
  const from = call('>=(int8,int8)', [call('+(int8,int8)', [time(2), five], INT8), time(0)]);
  const to = call('<=(int8,int8)', [time(2), time(0)]);
  for (const joinKind of ['inner', 'left'] as const) {
    const node: PlanNode = {
      kind: 'join',
      joinKind,
      left,
      right: other,
      leftKeys: [1],
      rightKeys: [1],
      nullsEqual: false,
      residual: { kind: 'and', args: [from, to], type: BOOL },
      interval: { leftTime: 0, rightTime: 0, lowerUs: '-5', upperUs: '0' },
      columns: [...COLUMNS, ...COLUMNS],
      properties: { key: null, isAppendOnly: false, watermarks: [] },
    };
    const bench = await EngineBench.open({ dataDir: ':memory:', batchRowsMax: 7 });
    const watermark = { column: 0, delayUs: String(DELAY) };
    const sources = [
      createSource(SOURCE, 'l', COLUMNS, watermark),
      createSource(right, 'r', COLUMNS, watermark),
    ];
    await bench.commit({ ddl: [...sources, createView(VIEW, node)] });
    const random = new Random(21);
    const near = (): bigint[][] =>
      Array.from({ length: 500 }, (_, i) => [BigInt(i + random.below(6)), BigInt(random.below(3))]);
    const [ls, rs] = [near(), near()];
    bench.source('l').rows.push(...ls);
    bench.source('r').rows.push(...rs);
    for (let step = 0; step < 500; step += 10) {
      bench.source(step % 20 === 0 ? 'l' : 'r').available = Math.min(500, step + 30);
      bench.run();
    }
    for (const name of ['l', 'r']) bench.source(name).available = 500;
    bench.run();
    const expected = ls.flatMap(([lts, lk]) => {
      const partners = rs.filter(([rts, rk]) => lk === rk && rts! + 5n >= lts! && rts! <= lts!);
      const lines = partners.map(([rts, rk]) => `+ ${lts} ${lk} ${rts} ${rk}`);
      return lines.length === 0 && joinKind === 'left' ? [`+ ${lts} ${lk} . .`] : lines;
    });
    const [job] = bench.opened.engine.status().jobs;
    assert.equal(job!.error, null);
    const actual = bench.read(VIEW).split('\n').flatMap(copies);
    assert.deepEqual(actual.sort(), expected.sort());
    assert.ok(job!.operators[0]!.rows < 120, `${job!.operators[0]!.rows} rows are held`);
  }
});

/** A picture line with a weight as that many lines. */
function copies(line: string): string[] {
  const [, count, row] = /^\+(\d*) (.*)$/.exec(line)!;
  return Array.from({ length: count === '' ? 1 : Number(count) }, () => `+ ${row}`);
}

test('EMIT ON WINDOW CLOSE shows final windows only', async () => {
  const events = randomEvents(new Random(5), 300);
  const bench = await openBench({}, emitNode(countNode(windowNode({}))));
  feed(bench, events, new Random(6), 20);
  const last = judged([...events, { ts: null, k: 0n }]).at(-1)!.watermark;
  const { picture } = expectHops(events, 10n, 10n, 0n);
  const final = picture.split('\n').filter((line) => BigInt(line.split(' ')[2]!) <= last);
  assert.equal(bench.read(VIEW), final.join('\n'));
  bench.source('events').hasEnded = true;
  bench.run();
  assert.equal(bench.read(VIEW), picture);
});

test('state of closed windows is freed', async () => {
  const bench = await openBench({}, countNode(windowNode({})));
  const rows = (): number => bench.opened.engine.status().jobs[0]!.operators[0]!.rows;
  feed(bench, randomEvents(new Random(8), 2000), new Random(9), 50);
  assert.ok(rows() <= 3 * 3, `${rows()} groups are held`);
  bench.source('events').hasEnded = true;
  bench.run();
  assert.equal(rows(), 0);
});

test('a split without rows holds the watermark back, also when the log is replayed', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-time-'));
  try {
    const events = [100n, 300n, 100n, 500n, 100n].map((ts) => ({ ts, k: 0n }));
    const bench = await EngineBench.open({ dataDir: join(directory, 'data') });
    bench.source('events').hasEmptySplit = true;
    const source = createSource(SOURCE, 'events', COLUMNS, { column: 0, delayUs: '0' });
    await bench.commit({ ddl: [source, createView(VIEW, countNode(windowNode({})))] });
    feed(bench, events, new Random(1), 1);
    // What a kill -9 leaves.
    cpSync(join(directory, 'data'), join(directory, 'copy'), { recursive: true });
    const after = await EngineBench.open({ dataDir: join(directory, 'copy') }, bench);
    const shown = [bench, after].map((one) => one.read(VIEW));
    const late = [bench, after].map((one) => one.opened.engine.status().jobs[0]!.late);
    for (const one of [bench, after]) await one.opened.close();
    const all = '+ 293 303 0 1\n+ 493 503 0 1\n+ 93 103 0 3';
    assert.deepEqual(shown, [all, all]);
    assert.deepEqual(late, [0, 0]);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('a view made later, and a restart, give the same as a view that was there', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-time-'));
  try {
    const events = randomEvents(new Random(11), 600);
    const node = countNode(windowNode({}));
    let bench = await openBench({ dataDir: directory }, node);
    feed(bench, events.slice(0, 200), new Random(12), 30);
    await bench.opened.engine.checkpoint();
    feed(bench, events.slice(200, 400), new Random(13), 30);
    await bench.commit({ ddl: [createView(VIEW + 1, node)] });
    assert.equal(bench.read(VIEW + 1), bench.read(VIEW));
    await bench.opened.close();
    bench = await EngineBench.open({ dataDir: directory }, bench);
    feed(bench, events.slice(400), new Random(14), 30);
    const { picture, late } = expectHops(events, 10n, 10n, 0n);
    assert.equal(bench.read(VIEW), picture);
    assert.equal(bench.read(VIEW + 1), picture);
    for (const job of bench.opened.engine.status().jobs) assert.equal(job.late, late);
    await bench.opened.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});
