/** Rows of schema millrace: what the engine tells of itself, each value in its text form. */

import { readRow } from '../batch/build-batch.ts';
import { weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { SessionRow } from '../catalog/system/system-row.ts';
import {
  lettersOf,
  PAGE_COLUMNS,
  PAGE_TEXTS,
  PAGES_READ,
  positionText,
  type StoredLetter,
} from '../dataflow/letter-page.ts';
import {
  DEAD_LETTERS_ID,
  type EngineStatus,
  type JobStatus,
  type SinkStatus,
  VIEW_ERRORS_ID,
} from '../dataflow/port.ts';
import { VIEW_ERRORS } from '../dataflow/problems.ts';
import type { RelationReader } from '../state/relation-reader.ts';
import { BYTEA, TIMESTAMPTZ } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue } from '../types/value.ts';
import type { QueryMemoryPool } from './query-memory.ts';

type Row = readonly (string | null)[];

/** How the stored relations behind dead_letters are read. */
export interface LetterStore {
  readonly memories: QueryMemoryPool;
  reader(id: number): RelationReader | undefined;
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

/** The rows of a stored relation: its columns `columns`, in batches that last until the next one. */
function* storedRows(
  id: number,
  columns: readonly number[],
  letters: LetterStore,
  epoch: number,
  rowsMax?: number,
): Generator<{ readonly batch: DeltaBatch; readonly row: number }> {
  const reader = letters.reader(id);
  if (reader === undefined) return;
  const target = letters.memories.acquire();
  try {
    for (const batch of reader.scan(epoch, columns, target, rowsMax)) {
      for (let row = 0; row < batch.rowCount; row++) yield { batch, row };
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
  const name = nameIn(catalog);
  const cells = letterCells(name).map(([column, cell]) => (wanted.has(column) ? cell : noCell));
  const columns = RECORD_BYTES.some((column) => wanted.has(column)) ? PAGE_COLUMNS : PAGE_TEXTS;
  const pages = storedRows(DEAD_LETTERS_ID, columns, letters, epoch, PAGES_READ);
  for (const { batch, row: page } of pages) {
    for (const letter of lettersOf(batch, page)) yield cells.map((cell) => cell(letter));
  }
  const all = VIEW_ERRORS.map((_, column) => column);
  const types = VIEW_ERRORS.map(({ type }) => type);
  for (const { batch, row } of storedRows(VIEW_ERRORS_ID, all, letters, epoch)) {
    const [viewId, sqlstate, message, text] = readRow(batch, types, row);
    yield [
      null,
      null,
      'error',
      null,
      name(Number(viewId)),
      null,
      null,
      text as string | null,
      message as string,
      'insert',
      sqlstate as string,
      String(weightOf(batch, row)),
      ...NO_RECORD,
    ];
  }
}

type Cell = (letter: StoredLetter) => string | null;

const noCell: Cell = () => null;

/** What a letter shows, in the order of the columns of millrace.dead_letters. */
function letterCells(
  name: (id: number | null) => string | null,
): readonly (readonly [column: string, cell: Cell])[] {
  return [
    ['id', ({ id }) => String(id)],
    ['at', ({ atUs }) => formatValue(TIMESTAMPTZ, atUs, DEFAULT_SETTINGS)],
    ['kind', ({ kind }) => kind],
    ['source', ({ sourceId }) => name(sourceId)],
    ['view', ({ viewId }) => name(viewId)],
    ['split', ({ split }) => split],
    ['position', positionText],
    ['row', ({ row, raw }) => row ?? textOf(raw?.value)],
    ['reason', ({ reason }) => reason],
    ['op', ({ op }) => op],
    ['sqlstate', ({ sqlstate }) => sqlstate],
    ['weight', () => '1'],
    ['topic', ({ place }) => place?.topic ?? null],
    ['partition', ({ place }) => count(place?.partition ?? null)],
    ['record_offset', ({ place }) => count(place?.offset ?? null)],
    ['key', ({ raw }) => byteaOf(raw?.key)],
    ['raw', ({ raw }) => byteaOf(raw?.value)],
    ['is_cut', ({ raw }) => (raw === undefined ? null : bool(raw.isCut))],
  ];
}

function nameIn(catalog: Catalog): (id: number | null) => string | null {
  return (id) => (id === null ? null : (catalog.object(id)?.name ?? String(id)));
}

/** Columns of millrace.dead_letters that are made of the bytes of records. */
const RECORD_BYTES = ['row', 'key', 'raw'];

/** What errors of views leave empty: topic, partition, record_offset, key, raw, is_cut. */
const NO_RECORD = [null, null, null, null, null, null];

function byteaOf(bytes: Uint8Array | null | undefined): string | null {
  return bytes == null ? null : formatValue(BYTEA, bytes, DEFAULT_SETTINGS);
}

/** What is no UTF-8, or no character of a text, is replaced. */
function textOf(bytes: Uint8Array | null | undefined): string | null {
  if (bytes == null) return null;
  const { buffer, byteOffset, length } = bytes;
  return Buffer.from(buffer, byteOffset, length).toString('utf8').replaceAll('\0', '\ufffd');
}
