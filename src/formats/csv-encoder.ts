/** A row as one CSV record without a line end: the columns in their order, in the output form of COPY. */

import type { DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import { formatValue, type ValueSettings } from '../types/value.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { CsvOptions } from './csv.ts';
import { csvQuoter } from './csv-field.ts';
import type { EncodedColumn, MessageEncoder } from './message-encoder.ts';

export class CsvEncoder implements MessageEncoder {
  readonly #columns: readonly EncodedColumn[];
  readonly #options: CsvOptions;
  readonly #settings: ValueSettings;
  readonly #quote: (text: string) => string;

  constructor(columns: readonly EncodedColumn[], options: CsvOptions, settings: ValueSettings) {
    this.#columns = columns;
    this.#options = options;
    this.#settings = settings;
    this.#quote = csvQuoter(options);
  }

  append(batch: DeltaBatch, row: number, out: ByteWriter): void {
    const { delimiter, nullText } = this.#options;
    for (let i = 0; i < this.#columns.length; i += 1) {
      const { type, index } = this.#columns[i]!;
      if (i > 0) out.ascii(delimiter);
      const value = readValue(batch.memory, batch.columns[index]!, type, row);
      out.text(value === null ? nullText : this.#quote(formatValue(type, value, this.#settings)));
    }
  }
}
