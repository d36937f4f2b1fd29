/** What a source's feed is made of: the engine around it, and its state as a checkpoint keeps it. */

import type { Clock } from '../base/clock.ts';
import type { SinkContext, SinkWriter } from '../connect/sink.ts';
import type { SourceColumn, SourceContext, SourceReader } from '../connect/source.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { CreateSourceAction, Json } from './port.ts';
import type { PostKeyState } from './posted-rows.ts';
import type { ProblemLog } from './problems.ts';
import type { ReaderStartsState } from './reader-starts.ts';
import type { SplitState } from './source-splits.ts';

/** The outside world as the engine opens it: connect/connectors.ts, or a fake. */
export interface Connectors {
  openSource(checked: Json, columns: readonly SourceColumn[], context: SourceContext): SourceReader;
  openSink(checked: Json, context: SinkContext): SinkWriter;
  /** The options that the sink was opened with hold other secrets now. */
  reconnectSink(writer: SinkWriter, checked: Json): void;
  /** Of a source with a `letterUuid`. */
  openLetters(checked: Json, context: SinkContext): SinkWriter;
}

export interface FeedContext {
  readonly connectors: Connectors;
  /** Where decoded records lie until the epoch ends. */
  readonly memory: Memory;
  readonly scratch: Scratch;
  readonly clock: Clock;
  readonly fileRoots: readonly string[];
  /** Bytes of a rejected record's key and value, each, that are kept. */
  readonly rejectedBytesMax: number;
  readonly problems: ProblemLog;
  /** The epoch's instant. */
  readonly nowUs: () => bigint;
  readonly wake: () => void;
  readonly warn: (text: string) => void;
}

export interface FeedState {
  readonly definition: CreateSourceAction;
  readonly splits: readonly SplitState[];
  readonly watermark: string;
  readonly rowsRead: number;
  readonly rowsRejected: number;
  readonly nullTime: number;
  readonly unknownDeletes: number;
  /** Idempotency keys of what was posted; absent: none. */
  readonly postKeys?: readonly PostKeyState[];
  /** Absent: NOT NULL was never dropped, and no view reads it. */
  readonly starts?: ReaderStartsState;
  /** Ids of schemas that the registry did not have (unknown-schemas.ts); absent: none. */
  readonly unknownSchemas?: readonly number[];
  /** What was taken in could not be read again: its stored rows are not whole; null: all is well. */
  readonly broken: string | null;
}
