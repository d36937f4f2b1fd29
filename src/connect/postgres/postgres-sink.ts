/** The connector `postgres` as a sink: rows of a table, by way of a spool and the thread that talks to the servers. */

import { entry, spawnThread, type Thread } from '../../base/threads.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { ByteWriter } from '../../formats/byte-writer.ts';
import { TextRowEncoder } from '../../formats/text-row.ts';
import { DEFAULT_SETTINGS } from '../../types/settings.ts';
import type { SinkColumn, SinkContext, SinkWriter } from '../sink.ts';
import { tell } from '../spool/courier-events.ts';
import { AppendMaker, millis, type RecordSource, UpsertMaker } from '../spool/record-makers.ts';
import { type Courier, type CourierListener, SpooledSink } from '../spool/spooled-sink.ts';
import type { PostgresConfig } from './client.ts';
import type { TableName } from './write-statements.ts';
import type { FromPostgresThread, ToPostgresThread } from './writer-port.ts';

export type PostgresSinkType = 'append-only' | 'upsert';

/** What the check makes of the options, and the probe completes: JSON. */
export interface PostgresSinkOptions {
  readonly config: PostgresConfig;
  readonly table: TableName;
  readonly progressTable: TableName;
  readonly type: PostgresSinkType;
  /** Columns of the key; empty where rows are only added. */
  readonly key: readonly number[];
  readonly columns: readonly SinkColumn[];
  readonly spoolBytesMax: number;
  /** null: not known before the probe. */
  readonly statements: { readonly insert: string; readonly delete: string | null } | null;
}

const SEGMENT_BYTES = 64 * 1024 * 1024;

export function openPostgresSink(options: PostgresSinkOptions, context: SinkContext): SinkWriter {
  const { spoolBytesMax: bytesMax, type, key } = options;
  const rows = new RowTexts(context.columns, key);
  return new SpooledSink({
    options,
    directory: context.directory,
    limits: { bytesMax, segmentBytes: Math.min(SEGMENT_BYTES, bytesMax) },
    maker: type === 'upsert' ? new UpsertMaker(rows) : new AppendMaker(rows),
    openCourier: (current, contents, listener) => {
      const { uuid, incarnation } = context;
      const { config, table, progressTable, statements, columns } = current;
      if (statements === null) throw new Error('the probe comes first');
      return postgresThread().open(
        {
          kind: 'open',
          contents,
          options: {
            ...{ config, table, progressTable, uuid, incarnation, ...statements },
            columnCount: columns.length,
            keyCount: key.length,
          },
        },
        listener,
      );
    },
  });
}

class RowTexts implements RecordSource {
  readonly #row: TextRowEncoder;
  readonly #key: TextRowEncoder | null;
  readonly #keyBytes = new ByteWriter();
  readonly #rowBytes = new ByteWriter();

  constructor(columns: readonly SinkColumn[], key: readonly number[]) {
    const fields = columns.map((column, index) => ({ ...column, index }));
    this.#row = new TextRowEncoder(fields, DEFAULT_SETTINGS);
    const keyFields = key.map((index) => fields[index]!);
    this.#key = key.length === 0 ? null : new TextRowEncoder(keyFields, DEFAULT_SETTINGS);
  }

  key(batch: DeltaBatch, row: number): Buffer | null {
    return this.#key === null ? null : encoded(this.#key, batch, row, this.#keyBytes);
  }

  value(batch: DeltaBatch, row: number): Buffer {
    return encoded(this.#row, batch, row, this.#rowBytes);
  }

  timestampMs(_batch: DeltaBatch, _row: number, timeUs: bigint): number {
    return millis(timeUs);
  }
}

function encoded(encoder: TextRowEncoder, batch: DeltaBatch, row: number, out: ByteWriter): Buffer {
  out.clear();
  encoder.append(batch, row, out);
  return out.written;
}

class PostgresThread {
  readonly #thread: Thread<ToPostgresThread, FromPostgresThread>;
  readonly #listeners = new Map<number, CourierListener>();
  #nextId = 1;

  constructor() {
    const file = entry(import.meta.url, './writer-thread.ts');
    this.#thread = spawnThread(file, { name: 'postgres', data: null });
    this.#thread.onMessage((message) => {
      const listener = this.#listeners.get(message.id);
      if (listener !== undefined) tell(listener, message);
    });
    this.#thread.setRef(false);
  }

  open(
    message: Omit<Extract<ToPostgresThread, { kind: 'open' }>, 'id'>,
    listener: CourierListener,
  ): Courier {
    const id = this.#nextId++;
    this.#listeners.set(id, listener);
    this.#thread.post({ ...message, id });
    return {
      spooled: (end) => this.#thread.post({ kind: 'spooled', id, end }),
      close: () => {
        this.#listeners.delete(id);
        this.#thread.post({ kind: 'close', id });
      },
    };
  }
}

let thread: PostgresThread | null = null;

/** One thread serves all sinks of the calling thread; it starts with the first. */
function postgresThread(): PostgresThread {
  thread ??= new PostgresThread();
  return thread;
}
