/** Messages between a thread that reads or writes Kafka synchronously and the thread that talks to the brokers. */

import type { WriterSchema } from '../../formats/message-decoder.ts';
import type { RegistryConfig } from '../schema-registry/registry-client.ts';
import type { SchemaAnswer } from '../source.ts';
import type { CourierEvent } from '../spool/courier-events.ts';
import type { SpoolPosition } from '../spool/spool.ts';
import type { SpoolContents } from '../spool/spooled-sink.ts';
import type { PartitionOffset } from './client.ts';
import type { TransactionOptions } from './delivery.ts';
import type { KafkaConfig } from './kafka-config.ts';
import type { RecordLimits } from './record-batch.ts';
import type { CompressionName } from './record-batch-writer.ts';

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
  /** null: records carry no ids of schemas. */
  readonly registry: SchemaSource | null;
}

/** Where the schemas are whose ids stand in the values. */
export interface SchemaSource extends RegistryConfig {
  /** In the keys, too. */
  readonly areInKeys: boolean;
}

export interface FetchLimits {
  readonly waitMsMax: number;
  readonly bytesMin: number;
  readonly bytesMax: number;
  readonly partitionBytesMax: number;
  /** Fetched and not yet taken, over all partitions of a source. */
  readonly queueBytesMax: number;
  /** Of a batch, compressed or not. */
  readonly decompressedBytesMax: number;
  readonly metadataMaxAgeMs: number;
}

/** What is taken of an answer for a split: one alone does not fill the queue twice. */
export function recordLimits(split: string, fetch: FetchLimits): RecordLimits {
  const { decompressedBytesMax: batchBytesMax, queueBytesMax: bytesMax } = fetch;
  return { partition: split, batchBytesMax, bytesMax };
}

/** A split whose records are wanted again, from an offset on until it is closed. */
export interface RangeOptions {
  readonly config: KafkaConfig;
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  readonly from: number;
  readonly fetch: FetchLimits;
  readonly registry: SchemaSource | null;
}

/** Epochs of a spool are delivered to a topic. */
export interface WriterOptions extends SpoolContents {
  readonly config: KafkaConfig;
  readonly topic: string;
  /** null: at least once. */
  readonly transaction: TransactionOptions | null;
  readonly batchBytesMax: number;
  readonly compression: CompressionName;
  /** Whether records have the header `millrace.epoch`. */
  readonly epochHeader: boolean;
}

export type ToKafkaIo =
  | { readonly kind: 'open_reader'; readonly id: number; readonly options: ReaderOptions }
  /** Records were taken; their buffer comes back where it can be used again. */
  | {
      readonly kind: 'taken';
      readonly id: number;
      readonly byteCount: number;
      readonly buffer: SharedArrayBuffer | null;
    }
  | { readonly kind: 'open_range'; readonly id: number; readonly options: RangeOptions }
  /** Answered by 'schemas' or 'failed'. */
  | {
      readonly kind: 'ask_schemas';
      readonly id: number;
      readonly registry: RegistryConfig;
      readonly schemaIds: readonly number[];
    }
  /** Answered by 'offsets_committed' or 'failed'. */
  | {
      readonly kind: 'commit_offsets';
      readonly id: number;
      readonly config: KafkaConfig;
      readonly group: string;
      readonly offsets: readonly PartitionOffset[];
    }
  | { readonly kind: 'open_writer'; readonly id: number; readonly options: WriterOptions }
  /** The spool of a writer holds whole epochs up to `end`. */
  | { readonly kind: 'spooled'; readonly id: number; readonly end: SpoolPosition }
  | { readonly kind: 'close'; readonly id: number };

/** Records of a split from `from` on; those before it belong to what was read already. */
export interface FetchedRecords {
  readonly split: string;
  readonly topicId: string;
  readonly from: number;
  /** The offset behind them. */
  readonly to: number;
  /** Uncompressed batches (record-batch.ts); null: nothing visible. */
  readonly bytes: Uint8Array<SharedArrayBuffer> | null;
  readonly recordCount: number;
  /** The last stable offset as of now. */
  readonly end: number;
}

export interface BegunSplit {
  readonly name: string;
  /** Where it begins. */
  readonly position: KafkaPosition;
  readonly end: number;
}

export type FromKafkaIo =
  /** Splits begin to be read: all of the start at once, so that one epoch can have them all. */
  | { readonly kind: 'splits'; readonly id: number; readonly splits: readonly BegunSplit[] }
  /** A schema, before the first records whose values carry its id. */
  | {
      readonly kind: 'schema';
      readonly id: number;
      readonly schemaId: number;
      readonly schema: WriterSchema;
    }
  | { readonly kind: 'schemas'; readonly id: number; readonly answers: readonly SchemaAnswer[] }
  | { readonly kind: 'offsets_committed'; readonly id: number }
  | { readonly kind: 'records'; readonly id: number; readonly records: FetchedRecords }
  /** Of a writer; 'trouble' and 'failed' also of a reader. */
  | (CourierEvent & { readonly id: number });
