/** Rows of schema millrace: what the engine tells of itself, each value in its text form. */

import { must } from '../base/assert.ts';
import { readValue } from '../batch/read-value.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { SessionRow } from '../catalog/system/system-row.ts';
import {
  DEAD_LETTER_COLUMNS,
  DEAD_LETTERS_ID,
  type EngineStatus,
  type JobStatus,
  type RelationHandle,
  type SinkStatus,
  VIEW_ERROR_COLUMNS,
  VIEW_ERRORS_ID,
} from '../dataflow/port.ts';
import type { RelationReader } from '../state/relation-reader.ts';
import { TIMESTAMPTZ } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue } from '../types/value.ts';
import type { QueryMemoryPool } from './query-memory.ts';

type Row = readonly (string | null)[];

/** How the stored relations behind dead_letters are read. */
export interface LetterStore {
  readonly memories: QueryMemoryPool;
  reader(id: number): RelationReader | undefined;
  handle(id: number): RelationHandle | undefined;
}

/** Rows of `millrace.<name>` at `epoch`, in the order of the relation's columns; others than `wanted` may be null. */
export function millraceRows(
  name: string,
  status: EngineStatus,
  catalog: Catalog,
  letters: LetterStore,
  epoch: number,
  wanted: ReadonlySet<string>,
): Iterable<Row> {
  switch (name) {
    case 'jobs':
      return jobs(status);
    case 'operators':
      return operators(status);
    case 'sources':
      return sources(status);
    case 'sinks':
      return sinks(status, catalog);
    case 'watermarks':
      return watermarks(status, catalog);
    case 'epochs':
      return epochs(status);
    case 'secrets':
      return secrets(catalog);
    default:
      return deadLetters(catalog, letters, epoch, wanted);
  }
}

/** Rows of `millrace.connections`. */
export function* connectionRows(sessions: readonly SessionRow[]): Generator<Row> {
  for (const session of sessions) {
    yield [
      String(session.processId),
      session.user,
      session.applicationName,
      session.clientAddress,
      session.state,
      session.startedText,
      session.statementUs === null ? null : String(session.statementUs),
      session.query,
    ];
  }
}

const WATERMARK_MIN = -(2n ** 63n);

/** A watermark in microseconds as a timestamp; null before the first. */
function instant(us: string | null | undefined): string | null {
  if (us === null || us === undefined) return null;
  const value = BigInt(us);
  return value === WATERMARK_MIN ? null : formatValue(TIMESTAMPTZ, value, DEFAULT_SETTINGS);
}

const bool = (value: boolean): string => (value ? 't' : 'f');
const count = (value: number | null): string | null => (value === null ? null : String(value));

function* jobs({ jobs: all }: EngineStatus): Generator<Row> {
  for (const job of all) {
    yield [
      String(job.id),
      job.name,
      job.kind,
      job.state,
      job.error,
      job.onError,
      count(job.rowCount),
      count(job.rowsIn),
      count(job.used),
      count(job.late),
      count(job.nullTime),
      count(job.withheld),
      count(job.lateAssignments),
      instant(job.watermarks[0]),
      count(job.rowsOut),
      count(job.epoch),
      count(job.freshnessUs),
    ];
  }
}

/** Never what they hold. */
function* secrets(catalog: Catalog): Generator<Row> {
  for (const { id, name } of catalog.secrets()) yield [String(id), name];
}

/** Sinks, then what rejected records of sources go to. */
function* sinks({ jobs: all, sources: feeds }: EngineStatus, catalog: Catalog): Generator<Row> {
  for (const job of all) {
    if (job.sink !== null) yield sinkRow(job, job.sink, 'sink', catalog);
  }
  for (const { id, name, letters } of feeds) {
    if (letters !== null) yield sinkRow({ ...letters, id, name }, letters, 'dead_letters', catalog);
  }
}

function sinkRow(
  { id, name, state, error }: Pick<JobStatus, 'id' | 'name' | 'state' | 'error'>,
  sink: SinkStatus,
  kind: 'sink' | 'dead_letters',
  catalog: Catalog,
): Row {
  return [
    String(id),
    name,
    connectorOf(catalog, id),
    state,
    error,
    count(sink.rowsSent),
    count(sink.pendingEpochs),
    count(sink.pendingRows),
    count(sink.heldRows),
    count(sink.delivery?.spooledBytes ?? null),
    count(sink.delivery?.spooledEpoch ?? null),
    count(sink.delivery?.deliveredEpoch ?? null),
    kind,
    count(sink.rowsDropped),
  ];
}

function connectorOf(catalog: Catalog, id: number): string | null {
  const object = catalog.object(id);
  return object !== undefined && 'connector' in object
    ? (object.connector?.connector ?? null)
    : null;
}

function* operators({ jobs: all }: EngineStatus): Generator<Row> {
  for (const job of all) {
    for (const [position, operator] of job.operators.entries()) {
      yield [
        String(job.id),
        job.name,
        String(position),
        operator.name,
        count(operator.rows),
        count(operator.bytes),
        count(operator.rowsIn),
        count(operator.rowsOut),
      ];
    }
  }
}

function* sources({ sources: all }: EngineStatus): Generator<Row> {
  for (const source of all) {
    const base = [
      String(source.id),
      source.name,
      source.state,
      source.error,
      count(source.rowsRead),
      count(source.rowsDecoded),
      count(source.rowsRejected),
      count(source.nullTime),
      count(source.unknownDeletes),
      count(source.lag),
      source.lag === null ? null : source.lagUnit,
      count(source.rowsPerSecond),
    ];
    if (source.splits.length === 0) yield [...base, null, null, null];
    for (const split of source.splits)
      yield [...base, split.split, JSON.stringify(split.position), bool(split.isEnded)];
  }
}

function* watermarks(
  { sources: all, tableWatermarks }: EngineStatus,
  catalog: Catalog,
): Generator<Row> {
  for (const source of all) {
    for (const split of source.splits) {
      yield [
        source.name,
        split.split,
        instant(split.watermark),
        bool(split.isIdle),
        bool(split.isEnded),
      ];
    }
  }
  for (const { id, watermark } of tableWatermarks) {
    if (all.some((source) => source.id === id)) continue;
    yield [catalog.object(id)?.name ?? String(id), '', instant(watermark), 'f', 'f'];
  }
}

function* epochs(status: EngineStatus): Generator<Row> {
  yield [
    String(status.epoch),
    instant(status.nowUs),
    count(status.epochs),
    count(status.rowsIn),
    count(status.stateBytes),
    count(status.lastEpochUs),
    count(status.lastCheckpointEpoch),
  ];
}

/** The columns `wanted` of a stored relation, which has `names`, as text by their names. */
function* storedRows(
  id: number,
  names: readonly string[],
  wanted: readonly string[],
  letters: LetterStore,
  epoch: number,
): Generator<{ readonly row: Readonly<Record<string, string | null>>; readonly weight: number }> {
  const reader = letters.reader(id);
  const handle = letters.handle(id);
  if (reader === undefined || handle === undefined) return;
  const target = letters.memories.acquire();
  try {
    const columns = wanted.map((name) => names.indexOf(name));
    for (const batch of reader.scan(epoch, columns, target)) {
      for (let at = 0; at < batch.rowCount; at++) {
        const values = wanted.map((name, i) => {
          const { type } = must(handle.columns[must(columns[i])]);
          const value = readValue(batch.memory, must(batch.columns[i]), type, at);
          return [
            name,
            value === null ? null : formatValue(type, value, DEFAULT_SETTINGS),
          ] as const;
        });
        const weight = batch.weights === 0 ? 1 : batch.memory.i32[(batch.weights >>> 2) + at]!;
        yield { row: Object.fromEntries(values), weight };
      }
      target.scratch.reset();
    }
  } finally {
    letters.memories.release(target);
  }
}

/** Rejected records and late rows (logs), then the errors that views hold (state). */
function* deadLetters(
  catalog: Catalog,
  letters: LetterStore,
  epoch: number,
  wanted: ReadonlySet<string>,
): Generator<Row> {
  const stored = storedColumns(wanted);
  const name = (id: string | null | undefined): string | null =>
    id === null || id === undefined ? null : (catalog.object(Number(id))?.name ?? id);
  const rejected = storedRows(DEAD_LETTERS_ID, DEAD_LETTER_COLUMNS, stored, letters, epoch);
  for (const { row, weight } of rejected) {
    yield [
      row.id ?? null,
      row.at ?? null,
      row.kind ?? null,
      name(row.source_id),
      name(row.view_id),
      row.split ?? null,
      row.position ?? null,
      row.row ?? (wanted.has('row') ? textOf(row.raw) : null),
      row.reason ?? null,
      row.op ?? null,
      row.sqlstate ?? null,
      String(weight),
      row.topic ?? null,
      row.partition ?? null,
      row.record_offset ?? null,
      row.key ?? null,
      row.raw ?? null,
      row.is_cut ?? null,
    ];
  }
  const errors = storedRows(VIEW_ERRORS_ID, VIEW_ERROR_COLUMNS, VIEW_ERROR_COLUMNS, letters, epoch);
  for (const { row, weight } of errors) {
    yield [
      null,
      null,
      'error',
      null,
      name(row.view_id),
      null,
      null,
      row.row ?? null,
      row.message ?? null,
      'insert',
      row.sqlstate ?? null,
      String(weight),
      ...NO_RECORD,
    ];
  }
}

/** What columns of millrace.dead_letters are made of, where that is not the stored one of their name. */
const MADE_OF: Readonly<Record<string, readonly string[]>> = {
  source: ['source_id'],
  view: ['view_id'],
  row: ['row', 'raw'],
};

/** At least one: of no column there would be no rows. */
function storedColumns(wanted: ReadonlySet<string>): readonly string[] {
  const names = new Set(['id', ...[...wanted].flatMap((name) => MADE_OF[name] ?? [name])]);
  return DEAD_LETTER_COLUMNS.filter((name) => names.has(name));
}

/** What errors of views leave empty: topic, partition, record_offset, key, raw, is_cut. */
const NO_RECORD = [null, null, null, null, null, null];

/** The text of bytea's text form; what is no UTF-8, or no character of a text, is replaced. */
function textOf(bytea: string | null | undefined): string | null {
  if (bytea === null || bytea === undefined) return null;
  return Buffer.from(bytea.slice(2), 'hex').toString('utf8').replaceAll('\0', '\ufffd');
}
