/** Reads Avro messages in tests: rows as output texts, and the errors. */

import { ColumnBuilder } from '../../batch/column-builder.ts';
import { readValue } from '../../batch/read-value.ts';
import { Memory } from '../../memory/memory.ts';
import { Scratch } from '../../memory/scratch.ts';
import type { DataType } from '../../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue } from '../../types/value.ts';
import type { MessageDecoder } from '../message-decoder.ts';

export interface DecodedMessage {
  readonly row: (string | null)[] | null;
  readonly error: {
    readonly offset: number;
    readonly sqlstate: string;
    readonly text: string;
  } | null;
}

/** Decodes the messages one by one; each lies behind three other bytes, as in a batch. */
export function decodeMessages(
  decoder: MessageDecoder,
  types: readonly DataType[],
  messages: readonly Buffer[],
): DecodedMessage[] {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const builders = types.map((type) => new ColumnBuilder(memory, scratch, type, 16));
  let count = 0;
  const errors = messages.map((message) => {
    const bytes = Buffer.concat([Buffer.from([1, 2, 3]), message, Buffer.from([255])]);
    try {
      decoder.append(bytes, 3, 3 + message.length, builders);
      count += 1;
      return null;
    } catch (error) {
      for (const builder of builders) builder.truncate(count);
      const { sqlstate, message: text } = error as { sqlstate: string; message: string };
      return { offset: decoder.errorOffset - 3, sqlstate, text };
    }
  });
  const columns = builders.map((builder) => builder.build());
  let row = 0;
  return errors.map((error) => {
    if (error !== null) return { row: null, error };
    const values = columns.map((column, c) => {
      const value = readValue(memory, column, types[c]!, row);
      return value === null ? null : formatValue(types[c]!, value, DEFAULT_SETTINGS);
    });
    row += 1;
    return { row: values, error: null };
  });
}
