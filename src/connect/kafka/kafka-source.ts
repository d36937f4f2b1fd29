/**
 * The connector `kafka` as a source: partitions as splits, offsets as positions, records decoded straight into columns.
 *
 * The brokers are talked to by another thread (io.ts), which hands over what a read_committed reader sees; `poll` takes from
 * what has come. `replay` asks for a range of offsets again and waits for it: what was visible between two offsets stays so,
 * because nothing behind the last stable offset is ever taken. All fields are decoded, also those that nobody reads: whether a
 * record is rejected must not depend on its readers.
 */

import { must } from '../../base/assert.ts';
import type { DataError } from '../../base/sql-error.ts';
import { fromPortError } from '../../base/threads.ts';
import { ColumnBuilder } from '../../batch/column-builder.ts';
import { BATCH_ROWS_MAX, type DeltaBatch } from '../../batch/delta-batch.ts';
import { type ChangeDecoder, NO_CHANGE, UPSERT } from '../../formats/change-decoder.ts';
import type { ValueSettings } from '../../types/settings.ts';
import { openRecordDecoder, type RecordEncoding } from '../change-formats.ts';
import { registryOf } from '../encodings.ts';
import { NotNullFields, rejectedRecord } from '../rejected.ts';
import type {
  ChunkPlaces,
  Json,
  KeptRecord,
  PositionReports,
  RecordSchemas,
  SchemaAnswer,
  SourceChunk,
  SourceColumn,
  SourceContext,
  SourceReader,
} from '../source.ts';
import { GroupOffsets, type OffsetGroup } from './group-offsets.ts';
import { appendIncluded, type IncludedColumn } from './included.ts';
import { kafkaIo } from './io.ts';
import type {
  FetchedRecords,
  FetchLimits,
  FromKafkaIo,
  KafkaPosition,
  SchemaSource,
  StartupMode,
  TopicSelection,
} from './io-port.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { type KafkaRecord, keptRecord, rawOf, recordPlace } from './kept-record.ts';
import { KnownSchemas } from './known-schemas.ts';
import type { LetterTopic } from './letter-topic.ts';
import { changesOf, emptyRows, type ReadRows } from './read-rows.ts';
import { RecordFinder } from './record-finder.ts';
import { type Arrival, arrivalOf, RecordsAgain } from './records-again.ts';

/** What a Kafka source is opened with; JSON. */
export interface KafkaSourceOptions {
  readonly config: KafkaConfig;
  readonly selection: TopicSelection;
  readonly startup: StartupMode;
  readonly fetch: FetchLimits;
  readonly records: RecordEncoding;
  /** Numbers of the columns that are fields of the value. */
  readonly fields: readonly number[];
  readonly included: readonly IncludedColumn[];
  /** Where offsets are committed; absent: nowhere. */
  readonly group?: OffsetGroup;
  readonly settings: ValueSettings;
  /** Where rejected records go as well; absent: nowhere. */
  readonly letters?: LetterTopic;
}

/** One wait of a recovery; a broker that is away is waited for as long as it takes. */
const STAND_STILL_MS = 1000;
/** Of a split of which the brokers have told nothing yet. */
const END_UNKNOWN = Number.MAX_SAFE_INTEGER;

interface Split {
  readonly name: string;
  readonly topicId: string;
  /** The next offset that is wanted. */
  offset: number;
  end: number;
  /** That it begins here was told. */
  hasBegun: boolean;
  hasToldEnd: boolean;
  readonly arrivals: Arrival[];
}

export class KafkaSource implements SourceReader {
  readonly #options: KafkaSourceOptions;
  readonly #columns: readonly SourceColumn[];
  readonly #context: SourceContext;
  #decoder: ChangeDecoder;
  readonly #changesRows: boolean;
  readonly #notNull: NotNullFields;
  /** null: records name no schemas. */
  readonly #known: KnownSchemas | null = null;
  readonly schemas?: RecordSchemas;
  readonly reports?: PositionReports;
  readonly #splits = new Map<string, Split>();
  #order: Split[] = [];
  #turn = 0;
  /** By split: what a recovery reads again. */
  readonly #again = new Map<string, RecordsAgain>();
  #id = 0;
  #failure: Error | null = null;
  #trouble: string | null = null;

  constructor(
    options: KafkaSourceOptions,
    columns: readonly SourceColumn[],
    context: SourceContext,
  ) {
    this.#options = options;
    this.#columns = columns;
    this.#context = context;
    this.#decoder = this.#openDecoder();
    this.#changesRows = options.records.format.kind !== 'plain';
    this.#notNull = new NotNullFields(options.fields, context.notNull, columns);
    const { config, group } = options;
    const { clock, warn } = context;
    if (group !== undefined) this.reports = new GroupOffsets(config, group, clock, warn);
    const registry = registryOf(options.records.encoding);
    if (registry === null) return;
    const known = new KnownSchemas(this.#changesRows, context.unknownSchemas);
    this.#known = known;
    this.schemas = {
      idsOf: (record) => known.idsOf(record),
      ask: (ids) => kafkaIo().askSchemas(registry, ids),
      learn: (answers) => this.#learn(answers),
    };
  }

  #openDecoder(): ChangeDecoder {
    const { records, fields, settings } = this.#options;
    const columns = fields.map((index) => must(this.#columns[index]));
    return openRecordDecoder(records, columns, settings);
  }

  #learn(answers: readonly SchemaAnswer[]): void {
    for (const { id, schema } of answers) {
      if (schema !== null) this.#known?.learn(id, schema, this.#decoder);
    }
  }

  get splits(): readonly string[] {
    return [...this.#splits.keys()];
  }

  start(positions: ReadonlyMap<string, Json>): void {
    const { config, selection, startup, fetch } = this.#options;
    const known = Object.fromEntries(positions) as unknown as Record<string, KafkaPosition>;
    const registry = this.#schemaSource();
    const options = { config, selection, startup, fetch, positions: known, registry };
    for (const [name, { offset, topicId }] of Object.entries(known)) {
      this.#addSplit(name, { offset, topicId }, END_UNKNOWN, true);
    }
    // A reader that only replays is started without positions and never polled: it fetches nothing until then.
    this.#open = () => {
      this.#id = kafkaIo().openReader(options, (message) => this.#onMessage(message));
    };
  }

  #open: (() => void) | null = null;

  poll(rowsMax: number): SourceChunk | null {
    this.#open?.();
    this.#open = null;
    const count = this.#order.length;
    for (let i = 0; i < count; i += 1) {
      const split = this.#order[(this.#turn + i) % count]!;
      const chunk = this.#pollSplit(split, Math.min(rowsMax, BATCH_ROWS_MAX));
      if (chunk === null) continue;
      this.#turn = (this.#turn + i + 1) % count;
      return chunk;
    }
    // What came before it is good.
    if (this.#failure !== null) throw this.#failure;
    return null;
  }

  *replay(split: string, from: Json, to: Json): Generator<SourceChunk | null> {
    const { offset, topicId } = from as unknown as KafkaPosition;
    const end = (to as unknown as KafkaPosition).offset;
    if (offset >= end) return;
    const again = this.#recordsAgain(split, topicId, offset);
    while (again.offset < end) {
      if (!again.hasCome) {
        yield null;
        continue;
      }
      this.#decoder =
        this.#known?.matched(this.#decoder, () => this.#openDecoder()) ?? this.#decoder;
      const start = again.offset;
      const rows = this.#emptyBuilders(BATCH_ROWS_MAX);
      const take = (arrival: Arrival) => this.#read(arrival, again, BATCH_ROWS_MAX, rows, end);
      const had = again.read(take, end);
      try {
        yield this.#chunk(again, start, rows, false, had);
      } finally {
        again.giveBack();
      }
    }
  }

  readonly retry = (
    split: string,
    records: readonly KeptRecord[],
    schemas: readonly SchemaAnswer[],
  ): SourceChunk => {
    this.#learn(schemas);
    const rows = this.#emptyBuilders(records.length);
    for (const record of records) this.#append(split, keptRecord(record), rows);
    return this.#chunk({ name: split, topicId: '', offset: 0 }, 0, rows, false);
  };

  #schemaSource(): SchemaSource | null {
    const registry = registryOf(this.#options.records.encoding);
    return registry === null ? null : { ...registry, areInKeys: this.#changesRows };
  }

  /** Ranges that follow each other are one reading. */
  #recordsAgain(split: string, topicId: string, offset: number): RecordsAgain {
    const open = this.#again.get(split);
    if (open?.offset === offset && open.topicId === topicId) return open;
    open?.close();
    const { config, fetch } = this.#options;
    const registry = this.#schemaSource();
    const range = { config, topicId, from: offset, fetch, registry };
    const again = new RecordsAgain(split, range, {
      onSchema: (id, schema) => this.#known?.keep(id, schema),
      wake: this.#context.wake,
    });
    this.#again.set(split, again);
    return again;
  }

  standStill(): string | null {
    const hasCome = kafkaIo().receive(STAND_STILL_MS);
    for (const { trouble } of this.#again.values()) if (trouble !== null) return trouble;
    return hasCome ? null : 'the brokers have not answered yet';
  }

  get trouble(): string | null {
    return this.#trouble;
  }

  nextDueUs(): bigint | null {
    return null;
  }

  lag(): number | null {
    let sum = 0;
    for (const { offset, end } of this.#splits.values()) {
      if (end === END_UNKNOWN) return null;
      sum += Math.max(0, end - offset);
    }
    return sum;
  }

  close(): void {
    if (this.#id !== 0) kafkaIo().close(this.#id);
    this.#id = 0;
    for (const again of this.#again.values()) again.close();
    this.#again.clear();
    this.#splits.clear();
    this.#order = [];
  }

  #onMessage(message: FromKafkaIo): void {
    switch (message.kind) {
      case 'splits':
        for (const { name, position, end } of message.splits) {
          this.#addSplit(name, position, end, false);
        }
        break;
      case 'schema':
        this.#learn([{ id: message.schemaId, schema: message.schema }]);
        return;
      case 'records':
        this.#arrive(message.records);
        break;
      case 'failed':
        this.#failure = fromPortError(message.error);
        break;
      case 'trouble':
        this.#trouble = message.reason;
        return;
    }
    this.#context.wake();
  }

  #addSplit(
    name: string,
    { offset, topicId }: KafkaPosition,
    end: number,
    hasBegun: boolean,
  ): void {
    const known = this.#splits.get(name);
    if (known !== undefined) {
      known.end = end;
      return;
    }
    const split = { name, topicId, offset, end, hasBegun, hasToldEnd: false, arrivals: [] };
    this.#splits.set(name, split);
    this.#order = [...this.#splits.values()];
  }

  #arrive(records: FetchedRecords): void {
    const split = must(this.#splits.get(records.split));
    split.arrivals.push(arrivalOf(records));
    split.end = records.end;
  }

  #pollSplit(split: Split, rowsMax: number): SourceChunk | null {
    if (!split.hasBegun) {
      split.hasBegun = true;
      return this.#chunk(split, split.offset, emptyRows(), false);
    }
    const from = split.offset;
    const rows = this.#emptyBuilders(rowsMax);
    const had = [...split.arrivals];
    const usedUp: Arrival[] = [];
    while (rows.rowCount < rowsMax && rows.rejected.length < rowsMax) {
      const arrival = split.arrivals[0];
      if (arrival === undefined) break;
      if (!this.#read(arrival, split, rowsMax, rows)) break;
      split.arrivals.shift();
      split.offset = Math.max(split.offset, arrival.records.to);
      usedUp.push(arrival);
    }
    const release = this.#releaseOf(usedUp);
    const isKept = this.#context.mayRejectLater && rows.rowCount > 0;
    if (!isKept) release();
    const isAtEnd = split.arrivals.length === 0 && split.offset >= split.end;
    const isNews = split.offset !== from || (isAtEnd && !split.hasToldEnd);
    split.hasToldEnd = isAtEnd;
    if (!isNews) return null;
    const chunk = this.#chunk(split, from, rows, isAtEnd, isKept ? had : null);
    const schemas = this.#known?.takeNews() ?? null;
    return { ...chunk, ...(schemas === null ? {} : { schemas }), ...(isKept ? { release } : {}) };
  }

  /** Gives back the bytes of what was used up. */
  #releaseOf(usedUp: readonly Arrival[]): () => void {
    const id = this.#id;
    return () => {
      for (const { records } of usedUp) kafkaIo().taken(id, records.bytes);
    };
  }

  /** Records into builders; false: there are enough rows, the arrival is not used up. `position` moves along. */
  #read(
    arrival: Arrival,
    position: { readonly name: string; offset: number },
    rowsMax: number,
    rows: ReadRows,
    offsetMax = Number.MAX_SAFE_INTEGER,
  ): boolean {
    const { walker } = arrival;
    if (walker === null) return true;
    while (arrival.isPending || walker.next()) {
      arrival.isPending = false;
      if (walker.offset < position.offset) continue;
      if (
        walker.offset >= offsetMax ||
        rows.rowCount >= rowsMax ||
        rows.rejected.length >= rowsMax
      ) {
        arrival.isPending = true;
        return false;
      }
      this.#append(position.name, walker, rows);
      position.offset = walker.offset + 1;
    }
    return true;
  }

  #append(split: string, walker: KafkaRecord, rows: ReadRows): void {
    const { included } = this.#options;
    this.#known?.note(walker);
    const op = this.#decoder.append(walker, rows.fields);
    if (typeof op !== 'number') {
      const byteOffset = Math.max(0, this.#decoder.errorOffset - walker.valueStart);
      this.#reject(split, walker, byteOffset, op, rows);
      return;
    }
    if (op === NO_CHANGE) return;
    const { unavailable } = this.#decoder;
    const violation = op === UPSERT ? this.#notNull.violation(rows.fields, unavailable) : null;
    if (violation !== null) {
      this.#reject(split, walker, 0, violation, rows);
      return;
    }
    if (this.#changesRows) this.#noteChange(op, walker.offset, rows);
    for (let i = 0; i < included.length; i += 1) {
      appendIncluded(rows.included[i]!, included[i]!, split, walker);
    }
    rows.places[rows.rowCount] = walker.offset;
    rows.rowCount += 1;
  }

  #noteChange(op: number, offset: number, rows: ReadRows): void {
    const { memory } = this.#context;
    memory.u8[rows.ops + rows.rowCount] = op;
    memory.i64[(rows.offsets >>> 3) + rows.rowCount] = BigInt(offset);
    const { unavailable } = this.#decoder;
    if (unavailable.length === 0) return;
    const columns = unavailable.map((field) => must(this.#options.fields[field]));
    rows.unavailable.set(rows.rowCount, columns);
  }

  #reject(
    split: string,
    walker: KafkaRecord,
    byteOffset: number,
    error: DataError,
    rows: ReadRows,
  ): void {
    for (const builder of rows.fields) builder.truncate(rows.rowCount);
    const place = recordPlace(split, walker.offset, byteOffset);
    const raw = rawOf(walker, this.#context.rejectedBytesMax);
    rows.rejected.push(rejectedRecord(place, raw, error));
  }

  #emptyBuilders(rowsMax: number): ReadRows {
    const { memory, scratch } = this.#context;
    const builder = (column: number) =>
      new ColumnBuilder(memory, scratch, must(this.#columns[column]).type, rowsMax);
    return {
      fields: this.#options.fields.map(builder),
      included: this.#options.included.map(({ column }) => builder(column)),
      ops: this.#changesRows ? scratch.alloc(Math.max(16, rowsMax)) : 0,
      offsets: this.#changesRows ? scratch.alloc(Math.max(16, 8 * rowsMax)) : 0,
      unavailable: new Map(),
      places: [],
      rejected: [],
      rowCount: 0,
    };
  }

  #chunk(
    split: { readonly name: string; readonly topicId: string; readonly offset: number },
    from: number,
    rows: ReadRows,
    isAtEnd: boolean,
    had: readonly Arrival[] | null = null,
  ): SourceChunk {
    const { topicId } = split;
    return {
      split: split.name,
      from: { offset: from, topicId },
      to: { offset: split.offset, topicId },
      batch: this.#batch(rows),
      ...(this.#changesRows && rows.rowCount > 0 ? { changes: changesOf(rows) } : {}),
      places: {
        offsetOf: (row) => rows.places[row]!,
        placeAt: (offset) => recordPlace(split.name, offset),
        ...(had === null ? {} : this.#rawRecords(had)),
      },
      rejected: rows.rejected,
      isAtEnd,
      isEnded: false,
    };
  }

  #rawRecords(had: readonly Arrival[]): Pick<ChunkPlaces, 'rawAt'> {
    const finder = new RecordFinder(had);
    const { rejectedBytesMax } = this.#context;
    return { rawAt: (offset) => rawOf(finder.find(offset), rejectedBytesMax) };
  }

  #batch({ fields, included, rowCount }: ReadRows): DeltaBatch | null {
    if (rowCount === 0) return null;
    const { memory, wanted } = this.#context;
    const columns = wanted.map((column) => {
      const field = this.#options.fields.indexOf(column);
      if (field >= 0) return fields[field]!.build();
      const at = this.#options.included.findIndex((one) => one.column === column);
      return must(included[at], `column ${column} is no field of the record`).build();
    });
    return { memory, rowCount, columns, weights: 0, rowWatermarks: 0 };
  }
}
