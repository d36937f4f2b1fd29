/**
 * What a sink connector is: it takes the changes of epochs, in order, once each.
 *
 * Contract (semantics.md rule 30). The caller gives for each epoch the consolidated change in canonical order, retractions
 * before inserts of a key, once the epoch's manifest is durable. `begin` tells the last epoch that was delivered for good:
 * everything behind it has to be given again, and the sink leaves out nothing and repeats nothing. When `write` or `commit`
 * throws (53100: the disk is full), all of that epoch is taken back: the caller gives it again from its first `write`.
 */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { DataType } from '../types/data-type.ts';
import type { CheckRequest } from './options.ts';
import type { Json } from './source.ts';

export interface SinkColumn {
  readonly name: string;
  readonly type: DataType;
}

/** How the rows of a sink's query change. */
export interface SinkChanges {
  /** There are no retractions. */
  readonly isAppendOnly: boolean;
  /** Columns that identify a row, as far as it is proven; null: there may be equal rows. */
  readonly key: readonly number[] | null;
}

/** What a sink needs at most one row of each of, where the query does not promise it (semantics.md rule 31). */
export interface UniqueKey {
  readonly columns: readonly number[];
  readonly onDuplicate: 'error' | 'latest';
}

/** What a sink's check gives. */
export interface CheckedSink {
  /** What it is opened with. */
  readonly options: Json;
  /** null: any changes of the query's rows will do. */
  readonly uniqueKey: UniqueKey | null;
}

/** What a sink's check is given. */
export interface SinkCheckRequest extends CheckRequest {
  readonly changes: SinkChanges;
}

export interface SinkContext {
  readonly fileRoots: readonly string[];
  readonly columns: readonly SinkColumn[];
  /** The sink's UUID and the data directory's incarnation: they name its progress (rule 30). */
  readonly uuid: string;
  readonly incarnation: string;
  /** The sink's own directory, for what it has to keep; null: nothing is kept beyond the process. */
  readonly directory: string | null;
}

/** How far a sink has come whose outside answers later. */
export interface SinkDelivery {
  readonly state: 'running' | 'disconnected' | 'failed';
  readonly error: string | null;
  /** 0: none since the server started. */
  readonly deliveredEpoch: number;
  /** The last epoch that it has taken. */
  readonly spooledEpoch: number;
  /** Bytes that are not delivered. */
  readonly spooledBytes: number;
}

export interface SinkWriter {
  /**
   * Opens the sink; returns the last epoch with rows that it holds for good (0: none): epochs up to it are not given again.
   * Beyond `lastEpoch`, our newest: 55000.
   */
  begin(lastEpoch: number): number;
  /** The rows of `epoch` will be what there was when the sink was made: they may come outside in parts. */
  beginSnapshot?(epoch: number): void;
  /** Adds rows of `epoch`; `timeUs` is the manifest's now(). May be called several times for one epoch. */
  write(epoch: number, timeUs: bigint, batch: DeltaBatch): void;
  /** The epoch is whole: it is durable outside when this returns. */
  commit(epoch: number): void;
  /** Why it takes no further epoch for now; null: it does. The caller keeps the changes and asks again. */
  readonly refusal?: string | null;
  /** Goes on with options whose secrets are others (those that it was opened with otherwise). Absent: it has none. */
  reconnect?(options: Json): void;
  /** What was committed survives the loss of power when this returns. Absent: it does so already. */
  sync?(): void;
  /** Absent: what is committed is delivered. */
  delivery?(): SinkDelivery;
  close(): void;
  /** After `close`: it was dropped; nothing that it kept is needed any more. */
  remove?(): void;
}
