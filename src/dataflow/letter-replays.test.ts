/**
 * Replayed dead letters: each record enters each view once, and the accounts hold, whatever crashes between (rules 24, 27). Each
 * letter is sent once, however long nobody takes it.
 */

import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Random } from '../base/random.ts';
import type { ScanNode } from '../plan/plan-node.ts';
import { INT8 } from '../types/data-type.ts';
import { createSource, createView, EngineBench } from './engine-bench.ts';
import { column } from './graph-bench.ts';

const SOURCE = 20_001;
const FIRST_VIEW = 20_002;
const COLUMNS = [column('id', INT8), column('a', INT8), column('b', INT8)];
const NULLABLE = [1, 2];
const SCHEMAS = [7, 8, 9];
const STEPS = 80;

const scan: ScanNode = {
  kind: 'scan',
  relation: { kind: 'source', id: SOURCE, schema: 'public', name: 's' },
  columnIndexes: [0],
  columns: COLUMNS.slice(0, 1),
};

/** What there should be. */
class Model {
  /** By record: its columns that are NULL. */
  readonly nulls: number[][] = [];
  /** By record: the schema that it names. */
  readonly schemas: number[] = [];
  readonly dropped = new Set<number>();
  /** Schemas that the registry has. */
  readonly registry = new Set<number>();
  /** Those that it did not have when a record named them, and that the source does not know yet. */
  readonly unknown = new Set<number>();
  /** By letter: its record. */
  readonly letters = new Map<number, number>();
  /** By view: the records that it has. */
  readonly views = new Map<number, number[]>();
  #nextLetter = 1;

  /** Would it be taken by who knows the schemas that `isKnown` says? */
  isTaken(record: number, isKnown: (schema: number) => boolean): boolean {
    const hasRow = this.nulls[record]!.every((one) => this.dropped.has(one));
    return hasRow && isKnown(this.schemas[record]!);
  }

  readonly #isThere = (schema: number): boolean => this.registry.has(schema);

  #learn(schema: number): void {
    if (this.registry.has(schema)) this.unknown.delete(schema);
    else this.unknown.add(schema);
  }

  get letterCount(): number {
    return this.#nextLetter - 1;
  }

  arrive(nulls: number[], schema: number): void {
    const record = this.nulls.push(nulls) - 1;
    this.schemas.push(schema);
    this.#learn(schema);
    if (!this.isTaken(record, this.#isThere)) this.letters.set(this.#nextLetter++, record);
    else for (const records of this.views.values()) records.push(record);
  }

  createView(id: number): void {
    this.views.set(
      id,
      [...this.nulls.keys()].filter((record) =>
        this.isTaken(record, (schema) => !this.unknown.has(schema)),
      ),
    );
  }

  /** How many letters of [first, last] go, and how many stay. */
  replay(first: number, last: number): { replayed: number; rejected: number; unreadable: number } {
    const before = this.letters.size;
    const chosen = [...this.letters].filter(([id]) => id >= first && id <= last);
    for (const [id, record] of chosen) {
      this.#learn(this.schemas[record]!);
      if (!this.isTaken(record, this.#isThere)) continue;
      this.letters.delete(id);
      for (const records of this.views.values())
        if (!records.includes(record)) records.push(record);
    }
    const replayed = before - this.letters.size;
    return { replayed, rejected: chosen.length - replayed, unreadable: 0 };
  }
}

/** First values of a relation's rows, in order; each is there once. */
function firstValues(bench: EngineBench, id: number): number[] {
  const lines = bench.read(id).split('\n');
  return lines
    .filter((line) => line !== '')
    .map((line) => {
      assert.match(line, /^\+ /);
      return Number(line.split(' ')[1]);
    })
    .sort((a, b) => a - b);
}

function check(bench: EngineBench, model: Model, step: string): void {
  const inOrder = (all: Iterable<number>) => [...all].sort((a, b) => a - b);
  for (const [id, records] of model.views) {
    assert.deepEqual(firstValues(bench, id), inOrder(records), `${step}: view ${id}`);
  }
  assert.deepEqual(
    bench.deadLetters().map(({ id }) => id),
    inOrder(model.letters.keys()),
    step,
  );
  const { sources, letters } = bench.opened.engine.status();
  const { rowsRead, rowsDecoded, rowsRejected } = sources[0]!;
  const counted = [rowsRead, rowsDecoded, rowsRejected, letters.kept];
  const { size } = model.letters;
  assert.deepEqual(counted, [model.nulls.length, model.nulls.length - size, size, size], step);
}

/** What was sent of each letter: its number, its source, the record's offset and bytes. */
function checkSent(bench: EngineBench, model: Model, step: string): void {
  const sent = bench.letters.map((line) => line.split(' '));
  const ids = sent.map(([, , id]) => Number(id));
  const all = Array.from({ length: model.letterCount }, (_, i) => i + 1);
  if (bench.refusal.reason === null) assert.deepEqual(ids, all, step);
  else assert.deepEqual(ids, all.slice(0, ids.length), step);
  assert.ok(
    sent.every(([, sign, , source]) => sign === '+' && source === 's'),
    step,
  );
}

class Run {
  readonly #context: TestContext;
  readonly #random: Random;
  readonly model = new Model();
  bench!: EngineBench;
  #directory = '';
  #nextView = FIRST_VIEW;

  constructor(context: TestContext, seed: number) {
    this.#context = context;
    this.#random = new Random(seed);
  }

  async open(): Promise<void> {
    this.#directory = this.#temporaryDirectory();
    this.bench = await EngineBench.open({ dataDir: this.#directory });
    this.bench.source('s').rejectsNulls = true;
    const source = {
      ...createSource(SOURCE, 's', COLUMNS, null),
      notNull: NULLABLE,
      letterUuid: 'u',
    };
    await this.bench.commit({ ddl: [source] });
    await this.#createView();
  }

  #temporaryDirectory(): string {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-replays-'));
    this.#context.after(() => rmSync(directory, { recursive: true, force: true }));
    return directory;
  }

  #below(limit: number): number {
    return this.#random.below(limit);
  }

  async step(): Promise<string> {
    const kind = this.#below(24);
    if (kind < 8) return this.#arrive();
    if (kind < 13) return this.#replay();
    if (kind < 15) return this.#createView();
    if (kind < 16) return this.#dropNotNull();
    if (kind < 18) return this.#crash();
    if (kind < 20) return this.#register();
    if (kind < 22) return this.#refuse();
    await this.bench.opened.engine.checkpoint();
    return 'checkpoint';
  }

  async #arrive(): Promise<string> {
    const source = this.bench.source('s');
    for (let i = this.#below(6); i >= 0; i--) {
      const nulls = NULLABLE.filter(() => this.#below(3) === 0);
      const value = (one: number) => (nulls.includes(one) ? null : 1n);
      source.rows.push([BigInt(source.rows.length), value(1), value(2)]);
      const schema = this.#schema();
      source.schemaOf.set(source.rows.length - 1, schema);
      this.model.arrive(nulls, schema);
    }
    source.available = source.rows.length;
    this.bench.run();
    await this.bench.commit({});
    return 'arrive';
  }

  #schema(): number {
    return SCHEMAS[this.#below(SCHEMAS.length)]!;
  }

  /** Nobody is told. */
  #register(): string {
    const schema = this.#schema();
    this.bench.source('s').registry.add(schema);
    this.model.registry.add(schema);
    return `register ${schema}`;
  }

  /** Nobody takes letters for a while. */
  async #refuse(): Promise<string> {
    const { refusal } = this.bench;
    refusal.reason = refusal.reason === null ? 'full' : null;
    await this.bench.commit({});
    return `refusal ${refusal.reason}`;
  }

  /** Two statements that choose the same letters, in one epoch. */
  async #replay(): Promise<string> {
    const last = this.model.nulls.length + 1;
    const first = 1 + this.#below(last);
    const replays = Array.from({ length: 2 }, () => {
      return { sourceId: SOURCE, ranges: [[first, first + this.#below(20)]] as const };
    });
    const { engine } = this.bench.opened;
    const answers = replays.map((one) =>
      engine.commit({ ddl: [], catalog: null, dml: [], replays: [one] }),
    );
    // The registry answers.
    await setImmediate();
    this.bench.run();
    for (const [i, answer] of answers.entries()) {
      const expected = this.model.replay(first, replays[i]!.ranges[0]![1]);
      const got = (await answer).replays[0]!;
      assert.equal(got.replayed, expected.replayed);
    }
    return `replay ${JSON.stringify(replays)}`;
  }

  async #createView(): Promise<string> {
    const id = this.#nextView++;
    await this.bench.commit({ ddl: [createView(id, scan)] });
    this.model.createView(id);
    return `create ${id}`;
  }

  async #dropNotNull(): Promise<string> {
    const column = NULLABLE.find((one) => !this.model.dropped.has(one));
    if (column === undefined) return 'nothing';
    await this.bench.commit({ ddl: [{ kind: 'drop_not_null', id: SOURCE, column }] });
    this.model.dropped.add(column);
    return `drop NOT NULL of ${column}`;
  }

  /** The log is copied as it stands; the old engine writes no more to the copy. */
  async #crash(): Promise<string> {
    const copy = this.#temporaryDirectory();
    cpSync(this.#directory, copy, { recursive: true });
    await this.bench.opened.close();
    this.bench = await EngineBench.open({ dataDir: copy }, this.bench);
    this.#directory = copy;
    this.bench.run();
    return 'crash';
  }
}

for (const seed of [1, 2, 3]) {
  test(`each record enters each view once: seed ${seed}`, async (context) => {
    const run = new Run(context, seed);
    await run.open();
    context.after(() => run.bench.opened.close());
    const done: string[] = [];
    for (let i = 0; i < STEPS; i++) {
      done.push(await run.step());
      const step = `seed ${seed}, step ${i}: ${done.slice(-4).join('; ')}`;
      check(run.bench, run.model, step);
      checkSent(run.bench, run.model, step);
    }
  });
}
