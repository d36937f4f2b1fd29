/**
 * The port between the main thread (sessions, catalog) and the dataflow worker: every message is plain JSON, bytes or
 * shared memory, so that it can be cloned between threads and, where it is durable, written to the input log.
 *
 * A commit is a transaction's DDL and DML: all of it takes effect in one epoch, or nothing does. It is answered when that
 * epoch is durable and published.
 */

import type { EventLoopDelays } from '../base/event-loop-delay.ts';
import type { HistogramCounts } from '../base/histogram.ts';
import type { SecretKeySource } from '../base/secret-box.ts';
import type { PortError } from '../base/threads.ts';
import type { PlacedText } from '../connect/sealed-options.ts';
import type { SinkDelivery } from '../connect/sink.ts';
import type { PostedBody, SchemaAnswer } from '../connect/source.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import type { StreamPlan } from '../plan/plan-node.ts';
import type { IndexSchema, RelationSchema } from '../state/relation-schema.ts';
import type { DataType } from '../types/data-type.ts';
import type { PreviewLimits } from './source-preview.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/**
 * Ids of the engine's own stored relations (below every user id). Rejected records of sources and late rows of views are logs:
 * their pages are in DEAD_LETTERS_ID (letter-page.ts).
 */
export const DEAD_LETTERS_ID = 12_001;
export const VIEW_ERRORS_ID = 12_002;

/** Columns of the stored relation VIEW_ERRORS_ID (rule 11: weighted state); index 1 is by view_id. */
export const VIEW_ERROR_COLUMNS = ['view_id', 'sqlstate', 'message', 'row'] as const;

/** A column of a relation as the engine needs it. */
export interface EngineColumn {
  readonly name: string;
  readonly type: DataType;
}

export interface EngineWatermark {
  readonly column: number;
  /** W = greatest value - delayUs. */
  readonly delayUs: string;
}

/** What the worker does for a DDL statement, in the order of the statements. */
export type DdlAction =
  | CreateTableAction
  | CreateSourceAction
  | CreateViewAction
  | CreateSinkAction
  | {
      readonly kind: 'create_index';
      readonly relationId: number;
      readonly id: number;
      readonly index: IndexSchema;
    }
  | { readonly kind: 'drop_index'; readonly relationId: number; readonly id: number }
  /**
   * A table, source, view or sink; whatever hangs on it was dropped before, in the same list. `letterCount`: the engine's own, in
   * the log: dead letters that it has ever had; absent: not known.
   */
  | { readonly kind: 'drop'; readonly id: number; readonly letterCount?: number }
  /** The engine's own: dead letters numbered below `beforeId` are trimmed (semantics.md rule 27). */
  | { readonly kind: 'trim_dead_letters'; readonly beforeId: number }
  /** Records of a source may have NULL in the column from now on. */
  | { readonly kind: 'drop_not_null'; readonly id: number; readonly column: number }
  /** A secret has another value: what a source's or sink's checked options hold of it. */
  | {
      readonly kind: 'alter_options';
      readonly id: number;
      readonly texts: readonly PlacedText[];
    }
  | { readonly kind: 'rename'; readonly id: number; readonly name: string };

export interface CreateTableAction {
  readonly kind: 'create_table';
  readonly id: number;
  readonly name: string;
  readonly columns: readonly EngineColumn[];
  readonly schema: RelationSchema;
  readonly watermark: EngineWatermark | null;
}

export interface CreateSourceAction {
  readonly kind: 'create_source';
  readonly id: number;
  readonly name: string;
  readonly columns: readonly EngineColumn[];
  /** GENERATED ALWAYS AS: expressions over `columns`; null: the connector fills the column. */
  readonly generated: readonly (BoundExpr | null)[];
  /** Columns that must not be NULL: such records are rejected. */
  readonly notNull: readonly number[];
  readonly watermark: EngineWatermark | null;
  /** connect's checked options (its own JSON). */
  readonly connector: Json;
  /** Settings frozen at CREATE, for generated columns; absent: the defaults (UTC). */
  readonly settings?: Readonly<Record<string, string>>;
  /** Its rows are kept, and read like a table's; absent: they only pass through. */
  readonly store?: FeedStore;
  /** Rejected records go somewhere else, too: under this UUID, like what a sink sends. Absent: they don't. */
  readonly letterUuid?: string;
}

/** The stored rows of a source: every one (append-only), or the newest of each key. */
export interface FeedStore {
  /** With a key: two columns more than the source has (source-store.ts). */
  readonly schema: RelationSchema;
  /** Catalog ids of `schema.indexes`. */
  readonly indexIds: readonly number[];
}

export interface CreateViewAction {
  readonly kind: 'create_view';
  readonly id: number;
  readonly name: string;
  readonly plan: StreamPlan;
  readonly schema: RelationSchema;
  /** Settings frozen at CREATE (TimeZone, DateStyle ...) by lower-case name. */
  readonly settings: Readonly<Record<string, string>>;
}

export interface CreateSinkAction {
  readonly kind: 'create_sink';
  readonly id: number;
  readonly name: string;
  readonly plan: StreamPlan;
  readonly settings: Readonly<Record<string, string>>;
  readonly connector: Json;
  readonly uuid: string;
  /** false: only what comes after its creation is sent. Absent: true. */
  readonly hasSnapshot?: boolean;
}

/** A change of a table. */
export interface DmlChange {
  readonly relationId: number;
  /** packBatch of rows in order (weights ±; of a table without a watermark the net ones); null: TRUNCATE: every row goes. */
  readonly rows: Uint8Array | null;
  /** Rule 14: VALUES and COPY are judged row by row, other statements by the watermark before them. */
  readonly judge: 'row' | 'statement';
}

/** CatalogChange as JSON: the worker keeps objects by id and never looks inside. */
export interface CatalogRecord {
  readonly puts: readonly { readonly id: number }[];
  readonly removes: readonly number[];
  readonly nextId: number;
}

/** A body that was posted to a source. */
export interface SourcePost {
  readonly sourceId: number;
  readonly body: PostedBody;
  /** Another body of this key is the same one, sent again; null: it has none. */
  readonly key: string | null;
}

/** What became of a body's records. */
export interface PostResult {
  readonly accepted: number;
  /** They are dead letters. */
  readonly rejected: number;
  /** A body with its key came before: this is the answer that it got, and nothing was taken in. */
  readonly isRepeated: boolean;
}

/** REPLAY DEAD LETTERS: rejected records of a source go through it again, late rows of a view are judged again (rule 27). */
export type LetterReplay = RecordReplay | LateReplay;

/** Numbers of letters: first and last of each range, in order. */
export type LetterRanges = readonly (readonly [number, number])[];

export interface RecordReplay {
  readonly sourceId: number;
  /** Others than the source's rejected ones are passed over. */
  readonly ranges: LetterRanges;
  /** What the schema registry had under the ids that the records name, when it was asked; absent: nothing was asked. */
  readonly schemas?: readonly SchemaAnswer[];
}

export interface LateReplay {
  /** A view or sink. */
  readonly viewId: number;
  /** Others than its late rows are passed over. */
  readonly ranges: LetterRanges;
}

/** What became of the letters. */
export interface ReplayResult {
  /** Their records or rows were taken in, and they are gone. */
  readonly replayed: number;
  /** Rejected again, with the error of now, or late again: they stay. */
  readonly rejected: number;
  /** Their bytes were cut, or are not known: they stay. */
  readonly unreadable: number;
}

export interface CommitRequest {
  readonly ddl: readonly DdlAction[];
  readonly catalog: CatalogRecord | null;
  readonly dml: readonly DmlChange[];
  /** Absent: none. A commit of posts or replays has no DDL. */
  readonly posts?: readonly SourcePost[];
  readonly replays?: readonly LetterReplay[];
}

export interface CommitResult {
  readonly epoch: number;
  /** Relations that the commit created or whose readers must be made again (indexes). */
  readonly relations: readonly RelationHandle[];
  /** By post. */
  readonly posts: readonly PostResult[];
  /** By replay. */
  readonly replays: readonly ReplayResult[];
}

/** How any thread reads a stored relation: `new RelationReader(wasm, headerAddress, schema)`. */
export interface RelationHandle {
  readonly id: number;
  readonly wasm: WebAssembly.Memory;
  readonly headerAddress: number;
  readonly schema: RelationSchema;
  readonly columns: readonly EngineColumn[];
}

export interface EngineOptions {
  /** `:memory:` or a directory. */
  readonly dataDir: string;
  readonly kernels: 'auto' | 'ts';
  readonly fileRoots: readonly string[];
  /** Opens what is sealed of connectors' options. */
  readonly secretKey: SecretKeySource;
  /** Rows an epoch takes at most; rows of a batch at most (1, 7 in tests). */
  readonly epochRowsMax: number;
  readonly batchRowsMax: number;
  readonly checkpointIntervalMs: number;
  readonly stateBytesMax: number;
  /** Dead letters beyond either limit are trimmed, the oldest first. */
  readonly deadLetterBytesMax: number;
  readonly deadLetterAgeMsMax: number;
  /** Bytes of a rejected record's key and value, each, that its letter keeps. */
  readonly deadLetterRecordBytesMax: number;
  /** A sink that holds back more than this while its outside takes nothing holds sources back. */
  readonly sinkHeldBytesMax: number;
}

export const DEFAULT_ENGINE_OPTIONS: EngineOptions = Object.freeze({
  dataDir: ':memory:',
  kernels: 'auto',
  fileRoots: Object.freeze(['.']),
  secretKey: Object.freeze({ hex: '' }),
  epochRowsMax: 65_536,
  batchRowsMax: 1024,
  checkpointIntervalMs: 30_000,
  stateBytesMax: 4 * 2 ** 30,
  deadLetterBytesMax: 64 * 2 ** 20,
  deadLetterAgeMsMax: 7 * 86_400_000,
  deadLetterRecordBytesMax: 64 * 2 ** 10,
  sinkHeldBytesMax: 64 * 2 ** 20,
});

/** What the worker is started with. */
export interface WorkerData {
  readonly options: EngineOptions;
  /** EpochControl's shared block. */
  readonly control: SharedArrayBuffer;
}

export type ToWorker =
  | { readonly kind: 'commit'; readonly request: number; readonly commit: CommitRequest }
  | { readonly kind: 'status'; readonly request: number }
  | { readonly kind: 'checkpoint'; readonly request: number }
  | {
      readonly kind: 'preview';
      readonly request: number;
      readonly sourceId: number;
      readonly limits: PreviewLimits;
    }
  | { readonly kind: 'close'; readonly request: number }
  /** Tell of each epoch from now on, and of the newest at once; or tell no more. */
  | { readonly kind: 'watch'; readonly isOn: boolean };

export type FromWorker =
  | { readonly kind: 'ready'; readonly ready: EngineReady }
  | { readonly kind: 'failed_start'; readonly error: PortError }
  | { readonly kind: 'reply'; readonly request: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly request: number; readonly error: PortError }
  | { readonly kind: 'epoch'; readonly epoch: number }
  | { readonly kind: 'stopped'; readonly id: number; readonly reason: string }
  | { readonly kind: 'log'; readonly level: 'info' | 'warn' | 'error'; readonly text: string };

/** What recovery found. */
export interface EngineReady {
  readonly epoch: number;
  readonly catalog: {
    readonly objects: readonly { readonly id: number }[];
    readonly nextId: number;
  };
  readonly relations: readonly RelationHandle[];
  /** Views and sinks that had stopped before. */
  readonly stopped: readonly { readonly id: number; readonly reason: string }[];
}

export interface OperatorStatus {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  readonly rowsIn: number;
  readonly rowsOut: number;
}

/** Dead letters of one kind and relation (the source of rejected records, the view of others), trimmed ones included. */
export interface LetterCount {
  readonly kind: 'rejected' | 'late' | 'null_time';
  readonly relationId: number;
  readonly count: number;
}

/** The log of dead letters. Counters never go back. */
export interface LetterStatus {
  readonly counts: readonly LetterCount[];
  readonly kept: number;
  readonly bytes: number;
  readonly trimmed: number;
  readonly replayed: number;
}

/** What a sink has sent since the server started, and what waits. */
export interface SinkStatus {
  /** In absolute weight. */
  readonly rowsSent: number;
  /** Epochs that are to be delivered, and their rows. */
  readonly pendingEpochs: number;
  readonly pendingRows: number;
  /** Rows that are held back: until an EMIT PERIODIC sink's period is over, or the outside takes them. */
  readonly heldRows: number;
  /** Rows that found no room and will not be sent: letters of a source. */
  readonly rowsDropped: number;
  /** null: what was sent is delivered. */
  readonly delivery: SinkDelivery | null;
}

/** What a source's rejected records go to. */
export interface OutputStatus extends SinkStatus {
  readonly state: SinkDelivery['state'];
  readonly error: string | null;
}

/** One view or sink. Counters are of rule 24, in absolute weight. */
export interface JobStatus {
  readonly id: number;
  readonly name: string;
  readonly kind: 'materialized_view' | 'sink';
  /** disconnected: a sink cannot reach its outside, and goes on trying. */
  readonly state: 'running' | 'building' | 'disconnected' | 'failed';
  readonly error: string | null;
  readonly onError: 'fail' | 'withhold';
  /** Rows of a view; rows that a sink has sent since the server started. */
  readonly rowCount: number;
  readonly rowsIn: number;
  /** Rows of a view's changes, rows that a sink has sent: since the server started. */
  readonly rowsOut: number;
  /** The epoch at which its contents stand: behind the published one for a view that has stopped. */
  readonly epoch: number;
  /** From the arrival of the oldest row to its publishing, for the last epoch that brought rows; null: none did yet. */
  readonly freshnessUs: number | null;
  readonly used: number;
  readonly late: number;
  readonly nullTime: number;
  readonly withheld: number;
  readonly lateAssignments: number;
  readonly watermarks: readonly string[];
  readonly operators: readonly OperatorStatus[];
  /** null: a view. */
  readonly sink: SinkStatus | null;
}

export interface SplitStatus {
  readonly split: string;
  readonly position: Json;
  readonly watermark: string | null;
  readonly isIdle: boolean;
  readonly isEnded: boolean;
}

export interface SourceStatus {
  readonly id: number;
  readonly name: string;
  /** `disconnected`: the other side cannot be reached, `error` says why; it goes on trying. */
  readonly state: 'running' | 'waiting' | 'disconnected' | 'ended' | 'failed';
  readonly error: string | null;
  readonly rowsRead: number;
  readonly rowsDecoded: number;
  readonly rowsRejected: number;
  readonly nullTime: number;
  /** Deletes of keys that were not there; null: its records don't change rows. */
  readonly unknownDeletes: number | null;
  readonly lag: number | null;
  readonly lagUnit: 'rows' | 'bytes';
  /** Over the last ten seconds. */
  readonly rowsPerSecond: number;
  readonly splits: readonly SplitStatus[];
  /** null: its rejected records are dead letters only. */
  readonly letters: OutputStatus | null;
}

/** What the engine counts since it started. */
export interface EngineMeasuresStatus {
  readonly epochSeconds: HistogramCounts;
  readonly epochRows: HistogramCounts;
  readonly checkpointSeconds: HistogramCounts;
  readonly checkpoints: {
    readonly written: number;
    readonly skipped: number;
    readonly failed: number;
  };
  /** Of all of them. */
  readonly checkpointBytes: number;
  readonly logBytes: number;
  /** Commits that wait for an epoch, those whose view is being filled among them. */
  readonly queuedCommits: number;
  readonly queuedCommitBytes: number;
  readonly sourceHeldSeconds: number;
}

/** What the worker's thread answers. */
export interface WorkerStatus extends EngineStatus {
  readonly eventLoopDelay: EventLoopDelays;
}

export interface EngineStatus {
  readonly epoch: number;
  readonly nowUs: string;
  readonly epochs: number;
  readonly rowsIn: number;
  readonly stateBytes: number;
  readonly lastEpochUs: number;
  readonly lastCheckpointEpoch: number;
  readonly jobs: readonly JobStatus[];
  readonly sources: readonly SourceStatus[];
  readonly letters: LetterStatus;
  readonly measures: EngineMeasuresStatus;
  readonly tableWatermarks: readonly { readonly id: number; readonly watermark: string | null }[];
}
