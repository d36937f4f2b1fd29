/**
 * A row as the texts of its columns: for each the length in bytes as u32, little-endian (NULL_TEXT: NULL), and the output text
 * as UTF-8. Cost: linear in the text.
 */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import { formatValue, type ValueSettings } from '../types/value.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { EncodedColumn, MessageEncoder } from './message-encoder.ts';

const NULL_TEXT = 0xffff_ffff;

export class TextRowEncoder implements MessageEncoder {
  readonly #columns: readonly EncodedColumn[];
  readonly #settings: ValueSettings;

  constructor(columns: readonly EncodedColumn[], settings: ValueSettings) {
    this.#columns = columns;
    this.#settings = settings;
  }

  append(batch: DeltaBatch, row: number, out: ByteWriter): void {
    for (const { type, index } of this.#columns) {
      const value = readValue(batch.memory, batch.columns[index]!, type, row);
      const at = out.reserve(4);
      if (value !== null) out.text(formatValue(type, value, this.#settings));
      out.buffer.writeUInt32LE(value === null ? NULL_TEXT : out.length - at - 4, at);
    }
  }
}

export function readTextRow(bytes: Buffer): (string | null)[] {
  const texts: (string | null)[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at);
    at += 4;
    const end = length === NULL_TEXT ? at : at + length;
    texts.push(length === NULL_TEXT ? null : bytes.toString('utf8', at, end));
    at = end;
  }
  return texts;
}
