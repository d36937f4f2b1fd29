/** For tests: an engine driven by hand over fake sources and sinks, with its relations read as pictures. */

import { FakeClock } from '../base/clock.ts';
import { SqlError } from '../base/sql-error.ts';
import { buildBatch } from '../batch/build-batch.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { packBatch } from '../batch/pack.ts';
import { fromPicture, toPicture } from '../batch/pretty.ts';
import type { SinkContext, SinkWriter } from '../connect/sink.ts';
import type {
  Json,
  KeptRecord,
  RecordPlace,
  RecordSchemas,
  RejectedRecord,
  RowChanges,
  SchemaAnswer,
  SourceChunk,
  SourceColumn,
  SourceContext,
  SourceReader,
} from '../connect/source.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { PlanNode, ScanNode, StreamPlan } from '../plan/plan-node.ts';
import { EpochControl } from '../state/epoch-control.ts';
import { RelationReader } from '../state/relation-reader.ts';
import type { DataType, Value } from '../types/data-type.ts';
import type { Connectors } from './feed-context.ts';
import { lettersOf, type StoredLetter } from './letter-page.ts';
import {
  type CommitRequest,
  type CommitResult,
  type CreateSourceAction,
  type CreateTableAction,
  type CreateViewAction,
  DEAD_LETTERS_ID,
  DEFAULT_ENGINE_OPTIONS,
  type DmlChange,
  type EngineColumn,
  type EngineOptions,
  type RelationHandle,
} from './port.ts';
import { type OpenEngine, openEngine } from './recovery.ts';

/** Records that a test adds as it goes; positions are row numbers. */
export class FakeSource {
  readonly rows: (readonly Value[])[] = [];
  /** Rows that may be taken by now. */
  available = 0;
  hasEnded = false;
  /** What each row does (formats/change-decoder.ts); empty: rows are rows of their own. */
  readonly ops: number[] = [];
  /** Rows that do not come again. */
  readonly lost = new Set<number>();
  /** Rows with NULL where none may be are rejected by the reader, which takes them again. */
  rejectsNulls = false;
  /** There is a second split, which has no rows yet. */
  hasEmptySplit = false;
  /** The schema that a row's record names; absent: none. */
  readonly schemaOf = new Map<number, number>();
  /** Ids of the schemas that the registry has by now. */
  readonly registry = new Set<number>();
  /** Why its records do not come again yet; one for each time that somebody stands still for them. */
  readonly waits: string[] = [];
}

export class EngineBench {
  readonly control = new EpochControl();
  readonly clock: FakeClock;
  readonly relations = new Map<number, RelationHandle>();
  /** By the name in the connector's JSON. */
  readonly sources: Map<string, FakeSource>;
  /** Lines that sinks hold for good: `epoch picture`. */
  readonly delivered: string[];
  /** As well, of sources' letters. */
  readonly letters: string[];
  /** Set: sinks take nothing, and say so. */
  readonly refusal: { reason: string | null };
  /** `level text` of each line. */
  readonly logged: string[] = [];
  opened!: OpenEngine;
  readonly #memory = Memory.create();
  readonly #scratch = new Scratch(this.#memory);

  private constructor(before: EngineBench | null) {
    this.clock = before?.clock ?? new FakeClock();
    this.sources = before?.sources ?? new Map();
    this.delivered = before?.delivered ?? [];
    this.letters = before?.letters ?? [];
    this.refusal = before?.refusal ?? { reason: null };
  }

  /** `before`: the outside world of an earlier bench, for a restart over the same directory. */
  static async open(
    options: Partial<EngineOptions>,
    before: EngineBench | null = null,
  ): Promise<EngineBench> {
    const bench = new EngineBench(before);
    bench.opened = await openEngine({
      options: { ...DEFAULT_ENGINE_OPTIONS, ...options },
      control: bench.control,
      clock: bench.clock,
      connectors: bench.#connectors(),
      wake: () => {},
      onEpoch: () => {},
      log: (level, text) => void bench.logged.push(`${level} ${text}`),
      onStopped: () => {},
    });
    for (const handle of bench.opened.engine.step.parts.handles())
      bench.relations.set(handle.id, handle);
    return bench;
  }

  #connectors(): Connectors {
    return {
      openSource: (checked, columns, context) => {
        const { name } = checked as { name: string };
        return new FakeReader(this.source(name), columns, context);
      },
      openSink: (_checked, context) => new FakeSink(this.delivered, this.refusal, context),
      reconnectSink: () => undefined,
      openLetters: (_checked, context) => new FakeSink(this.letters, this.refusal, context),
    };
  }

  source(name: string): FakeSource {
    let source = this.sources.get(name);
    if (source === undefined) {
      source = new FakeSource();
      this.sources.set(name, source);
    }
    return source;
  }

  /** Runs epochs until there is nothing to do. */
  run(): void {
    while (this.opened.engine.runEpoch());
  }

  async commit(request: Partial<CommitRequest>): Promise<CommitResult> {
    const answer = this.opened.engine.commit({ ddl: [], catalog: null, dml: [], ...request });
    this.opened.engine.runEpoch();
    const result = await answer;
    for (const handle of result.relations) this.relations.set(handle.id, handle);
    return result;
  }

  dml(relationId: number, types: readonly DataType[], picture: string): DmlChange {
    const mark = this.#scratch.mark();
    const rows = packBatch(fromPicture(picture, this.#scratch, types));
    this.#scratch.release(mark);
    return { relationId, rows, judge: 'row' };
  }

  /** The relation's rows at the published epoch, one line each, sorted. */
  read(id: number): string {
    const lines: string[] = [];
    for (const { batch, types } of this.#batches(id)) {
      lines.push(...toPicture(batch, types).split('\n'));
    }
    return lines.sort().join('\n');
  }

  /** The dead letters there are, in their order. */
  deadLetters(): StoredLetter[] {
    const letters: StoredLetter[] = [];
    for (const { batch } of this.#batches(DEAD_LETTERS_ID)) {
      for (let row = 0; row < batch.rowCount; row++) letters.push(...lettersOf(batch, row));
    }
    return letters.sort((one, other) => one.id - other.id);
  }

  /** All rows of a stored relation; a batch lasts until the next one. */
  *#batches(
    id: number,
  ): Generator<{ readonly batch: DeltaBatch; readonly types: readonly DataType[] }> {
    const handle = this.relations.get(id);
    if (handle === undefined) throw new Error(`relation ${id} was never made`);
    const reader = new RelationReader(handle.wasm, handle.headerAddress, handle.schema);
    const target = { memory: this.#memory, scratch: this.#scratch };
    const types = handle.columns.map(({ type }) => type);
    const all = types.map((_, column) => column);
    const mark = this.#scratch.mark();
    for (const batch of reader.scan(this.control.published, all, target)) yield { batch, types };
    this.#scratch.release(mark);
  }
}

class FakeReader implements SourceReader {
  readonly splits = ['0'];
  /** The empty split was given. */
  #hasBegun = true;
  readonly #source: FakeSource;
  readonly #columns: readonly SourceColumn[];
  readonly #context: SourceContext;
  /** Where it has to be waited for. */
  readonly standStill?: () => string | null;
  #position = 0;
  #hasTold = false;

  constructor(source: FakeSource, columns: readonly SourceColumn[], context: SourceContext) {
    this.#source = source;
    if (source.waits.length > 0) this.standStill = () => source.waits.shift() ?? null;
    this.#columns = columns;
    this.#context = context;
  }

  start(positions: ReadonlyMap<string, Json>): void {
    this.#position = (positions.get('0') as number | undefined) ?? 0;
    this.#hasBegun = positions.has('1') || !this.#source.hasEmptySplit;
  }

  readonly schemas: RecordSchemas = {
    idsOf: ({ offset }) => this.#idsAt([offset]),
    ask: async (ids) => ids.map((id) => ({ id, schema: this.#answer(id) })),
    learn: () => {},
  };

  #answer(id: number): SchemaAnswer['schema'] {
    return this.#source.registry.has(id) ? { type: 'FAKE', text: '', references: [] } : null;
  }

  #idsAt(places: readonly number[]): number[] {
    return places.flatMap((place) => this.#source.schemaOf.get(place) ?? []);
  }

  poll(rowsMax: number): SourceChunk | null {
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      return { ...this.#chunk(0, 0, () => true), split: '1' };
    }
    const to = Math.min(this.#source.available, this.#position + rowsMax);
    const isEnded = this.#source.hasEnded && to === this.#source.rows.length;
    if (to === this.#position && (!isEnded || this.#hasTold)) return null;
    const { registry } = this.#source;
    const isKnown = (id: number) => registry.has(id);
    const chunk = this.#chunk(this.#position, to, isKnown);
    const ids = this.#idsAt(range(this.#position, to));
    const unknown = ids.filter((id) => !isKnown(id));
    const known = ids.filter((id) => isKnown(id) && this.#context.unknownSchemas.has(id));
    this.#position = to;
    this.#hasTold = isEnded;
    const schemas = { unknown, known };
    return { ...chunk, schemas, isAtEnd: to === this.#source.available, isEnded };
  }

  *replay(_split: string, from: Json, to: Json): Generator<SourceChunk | null> {
    while (this.#source.waits.length > 0) yield null;
    const isKnown = (id: number) => !this.#context.unknownSchemas.has(id);
    for (let at = from as number; at < (to as number); at += 100) {
      yield this.#chunk(at, Math.min(to as number, at + 100), isKnown, this.#source.lost);
    }
  }

  readonly retry = (
    _split: string,
    records: readonly KeptRecord[],
    schemas: readonly SchemaAnswer[],
  ): SourceChunk => {
    const offsets = records.map(({ offset }) => offset);
    const known = new Set(schemas.flatMap(({ id, schema }) => (schema === null ? [] : [id])));
    return this.#chunkOf(0, 0, offsets, (id) => known.has(id));
  };

  #chunk(
    from: number,
    to: number,
    isKnown: (schemaId: number) => boolean,
    lost: ReadonlySet<number> = new Set(),
  ): SourceChunk {
    const places = range(from, to).filter((place) => !lost.has(place));
    return this.#chunkOf(from, to, places, isKnown);
  }

  #chunkOf(
    from: number,
    to: number,
    records: readonly number[],
    isKnown: (schemaId: number) => boolean,
  ): SourceChunk {
    const { wanted, scratch, notNull } = this.#context;
    const { rows: all, ops, rejectsNulls } = this.#source;
    const types = wanted.map((column) => this.#columns[column]!.type);
    const isBad = (place: number) =>
      (rejectsNulls && notNull.some((c) => all[place]![c] === null)) ||
      !this.#idsAt([place]).every(isKnown);
    const places = records.filter((place) => !isBad(place));
    const rows = places.map((place) => wanted.map((c) => all[place]![c]!));
    const batch = rows.length === 0 ? null : buildBatch(types, rows, scratch);
    const chunk = {
      split: '0',
      from,
      to,
      batch,
      rejected: records.filter(isBad).map(rejectedAt),
      places: { offsetOf: (row: number) => places[row]!, placeAt },
      isAtEnd: false,
      isEnded: false,
    };
    return ops.length === 0 || batch === null
      ? chunk
      : { ...chunk, changes: this.#changes(places) };
  }

  #changes(places: readonly number[]): RowChanges {
    const { memory, scratch } = this.#context;
    const ops = scratch.alloc(Math.max(16, places.length));
    const offsets = scratch.alloc(Math.max(16, 8 * places.length));
    for (const [row, place] of places.entries()) {
      memory.u8[ops + row] = this.#source.ops[place]!;
      memory.i64[(offsets >>> 3) + row] = BigInt(place);
    }
    return {
      ops: { storage: 'u8', values: ops, validity: 0 },
      offsets: { storage: 'i64', values: offsets, validity: 0 },
      unavailable: new Map(),
    };
  }

  nextDueUs(): bigint | null {
    return null;
  }

  lag(): number | null {
    return this.#source.available - this.#position;
  }

  close(): void {}
}

/** Numbers from `from` on, below `to`. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, i) => from + i);
}

function placeAt(offset: number): RecordPlace {
  return { position: null, offset, topic: null, partition: null, byteOffset: null };
}

const BARE = { key: null, isCut: false, timestampMs: null, context: null };

function rejectedAt(offset: number): RejectedRecord {
  const raw = { ...BARE, value: Buffer.from([offset]) };
  return { ...placeAt(offset), raw, sqlstate: '23502', reason: 'null value' };
}

class FakeSink implements SinkWriter {
  readonly #delivered: string[];
  readonly #refusal: { readonly reason: string | null };
  readonly #types: readonly DataType[];
  #pending: string[] = [];

  constructor(
    delivered: string[],
    refusal: { readonly reason: string | null },
    context: SinkContext,
  ) {
    this.#delivered = delivered;
    this.#refusal = refusal;
    this.#types = context.columns.map(({ type }) => type);
  }

  begin(): number {
    return this.#delivered.reduce((last, line) => Math.max(last, Number(line.split(' ')[0])), 0);
  }

  write(epoch: number, _timeUs: bigint, batch: Parameters<SinkWriter['write']>[2]): void {
    for (const line of toPicture(batch, this.#types).split('\n')) {
      this.#pending.push(`${epoch} ${line}`);
    }
  }

  commit(): void {
    if (this.#refusal.reason !== null) {
      this.#pending = [];
      throw new SqlError('53100', this.#refusal.reason);
    }
    this.#delivered.push(...this.#pending);
    this.#pending = [];
  }

  close(): void {}
}

/** A table without key. */
export function createTable(
  id: number,
  name: string,
  columns: readonly EngineColumn[],
): CreateTableAction {
  const storages = columns.map(({ type }) => type.storage);
  const schema = { storages, key: null, isAppendOnly: false, indexes: [] };
  return { kind: 'create_table', id, name, columns, schema, watermark: null };
}

export function createSource(
  id: number,
  name: string,
  columns: readonly EngineColumn[],
  watermark: CreateSourceAction['watermark'],
): CreateSourceAction {
  return {
    kind: 'create_source',
    id,
    name,
    columns,
    generated: columns.map(() => null),
    notNull: [],
    watermark,
    connector: { name },
  };
}

export function createView(
  id: number,
  node: PlanNode,
  options: Partial<StreamPlan> = {},
): CreateViewAction {
  const plan: StreamPlan = {
    node,
    key: null,
    emit: 'update',
    emitPeriodUs: null,
    onError: 'fail',
    lateRows: 'dead_letter',
    relationIds: [],
    notices: [],
    ...options,
  };
  const storages = node.columns.map(({ type }) => type.storage);
  const schema = { storages, key: null, isAppendOnly: false, indexes: [] };
  return { kind: 'create_view', id, name: `v${id}`, plan, schema, settings: {} };
}

/** A scan of a source whose column `time` carries its watermark. */
export function sourceScan(id: number, columns: readonly EngineColumn[], time: number): ScanNode {
  return {
    kind: 'scan',
    relation: { kind: 'source', id, schema: 'public', name: `s${id}` },
    columnIndexes: columns.map((_, index) => index),
    columns,
    properties: {
      key: null,
      isAppendOnly: true,
      watermarks: [{ column: time, source: 0, shiftUs: '0' }],
    },
  };
}
