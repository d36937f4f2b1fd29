/** UniqueKey: a sink whose key is not proven unique against a model, in both modes, through batch sizes, kills and replays. */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Random } from '../base/random.ts';
import type { OnDuplicateKey, ScanNode, UniqueKeyNode } from '../plan/plan-node.ts';
import { INT8, TEXT } from '../types/data-type.ts';
import { createTable, createView, EngineBench } from './engine-bench.ts';
import { column, GraphBench, scanNode } from './graph-bench.ts';
import type { CreateSinkAction } from './port.ts';

const COLUMNS = [column('k', INT8), column('v', TEXT)];
const LONG = 'a_text_that_is_longer_than_twelve_bytes_';

function uniqueKey(
  onDuplicate: OnDuplicateKey,
  input: ScanNode = scanNode(1, COLUMNS),
): UniqueKeyNode {
  return { kind: 'unique_key', input, key: [0], partition: [0], onDuplicate, columns: COLUMNS };
}

/** A change of a row, as pictures write it: `k v`. */
interface Change {
  readonly row: string;
  readonly weight: number;
}

/** What the sink must hold, from the definition alone: rows with their copies and the epoch in which those grew last. */
class Model {
  readonly rows = new Map<string, { weight: number; epoch: number }>();
  readonly #isStrict: boolean;
  /** What was sent last, by key. */
  shown = new Map<string, string>();

  constructor(onDuplicate: OnDuplicateKey) {
    this.#isStrict = onDuplicate === 'error';
  }

  /** The net changes of an epoch, as sorted lines. */
  epoch(number: number, changes: readonly Change[]): string[] {
    const net = new Map<string, number>();
    for (const { row, weight } of changes) net.set(row, (net.get(row) ?? 0) + weight);
    for (const [row, delta] of net) {
      const { weight, epoch } = this.rows.get(row) ?? { weight: 0, epoch: 0 };
      if (weight + delta === 0) this.rows.delete(row);
      else this.rows.set(row, { weight: weight + delta, epoch: delta > 0 ? number : epoch });
    }
    if (this.isStalled) return [];
    const before = this.shown;
    this.shown = this.#lastOfKeys();
    const gone = [...before].filter(([key, row]) => this.shown.get(key) !== row);
    const come = [...this.shown].filter(([key, row]) => before.get(key) !== row);
    return [...gone.map(([, row]) => `- ${row}`), ...come.map(([, row]) => `+ ${row}`)].sort();
  }

  get isStalled(): boolean {
    const copies = new Map<string, number>();
    for (const [row, { weight }] of this.rows) {
      copies.set(keyOf(row), (copies.get(keyOf(row)) ?? 0) + weight);
    }
    return this.#isStrict && [...copies.values()].some((count) => count > 1);
  }

  #lastOfKeys(): Map<string, string> {
    const ordered = [...this.rows].sort(
      ([a, one], [b, other]) => one.epoch - other.epoch || (a < b ? -1 : 1),
    );
    return new Map(ordered.map(([row]) => [keyOf(row), row]));
  }
}

function keyOf(row: string): string {
  return row.split(' ')[0]!;
}

/** Random changes of a bag of rows with few keys and few values, some of which come to nothing. */
class RandomChanges {
  readonly #random: Random;
  readonly #live: string[] = [];
  readonly #rowsMax: number;
  readonly #keys: number;

  /** With 'error' several rows of one key come, and go again. */
  constructor(seed: number, onDuplicate: OnDuplicateKey) {
    this.#random = new Random(seed);
    this.#rowsMax = onDuplicate === 'error' ? 12 : 40;
    this.#keys = onDuplicate === 'error' ? 30 : 8;
  }

  next(count: number): Change[] {
    return Array.from({ length: count }, () => {
      const isDelete = this.#random.chance(this.#live.length / this.#rowsMax);
      if (isDelete) {
        const [row] = this.#live.splice(this.#random.below(this.#live.length), 1);
        return { row: row!, weight: -1 };
      }
      const row = this.#row();
      this.#live.push(row);
      return { row, weight: 1 };
    });
  }

  #row(): string {
    const key = this.#random.chance(0.05) ? '.' : String(this.#random.below(this.#keys));
    const value = this.#random.below(4);
    return `${key} ${this.#random.chance(0.3) ? LONG : 'v'}${value}`;
  }
}

function picture(changes: readonly Change[]): string {
  return changes.map(({ row, weight }) => `${weight < 0 ? '-' : '+'} ${row}`).join('\n');
}

for (const onDuplicate of ['latest', 'error'] as const) {
  test(`${onDuplicate}: equal to the model after every epoch, in batches of 1, 7 and 1024, through restarts`, () => {
    for (const batchRowsMax of [1, 7, 1024]) {
      for (const seed of [1, 2, 3]) {
        const changes = new RandomChanges(seed, onDuplicate);
        const model = new Model(onDuplicate);
        let bench = new GraphBench(uniqueKey(onDuplicate), batchRowsMax);
        let returns = 0;
        for (let epoch = 1; epoch <= 120; epoch++) {
          const some = changes.next(epoch % 5);
          // In this order a row may be taken back before it came.
          bench.picture(0, picture([...some].reverse()));
          bench.epoch = epoch - 1;
          const wasStalled = model.isStalled;
          const expected = model.epoch(epoch, some);
          if (wasStalled && !model.isStalled) returns += 1;
          assert.equal(bench.end(), expected.join('\n'), `epoch ${epoch}, seed ${seed}`);
          assert.equal(bench.graph.stall !== null, model.isStalled, `epoch ${epoch}`);
          if (epoch % 11 === 0) bench = new GraphBench(uniqueKey(onDuplicate), batchRowsMax, bench);
        }
        assert.equal(returns > 3, onDuplicate === 'error', `${returns} stalls that ended`);
      }
    }
  });
}

test('the state shrinks with the rows; without retractions it holds one row a key', () => {
  const bench = new GraphBench(uniqueKey('latest'));
  bench.picture(0, '+ 1 a\n+ 1 b\n+ 2 a');
  bench.end();
  bench.picture(0, '- 1 a\n- 1 b\n- 2 a');
  assert.equal(bench.end(), '- 1 b\n- 2 a');
  assert.equal(bench.graph.operatorCounts()[0]!.rows, 0);

  const appended = scanNode(1, COLUMNS, undefined, true);
  const endless = new GraphBench(uniqueKey('latest', appended), 7);
  for (let epoch = 0; epoch < 10; epoch++) {
    endless.picture(0, `+ 1 b${epoch}\n+ 1 a${epoch}\n+ 2 same`);
    endless.end();
  }
  assert.equal(endless.total(), '1 1 b9\n1 2 same');
  assert.equal(endless.graph.operatorCounts()[0]!.rows, 2);
});

test('error without retractions: a key with several rows stays one, in bounded state', () => {
  const bench = new GraphBench(uniqueKey('error', scanNode(1, COLUMNS, undefined, true)));
  bench.picture(0, '+ 1 a\n+ 2 a');
  assert.equal(bench.end(), '+ 1 a\n+ 2 a');
  for (let epoch = 0; epoch < 10; epoch++) {
    bench.picture(0, `+ 1 b${epoch}\n+ 3 same\n+ 3 same`);
    assert.equal(bench.end(), '');
    assert.match(bench.graph.stall!, /Key \(k\)=\([13]\) is duplicated\. Create the sink with/);
  }
  assert.equal(bench.graph.operatorCounts()[0]!.rows, 4);
});

const TABLE = 20_001;
const SINK = 20_002;

const TABLE_ACTION = createTable(TABLE, 't', COLUMNS);

const scan: ScanNode = {
  ...scanNode(TABLE, COLUMNS),
  relation: { kind: 'table', id: TABLE, schema: 'public', name: 't' },
};

function createSink(onDuplicate: OnDuplicateKey, periodUs: bigint | null = null): CreateSinkAction {
  const emit = periodUs === null ? 'update' : 'periodic';
  const emitPeriodUs = periodUs === null ? null : String(periodUs);
  const { plan, settings } = createView(SINK, uniqueKey(onDuplicate, scan), { emit, emitPeriodUs });
  return {
    kind: 'create_sink',
    id: SINK,
    name: 'k',
    plan,
    settings,
    connector: { name: 'k' },
    uuid: 'u',
  };
}

function temporaryDirectory(context: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-unique-key-'));
  context.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function change(bench: EngineBench, text: string): Promise<number> {
  const { epoch } = await bench.commit({ dml: [bench.dml(TABLE, [INT8, TEXT], text)] });
  return epoch;
}

/** What a kill -9 leaves behind. */
async function killed(bench: EngineBench, directory: string, copy: string): Promise<EngineBench> {
  cpSync(directory, copy, { recursive: true });
  await bench.opened.close();
  return EngineBench.open({ dataDir: copy, batchRowsMax: 7 }, bench);
}

function trouble(bench: EngineBench): { state: string; error: string | null } {
  const job = bench.opened.engine.status().jobs.find(({ id }) => id === SINK)!;
  return { state: job.state, error: job.error };
}

for (const onDuplicate of ['latest', 'error'] as const) {
  test(`${onDuplicate}: checkpoints and kills change nothing of what is sent`, async (context) => {
    let directory = temporaryDirectory(context);
    let bench = await EngineBench.open({ dataDir: directory, batchRowsMax: 7 });
    await bench.commit({ ddl: [TABLE_ACTION, createSink(onDuplicate)] });
    const random = new Random(7);
    const changes = new RandomChanges(7, onDuplicate);
    const model = new Model(onDuplicate);
    const expected: string[] = [];
    let stalls = 0;
    for (let round = 0; round < 24; round++) {
      const some = changes.next(1 + random.below(5));
      const epoch = await change(bench, picture(some));
      expected.push(...model.epoch(epoch, some).map((line) => `${epoch} ${line}`));
      if (random.chance(0.2)) await bench.opened.engine.checkpoint();
      if (random.chance(0.2)) {
        const copy = temporaryDirectory(context);
        bench = await killed(bench, directory, copy);
        directory = copy;
      }
      assert.deepEqual(bench.delivered.map(flat).sort(), expected.map(flat).sort());
      assert.equal(trouble(bench).state, model.isStalled ? 'failed' : 'running');
      stalls += model.isStalled ? 1 : 0;
    }
    assert.equal(
      stalls > 2 && stalls < 22,
      onDuplicate === 'error',
      `${stalls} rounds with a stall`,
    );
    assert.ok(expected.length > 5, 'something was sent');
    await bench.opened.close();
  });
}

/** Quotes of pictures aside. */
function flat(line: string): string {
  return line.replaceAll('"', '');
}

test('error: the sink says which key, sends nothing meanwhile, and goes on by itself; the period too', async () => {
  const bench = await EngineBench.open({ dataDir: ':memory:' });
  await bench.commit({ ddl: [TABLE_ACTION, createSink('error', 1_000_000n)] });
  await change(bench, '+ 1 a');
  bench.clock.advanceUs(1_000_000n);
  await change(bench, '+ 2 a\n+ 3 a');
  const sent = bench.delivered.length;
  await change(bench, '+ 4 a');
  await change(bench, '+ 1 b\n- 2 a\n+ 5 a');
  assert.deepEqual(trouble(bench), {
    state: 'failed',
    error:
      'the query has several rows of one key (23505). Key (k)=(1) is duplicated. The sink goes on when ' +
      "the query has one of them; on_duplicate_key = 'latest' sends the one that came last.",
  });
  assert.match(bench.logged.at(-1)!, /^error sink k sends nothing: the query has several rows/);
  bench.clock.advanceUs(1_000_000n);
  assert.equal(bench.opened.engine.runEpoch(), false, 'no period ends while it is stalled');
  await change(bench, '+ 6 a');
  assert.equal(bench.delivered.length, sent, 'what waited for its period waits as well');
  await change(bench, '- 1 a');
  await bench.commit({});
  assert.deepEqual(trouble(bench), { state: 'running', error: null });
  assert.match(bench.logged.at(-1)!, /^info sink k goes on$/);
  assert.deepEqual(
    bench.delivered.slice(sent).map((line) => line.replace(/^\d+ /, '')),
    ['- 1 a', '- 2 a', '+ 1 b', '+ 4 a', '+ 5 a', '+ 6 a'],
  );
  await bench.opened.close();
});
