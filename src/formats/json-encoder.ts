/** A row as a JSON object: a member for each column, by name, in the columns' order; NULL is null. */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { isNull } from '../batch/read-value.ts';
import { quoteJson } from '../types/jsonb.ts';
import type { ValueSettings } from '../types/value.ts';
import type { ByteWriter } from './byte-writer.ts';
import { jsonWriter } from './json-value.ts';
import type { ColumnWriter, EncodedColumn, MessageEncoder } from './message-encoder.ts';

export class JsonEncoder implements MessageEncoder {
  readonly #columns: readonly EncodedColumn[];
  /** What stands before each value: `{"id":`, `,"name":`. */
  readonly #heads: readonly Buffer[];
  readonly #writers: readonly ColumnWriter[];

  constructor(columns: readonly EncodedColumn[], settings: ValueSettings) {
    this.#columns = columns;
    this.#heads = columns.map(({ name }, i) =>
      Buffer.from(`${i === 0 ? '{' : ','}${quoteJson(name)}:`),
    );
    this.#writers = columns.map(({ type }) => jsonWriter(type, settings));
  }

  append(batch: DeltaBatch, row: number, out: ByteWriter): void {
    if (this.#columns.length === 0) out.ascii('{');
    for (let i = 0; i < this.#columns.length; i += 1) {
      const column = batch.columns[this.#columns[i]!.index]!;
      out.bytes(this.#heads[i]!);
      if (isNull(batch, column, row)) out.ascii('null');
      else this.#writers[i]!(batch, column, row, out);
    }
    out.ascii('}');
  }
}
