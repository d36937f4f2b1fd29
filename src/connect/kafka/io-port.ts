/** Messages between a thread that reads or writes Kafka synchronously and the thread that talks to the brokers. */

import type { PortError } from '../../base/threads.ts';
import type { WriterSchema } from '../../formats/message-decoder.ts';
import type { RegistryConfig } from '../schema-registry/registry-client.ts';
import type { KafkaConfig } from './client.ts';

/** Where a source begins in partitions of which nothing was read yet. */
export type StartupMode =
  | { readonly kind: 'earliest' }
  | { readonly kind: 'latest' }
  | { readonly kind: 'timestamp'; readonly ms: number }
  /** By split; the others begin at their earliest. */
  | { readonly kind: 'offsets'; readonly offsets: Readonly<Record<string, number>> };

export interface TopicSelection {
  readonly topics: readonly string[];
  /** A regular expression (RE2) over topic names, in place of `topics`. */
  readonly pattern: string | null;
}

/** The next offset to be read, in a topic: JSON. */
export interface KafkaPosition {
  readonly offset: number;
  readonly topicId: string;
}

export interface ReaderOptions {
  readonly config: KafkaConfig;
  readonly selection: TopicSelection;
  readonly startup: StartupMode;
  /** By split; empty: nothing was read yet, the startup mode counts. */
  readonly positions: Readonly<Record<string, KafkaPosition>>;
  readonly fetch: FetchLimits;
  /** Where the schemas are whose ids stand in the values; null: values carry none. */
  readonly registry: RegistryConfig | null;
}

export interface FetchLimits {
  readonly waitMsMax: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
  /** Fetched and not yet taken, over all partitions of a source. */
  readonly queueBytesMax: number;
  readonly decompressedBytesMax: number;
  readonly metadataMaxAgeMs: number;
}

/** A split whose records are wanted again, from an offset on until it is closed. */
export interface RangeOptions {
  readonly config: KafkaConfig;
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly from: number;
  readonly fetch: FetchLimits;
  readonly registry: RegistryConfig | null;
}

export type ToKafkaIo =
  | { readonly kind: 'open_reader'; readonly id: number; readonly options: ReaderOptions }
  /** Records were taken; their buffer comes back where it can be used again. */
  | {
      readonly kind: 'taken';
      readonly id: number;
      readonly byteCount: number;
      readonly buffer: ArrayBuffer | null;
    }
  | { readonly kind: 'open_range'; readonly id: number; readonly options: RangeOptions }
  | { readonly kind: 'close'; readonly id: number };

/** Records of a split from `from` on; those before it belong to what was read already. */
export interface FetchedRecords {
  readonly split: string;
  readonly topicId: string;
  readonly from: number;
  /** The offset behind them. */
  readonly to: number;
  /** Uncompressed batches (record-batch.ts); null: nothing visible. */
  readonly bytes: Uint8Array<ArrayBuffer> | null;
  readonly recordCount: number;
  /** The last stable offset as of now. */
  readonly end: number;
}

export type FromKafkaIo =
  /** A split begins to be read at an offset. */
  | {
      readonly kind: 'split';
      readonly id: number;
      readonly split: string;
      readonly position: KafkaPosition;
      readonly end: number;
    }
  /** A schema, before the first records whose values carry its id. */
  | {
      readonly kind: 'schema';
      readonly id: number;
      readonly schemaId: number;
      readonly schema: WriterSchema;
    }
  | { readonly kind: 'records'; readonly id: number; readonly records: FetchedRecords }
  /** The brokers cannot be reached, or can be again (null); it goes on trying. */
  | { readonly kind: 'trouble'; readonly id: number; readonly reason: string | null }
  /** It cannot go on. */
  | { readonly kind: 'failed'; readonly id: number; readonly error: PortError };
