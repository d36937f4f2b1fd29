/** Reads change events in tests: what each does, and the row as output texts, or the error. */

import { ColumnBuilder } from '../batch/column-builder.ts';
import { readValue } from '../batch/read-value.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import { DEFAULT_SETTINGS, formatValue } from '../types/value.ts';
import { type ChangeDecoder, NO_CHANGE } from './change-decoder.ts';
import type { DecodedColumn } from './csv.ts';

export interface ReadChange {
  readonly op: number;
  readonly row: (string | null)[];
  readonly unavailable: readonly number[];
}

/** `messages`: values of records; null: a tombstone. Of an error its SQLSTATE and text; of what says nothing its `op`. */
export function readChanges(
  decoder: ChangeDecoder,
  columns: readonly DecodedColumn[],
  messages: readonly (Buffer | null)[],
): (ReadChange | { readonly op: number } | string)[] {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  return messages.map((message) => {
    const builders = columns.map(({ type }) => new ColumnBuilder(memory, scratch, type, 16));
    const bytes = Buffer.concat([Buffer.from('...'), message ?? Buffer.alloc(0)]);
    const valueLength = message === null ? -1 : message.length;
    const record = { bytes, keyStart: 0, keyLength: -1, valueStart: 3, valueLength };
    try {
      const op = decoder.append(record, builders);
      if (typeof op !== 'number') throw op;
      if (op === NO_CHANGE) return { op };
      const row = builders.map((builder, i) => {
        const { type } = columns[i]!;
        const one = readValue(memory, builder.build(), type, 0);
        return one === null ? null : formatValue(type, one, DEFAULT_SETTINGS);
      });
      return { op, row, unavailable: decoder.unavailable };
    } catch (error) {
      const { sqlstate, message: text } = error as { sqlstate: string; message: string };
      return `${sqlstate} ${text}`;
    }
  });
}
