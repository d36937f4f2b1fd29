/**
 * What decoders of single messages (a Kafka record's value or key, a webhook's object) have in common: the bytes of one message
 * become one value in each column builder, without an object per message.
 *
 * `append` gives what is wrong with the message, with `errorOffset` set; the builders then hold a part of the row, which the
 * caller takes back with `truncate`. As with RecordDecoder (record-decoder.ts) it is a result.
 */

import type { DataError } from '../base/sql-error.ts';
import type { ColumnBuilder } from '../batch/column-builder.ts';

export interface MessageDecoder {
  /** null: nothing is wrong with it. */
  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
  ): DataError | null;
  /** Where something was wrong: offset in `bytes` of the value or byte that is wrong. */
  readonly errorOffset: number;
  /** Takes a schema before the messages that carry its id. Absent: messages carry no ids. */
  learnSchema?(id: number, schema: WriterSchema): void;
}

/** A schema that messages were written by, as a schema registry has it. */
export interface WriterSchema {
  /** AVRO, PROTOBUF, JSON. */
  readonly type: string;
  readonly text: string;
  /** Texts of the schemas whose names it uses, each before those that use it. */
  readonly references: readonly string[];
}
