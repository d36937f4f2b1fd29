/**
 * A restart behind a DROP of a source: its records are not read again, nor waited for, and what is left is what was left.
 * Where one of its dead letters is not in the checkpoint, they are: letters outlive it.
 */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Random } from '../base/random.ts';
import type { AggregateNode, PlanNode, ScanNode } from '../plan/plan-node.ts';
import { INT8 } from '../types/data-type.ts';
import { createSource, createTable, createView, EngineBench } from './engine-bench.ts';
import { column } from './graph-bench.ts';
import { type CreateSinkAction, DEAD_LETTERS_ID } from './port.ts';

const TABLE = 20_000;
const GONE = 20_001;
const KEPT = 20_002;
const GONE_VIEWS = [20_011, 20_012, 20_013];
const LATER_VIEW = 20_014;
const SINK = 20_015;
const KEPT_VIEW = 20_021;
const COLUMNS = [column('a', INT8), column('b', INT8)];
const TYPES = COLUMNS.map(({ type }) => type);

function scan(id: number, kind: 'source' | 'materialized_view' | 'table'): ScanNode {
  return {
    kind: 'scan',
    relation: { kind, id, schema: 'public', name: `r${id}` },
    columnIndexes: [0, 1],
    columns: COLUMNS,
  };
}

function counted(input: PlanNode): AggregateNode {
  return {
    kind: 'aggregate',
    input,
    keys: [0],
    calls: [
      { function: 'count()', args: [], isDistinct: false, filter: null, orderBy: [], type: INT8 },
    ],
    columns: COLUMNS,
  };
}

function union(...inputs: PlanNode[]): PlanNode {
  return { kind: 'union', inputs, columns: COLUMNS };
}

function createSink(id: number, node: PlanNode): CreateSinkAction {
  const { plan, settings } = createView(id, node);
  return {
    kind: 'create_sink',
    id,
    name: 'k',
    plan,
    settings,
    connector: { name: 'k' },
    uuid: 'u',
  };
}

class Run {
  readonly #random: Random;
  readonly #root = mkdtempSync(join(tmpdir(), 'millrace-dropped-'));
  readonly #directory = join(this.#root, 'data');
  bench!: EngineBench;
  copy: EngineBench | null = null;

  constructor(context: TestContext, seed: number) {
    this.#random = new Random(seed);
    context.after(() => this.#dispose());
  }

  async #dispose(): Promise<void> {
    await this.copy?.opened.close();
    await this.bench.opened.close();
    rmSync(this.#root, { recursive: true, force: true });
  }

  /** Two sources, views over one, over both, over a view and over a table. */
  async open(): Promise<void> {
    this.bench = await EngineBench.open({ dataDir: this.#directory });
    const [plain, mixed, stacked] = GONE_VIEWS as [number, number, number];
    for (const name of ['gone', 'kept']) this.bench.source(name).rejectsNulls = true;
    const source = (id: number, name: string) => {
      return { ...createSource(id, name, COLUMNS, null), notNull: [1] };
    };
    await this.bench.commit({
      ddl: [
        createTable(TABLE, 't', COLUMNS),
        source(GONE, 'gone'),
        source(KEPT, 'kept'),
        createView(plain, counted(scan(GONE, 'source'))),
        createView(mixed, union(scan(GONE, 'source'), scan(KEPT, 'source'))),
        createView(stacked, union(scan(plain, 'materialized_view'), scan(TABLE, 'table'))),
        createView(KEPT_VIEW, counted(union(scan(KEPT, 'source'), scan(TABLE, 'table')))),
      ],
    });
  }

  /** Rows of both sources, some of them rejected where that is asked for, and one of the table. */
  async arrive(rejectedOf: readonly string[]): Promise<void> {
    for (const name of ['gone', 'kept']) {
      const source = this.bench.source(name);
      for (let i = this.#random.below(5); i >= 0; i--) {
        const isBad = rejectedOf.includes(name) && (i === 0 || this.#random.below(3) === 0);
        source.rows.push([BigInt(this.#random.below(4)), isBad ? null : 1n]);
      }
      source.available = source.rows.length;
    }
    this.bench.run();
    const row = `+ ${this.#random.below(4)} 2`;
    await this.bench.commit({ dml: [this.bench.dml(TABLE, TYPES, row)] });
  }

  async drop(): Promise<void> {
    const ids = [SINK, LATER_VIEW, ...GONE_VIEWS.toReversed(), GONE];
    await this.bench.commit({ ddl: ids.map((id) => ({ kind: 'drop', id })) });
  }

  /** As a kill -9 leaves it, while nobody gives the records of the dropped source. */
  async crash(): Promise<{ readonly copy: EngineBench; readonly waited: boolean }> {
    const directory = join(this.#root, 'copy');
    cpSync(this.#directory, directory, { recursive: true });
    this.bench.source('gone').waits.push('nobody is there', 'nobody is there');
    const copy = await EngineBench.open({ dataDir: directory }, this.bench);
    this.copy = copy;
    return { copy, waited: this.bench.source('gone').waits.length === 0 };
  }
}

function stateOf(bench: EngineBench): unknown {
  const { sources, jobs, letters } = bench.opened.engine.status();
  return {
    relations: [TABLE, KEPT_VIEW, DEAD_LETTERS_ID].map((id) => bench.read(id)),
    sources: sources.map(({ id, rowsRead, rowsRejected, splits }) => {
      return { id, rowsRead, rowsRejected, splits };
    }),
    jobs: jobs.map(({ id, state, rowsIn, used }) => ({ id, state, rowsIn, used })),
    letters,
  };
}

for (const seed of [1, 2, 3, 4]) {
  test(`the records of a source that was dropped are not waited for: seed ${seed}`, async (context) => {
    const run = new Run(context, seed);
    await run.open();
    await run.arrive(['gone', 'kept']);
    if (seed % 2 === 0) await run.bench.opened.engine.checkpoint();
    else await run.arrive([]);
    const rejected = seed % 2 === 0 ? ['kept'] : [];
    await run.arrive(rejected);
    const later = counted(union(scan(GONE, 'source'), scan(GONE_VIEWS[1]!, 'materialized_view')));
    await run.bench.commit({
      ddl: [createView(LATER_VIEW, later), createSink(SINK, scan(LATER_VIEW, 'materialized_view'))],
    });
    await run.arrive(rejected);
    await run.drop();
    await run.arrive(rejected);
    const { copy, waited } = await run.crash();
    const hasLetters = seed % 2 === 1;
    assert.equal(waited, hasLetters, 'letters that no checkpoint has need their records');
    assert.deepEqual(stateOf(copy), stateOf(run.bench));
    assert.equal(
      copy.logged.some((line) => line.includes('stopped') || line.includes('cannot')),
      false,
      copy.logged.join('\n'),
    );
    copy.run();
    await copy.commit({ dml: [copy.dml(TABLE, TYPES, '+ 9 9')] });
    assert.match(copy.read(KEPT_VIEW), /^\+ 9 1$/m);
  });
}
