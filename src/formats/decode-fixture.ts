/** Runs a record decoder over a text given in pieces, for tests: rows as output texts, and what was rejected. */

import { ColumnBuilder } from '../batch/column-builder.ts';
import { readValue } from '../batch/read-value.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { DataType } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue } from '../types/value.ts';
import type { RecordDecoder } from './record-decoder.ts';

export interface Decoded {
  readonly rows: (string | null)[][];
  /** Of the errors. */
  readonly details: string[];
  readonly errors: { readonly line: number; readonly offset: number; readonly text: string }[];
}

/** `pieces`: what is there at each step; the last one ends the bytes. */
export function decodeAll(
  decoder: RecordDecoder,
  types: readonly DataType[],
  pieces: readonly (string | Buffer)[],
): Decoded {
  const memory = Memory.create();
  const scratch = new Scratch(memory);
  const builders = types.map((type) => new ColumnBuilder(memory, scratch, type, 16));
  const errors: Decoded['errors'] = [];
  const details: string[] = [];
  let bytes = Buffer.alloc(0);
  let at = 0;
  let line = 1;
  let count = 0;
  for (const [i, piece] of pieces.entries()) {
    bytes = Buffer.concat([bytes, Buffer.from(piece)]);
    const isLast = i === pieces.length - 1;
    while (at < bytes.length) {
      const next = decoder.scan(bytes, at, bytes.length, isLast);
      if (next < 0) break;
      if (!decoder.isBlank) {
        const error = decoder.append(bytes, builders);
        if (error === null) count += 1;
        else {
          for (const builder of builders) builder.truncate(count);
          details.push(error.fields.detail ?? '');
          errors.push({ line, offset: decoder.errorOffset, text: error.message });
        }
      }
      at = next;
      line += decoder.lineCount;
    }
  }
  const columns = builders.map((builder) => builder.build());
  const rows = Array.from({ length: count }, (_, row) =>
    columns.map((column, c) => {
      const value = readValue(memory, column, types[c]!, row);
      return value === null ? null : formatValue(types[c]!, value, DEFAULT_SETTINGS);
    }),
  );
  return { rows, errors, details };
}
