/** The connector `kafka` as a sink: the changes of epochs as records, by way of a spool and the thread that talks to the brokers. */

import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { readValue } from '../../batch/read-value.ts';
import { ByteWriter } from '../../formats/byte-writer.ts';
import type { EncodedColumn, MessageEncoder } from '../../formats/message-encoder.ts';
import type { ValueSettings } from '../../types/settings.ts';
import type { SinkColumn, SinkContext, SinkWriter } from '../sink.ts';
import { openChangeEncoder, openMessageEncoder, type SinkEncoding } from '../sink-encodings.ts';
import { tell } from '../spool/courier-events.ts';
import {
  AppendMaker,
  EnvelopeMaker,
  millis,
  type RecordSource,
  UpsertMaker,
} from '../spool/record-makers.ts';
import {
  type Courier,
  type CourierListener,
  type RecordMaker,
  type SpoolContents,
  SpooledSink,
} from '../spool/spooled-sink.ts';
import { kafkaIo } from './io.ts';
import type { KafkaConfig } from './kafka-config.ts';
import type { CompressionName } from './record-batch-writer.ts';

export type SinkType = 'append-only' | 'upsert' | 'debezium';

/** How records reach a topic: JSON. */
export interface TopicDelivery {
  readonly config: KafkaConfig;
  readonly topic: string;
  readonly epochHeader: boolean;
  readonly isExactlyOnce: boolean;
  readonly transactionTimeoutMs: number;
  readonly progressTopic: string;
  readonly batchBytesMax: number;
  readonly compression: CompressionName;
  readonly spoolBytesMax: number;
}

/** What the check makes of the options: JSON. */
export interface KafkaSinkOptions extends TopicDelivery {
  readonly type: SinkType;
  /** Columns of the key, in its order; null: records have none. */
  readonly key: readonly number[] | null;
  readonly keyEncoding: SinkEncoding | null;
  readonly encoding: SinkEncoding;
  /** The column that records take their time from; null: the epoch's time. */
  readonly timestampColumn: number | null;
  readonly settings: ValueSettings;
}

const SEGMENT_BYTES = 64 * 1024 * 1024;
/** Unless the options say otherwise. */
export const BATCH_BYTES = 512 * 1024;
export const TRANSACTION_TIMEOUT_MS = 60_000;

/** Fences every server that runs on a copy of the sink. */
export function transactionalId(uuid: string): string {
  return `millrace-${uuid}`;
}

export function openKafkaSink(options: KafkaSinkOptions, context: SinkContext): SinkWriter {
  return openTopicSink(options, openMaker(options, context.columns), context);
}

/** A topic that takes the records that `maker` makes. */
export function openTopicSink(
  options: TopicDelivery,
  maker: RecordMaker,
  context: SinkContext,
): SinkWriter {
  const { spoolBytesMax: bytesMax } = options;
  return new SpooledSink<Pick<TopicDelivery, 'config'>>({
    options,
    directory: context.directory,
    limits: { bytesMax, segmentBytes: Math.min(SEGMENT_BYTES, bytesMax) },
    maker,
    openCourier: ({ config }, contents, listener) =>
      openCourier({ ...options, config }, context, contents, listener),
  });
}

function openCourier(
  options: TopicDelivery,
  { uuid, incarnation }: SinkContext,
  contents: SpoolContents,
  listener: CourierListener,
): Courier {
  const { config, topic, batchBytesMax, compression, epochHeader } = options;
  const { transactionTimeoutMs: timeoutMs, progressTopic, isExactlyOnce } = options;
  const id = transactionalId(uuid);
  const progressKey = `${uuid} ${incarnation}`;
  const transaction = isExactlyOnce ? { id, timeoutMs, progressTopic, progressKey } : null;
  const io = kafkaIo();
  const writer = io.openWriter(
    { config, topic, transaction, batchBytesMax, compression, epochHeader, ...contents },
    (message) => {
      const { kind } = message;
      if (kind === 'delivered' || kind === 'trouble' || kind === 'failed') tell(listener, message);
    },
  );
  return { spooled: (end) => io.spooled(writer, end), close: () => io.close(writer) };
}

function openMaker(options: KafkaSinkOptions, columns: readonly SinkColumn[]): RecordMaker {
  const fields = columns.map((column, index) => ({ ...column, index }));
  const { type, encoding, settings } = options;
  if (type === 'debezium') {
    const { row, envelope } = openChangeEncoder(encoding, fields, settings);
    return new EnvelopeMaker(new RowBytes(options, fields, row), envelope);
  }
  const rows = new RowBytes(options, fields, openMessageEncoder(encoding, fields, settings));
  return type === 'upsert' ? new UpsertMaker(rows) : new AppendMaker(rows);
}

class RowBytes implements RecordSource {
  readonly #key: MessageEncoder | null;
  readonly #value: MessageEncoder;
  readonly #timestampColumn: number | null;
  readonly #timestampType: SinkColumn['type'] | null;
  readonly #keyBytes = new ByteWriter();
  readonly #valueBytes = new ByteWriter();

  constructor(
    { key, keyEncoding, timestampColumn, settings }: KafkaSinkOptions,
    fields: readonly EncodedColumn[],
    value: MessageEncoder,
  ) {
    const keyFields = (key ?? []).map((index) => fields[index]!);
    this.#key = keyEncoding === null ? null : openMessageEncoder(keyEncoding, keyFields, settings);
    this.#value = value;
    this.#timestampColumn = timestampColumn;
    this.#timestampType = timestampColumn === null ? null : fields[timestampColumn]!.type;
  }

  key(batch: DeltaBatch, row: number): Buffer | null {
    return this.#key === null ? null : encoded(this.#key, batch, row, this.#keyBytes);
  }

  value(batch: DeltaBatch, row: number): Buffer {
    return encoded(this.#value, batch, row, this.#valueBytes);
  }

  timestampMs(batch: DeltaBatch, row: number, timeUs: bigint): number {
    if (this.#timestampColumn === null) return millis(timeUs);
    const column = batch.columns[this.#timestampColumn]!;
    const value = readValue(batch.memory, column, this.#timestampType!, row);
    return millis((value as bigint | null) ?? timeUs);
  }
}

function encoded(encoder: MessageEncoder, batch: DeltaBatch, row: number, out: ByteWriter): Buffer {
  out.clear();
  encoder.append(batch, row, out);
  return out.written;
}
