/**
 * Late rows that are judged again (semantics.md rule 27): where a verdict can change, the row is used, once, and the accounts
 * hold (rule 24), whatever crashes between; where it cannot, nothing changes.
 */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Random } from '../base/random.ts';
import type { AggregateNode, WindowNode } from '../plan/plan-node.ts';
import { INT8 } from '../types/data-type.ts';
import { createSource, createView, EngineBench, sourceScan } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import { DEAD_LETTERS_ID, type ReplayResult } from './port.ts';

const SOURCE = 20_001;
const SESSIONS = 20_002;
const WINDOWS = 20_003;
const LATER = 20_004;
const COLUMNS = [column('ts', INT8), column('k', INT8)];
const DELAY = 7;
const SIZE = 10;
const ALL = [[1, Number.MAX_SAFE_INTEGER]] as const;

function windowNode(windowKind: 'session' | 'tumble'): WindowNode {
  const partition = windowKind === 'session' ? [1] : [];
  const atEnd = { column: 3, source: 0, shiftUs: '0' };
  return {
    kind: 'window',
    windowKind,
    input: sourceScan(SOURCE, COLUMNS, 0),
    time: 0,
    sizeUs: String(SIZE),
    slideUs: String(SIZE),
    offsetUs: '0',
    partition,
    watermark: 0,
    allowedLatenessUs: '0',
    columns: [...COLUMNS, ...['ws', 'we', 'wt'].map((name) => column(name, INT8))],
    properties: { key: null, isAppendOnly: windowKind === 'tumble', watermarks: [atEnd] },
  };
}

function countNode(input: WindowNode): AggregateNode {
  return {
    kind: 'aggregate',
    input,
    keys: [2, 3, 1],
    calls: [
      { function: 'count()', args: [], isDistinct: false, filter: null, orderBy: [], type: INT8 },
    ],
    columns: [column('ws', INT8), column('we', INT8), column('k', INT8), column('n', INT8)],
  };
}

class Run {
  readonly #root = mkdtempSync(join(tmpdir(), 'millrace-late-'));
  #directory = join(this.#root, 'data');
  #copies = 0;
  bench!: EngineBench;

  constructor(context: TestContext) {
    context.after(async () => {
      await this.bench.opened.close();
      rmSync(this.#root, { recursive: true, force: true });
    });
  }

  async open(hasEmptySplit: boolean): Promise<void> {
    this.bench = await EngineBench.open({ dataDir: this.#directory });
    this.bench.source('s').hasEmptySplit = hasEmptySplit;
    await this.bench.commit({
      ddl: [
        createSource(SOURCE, 's', COLUMNS, { column: 0, delayUs: String(DELAY) }),
        createView(SESSIONS, countNode(windowNode('session'))),
        createView(WINDOWS, countNode(windowNode('tumble'))),
      ],
    });
  }

  arrive(...rows: (readonly [number, number])[]): void {
    const source = this.bench.source('s');
    for (const [ts, k] of rows) source.rows.push([BigInt(ts), BigInt(k)]);
    source.available = source.rows.length;
    this.bench.run();
  }

  async replay(viewId: number): Promise<ReplayResult> {
    const { replays } = await this.bench.commit({ replays: [{ viewId, ranges: ALL }] });
    return replays[0]!;
  }

  /** As a kill -9 leaves it. */
  async crash(): Promise<void> {
    this.#copies += 1;
    const copy = join(this.#root, `copy-${this.#copies}`);
    await this.bench.commit({});
    cpSync(this.#directory, copy, { recursive: true });
    const before = this.bench;
    this.bench = await EngineBench.open({ dataDir: copy }, before);
    await before.opened.close();
    this.#directory = copy;
  }

  counters(viewId: number): number[] {
    const job = this.bench.opened.engine.status().jobs.find(({ id }) => id === viewId)!;
    assert.equal(job.state, 'running', job.error ?? '');
    assert.equal(job.rowsIn, job.used + job.late + job.nullTime + job.withheld);
    return [job.used, job.late];
  }

  state(): unknown {
    const ids = [SESSIONS, WINDOWS, DEAD_LETTERS_ID];
    return [
      ids.map((id) => this.bench.read(id)),
      [SESSIONS, WINDOWS].map((id) => this.counters(id)),
      this.bench.opened.engine.status().letters,
    ];
  }
}

test('a split that begins in an epoch holds the watermark back for all of its rows', async (context) => {
  const run = new Run(context);
  await run.open(true);
  run.arrive([100, 1], [5, 2]);
  assert.deepEqual(run.counters(WINDOWS), [2, 0]);
  assert.equal(run.bench.read(WINDOWS), '+ 0 10 2 1\n+ 100 110 1 1');
  await run.crash();
  assert.deepEqual(run.counters(WINDOWS), [2, 0]);
  assert.equal(run.bench.read(WINDOWS), '+ 0 10 2 1\n+ 100 110 1 1');
});

test('a view that comes later judges no row late that another split may have held back', async (context) => {
  const run = new Run(context);
  await run.open(true);
  run.arrive([100, 1], [5, 2]);
  await run.bench.commit({ ddl: [createView(LATER, countNode(windowNode('tumble')))] });
  assert.deepEqual(run.counters(LATER), [2, 0]);
  run.arrive([6, 3]);
  const wanted = '+ 0 10 2 1\n+ 0 10 3 1\n+ 100 110 1 1';
  for (const crash of [false, true]) {
    if (crash) await run.crash();
    for (const id of [WINDOWS, LATER]) {
      assert.deepEqual(run.counters(id), [3, 0]);
      assert.equal(run.bench.read(id), wanted);
    }
  }
});

/** Rows in all sessions. */
function rowsIn(picture: string): number {
  return picture.split('\n').reduce((sum, line) => sum + Number(line.split(' ')[4]), 0);
}

for (const seed of [1, 2, 3]) {
  test(`sessions take late rows that they have come up to, each once: seed ${seed}`, async (context) => {
    const random = new Random(seed);
    const run = new Run(context);
    await run.open(false);
    let base = 100;
    let taken = 0;
    for (let i = 0; i < 100; i++) {
      base += random.below(8);
      const behind = random.chance(0.6) ? random.below(30) : random.below(4);
      const step = random.below(10);
      if (step < 4) run.arrive([base - behind, random.below(4)]);
      else if (step < 7) {
        // The second is late, and the third could have taken it along.
        const key = 4 + random.below(2);
        run.arrive([base, key], [base - 20, key], [base - 12, key]);
      } else if (step < 9) {
        taken += (await run.replay(SESSIONS)).replayed;
        const before = run.state();
        const again = await run.replay(SESSIONS);
        taken += again.replayed;
        if (again.replayed === 0) assert.deepEqual(run.state(), before);
        assert.equal(
          (await run.replay(WINDOWS)).replayed,
          0,
          'one split never takes a window back',
        );
      } else {
        if (random.below(2) === 0) await run.bench.opened.engine.checkpoint();
        const before = run.state();
        await run.crash();
        assert.deepEqual(run.state(), before);
      }
    }
    assert.ok(taken > 0, 'no session ever came up to a late row');
    const [used, late] = run.counters(SESSIONS);
    assert.equal(rowsIn(run.bench.read(SESSIONS)), used);
    const letters = run.bench.deadLetters().filter(({ viewId }) => viewId === SESSIONS);
    assert.equal(letters.filter(({ kind }) => kind === 'late').length, late);
  });
}
