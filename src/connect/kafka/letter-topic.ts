/**
 * `dead_letter.topic`: the rejected records of a source as records of another topic, as they came, with headers that say why: by
 * the way of a sink (spool, transactions with its progress).
 *
 * What was sent of a letter does not change: a record that is rejected again at REPLAY has its letter already.
 */

import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { readValue } from '../../batch/read-value.ts';
import type { Value } from '../../types/data-type.ts';
import { LETTER_COLUMNS, type LetterColumn } from '../letters.ts';
import type { SinkContext, SinkWriter } from '../sink.ts';
import { millis } from '../spool/record-makers.ts';
import type { Spool } from '../spool/spool.ts';
import type { SpoolHeader } from '../spool/spool-frame.ts';
import type { RecordMaker } from '../spool/spooled-sink.ts';
import type { KafkaConfig } from './kafka-config.ts';
import {
  BATCH_BYTES,
  openTopicSink,
  type TopicDelivery,
  TRANSACTION_TIMEOUT_MS,
} from './kafka-sink.ts';
import { headersOf } from './kept-record.ts';

/** What the check makes of the options: JSON. */
export interface LetterTopic {
  readonly topic: string;
  readonly progressTopic: string;
  readonly spoolBytesMax: number;
}

/** The option that names it. */
export const LETTER_TOPIC = 'dead_letter.topic';

/** How letters come to their topic. */
export function letterDelivery(config: KafkaConfig, letters: LetterTopic): TopicDelivery {
  return {
    config,
    ...letters,
    epochHeader: false,
    isExactlyOnce: true,
    transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
    batchBytesMax: BATCH_BYTES,
    compression: 'none',
  };
}

export function openLetterTopic(
  config: KafkaConfig,
  letters: LetterTopic,
  context: SinkContext,
): SinkWriter {
  return openTopicSink(letterDelivery(config, letters), new LetterMaker(), context);
}

type Letter = Readonly<Record<LetterColumn, Value>>;

class LetterMaker implements RecordMaker {
  write(epoch: number, timeUs: bigint, batch: DeltaBatch, spool: Spool): void {
    for (let row = 0; row < batch.rowCount; row += 1) {
      const letter = letterAt(batch, row);
      const stamp = Number(letter.timestamp_ms ?? -1);
      const time = stamp < 0 ? millis(timeUs) : stamp;
      const headers = [...headersOf(letter.context as string | null), ...reasons(letter)];
      spool.append(epoch, timeUs, time, bytesOf(letter.key), bytesOf(letter.raw), headers);
    }
  }

  endEpoch(): void {}

  rollBack(): void {}
}

function letterAt(batch: DeltaBatch, row: number): Letter {
  const values = LETTER_COLUMNS.map(
    ({ name, type }, column) =>
      [name, readValue(batch.memory, batch.columns[column]!, type, row)] as const,
  );
  return Object.fromEntries(values) as Letter;
}

function bytesOf(value: Value): Buffer | null {
  return value === null ? null : Buffer.from(value as Uint8Array);
}

function reasons(letter: Letter): SpoolHeader[] {
  const texts: [name: string, value: Value | undefined][] = [
    ['millrace.source', letter.source],
    ['millrace.reason', 'rejected'],
    ['millrace.sqlstate', letter.sqlstate],
    ['millrace.error', letter.reason],
    ['millrace.topic', letter.topic],
    ['millrace.partition', letter.partition],
    ['millrace.offset', letter.record_offset],
    ['millrace.letter', letter.id],
  ];
  if (letter.is_cut === true) texts.push(['millrace.truncated', 'true']);
  return texts.flatMap(([name, value]): SpoolHeader[] =>
    value === null || value === undefined ? [] : [[name, Buffer.from(String(value))]],
  );
}
