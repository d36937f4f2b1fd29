/**
 * ParquetFile: a change stream as one Parquet file: weight, epoch, time and the columns of each row.
 *
 * Rows are gathered and written as row groups into an open file; what was added since `commit` can be taken back. The file can
 * be read once `finish` has written its footer. Cost: linear in the values; memory: a row group.
 */

import * as fs from 'node:fs';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import { INT4, INT8, TIMESTAMPTZ } from '../types/data-type.ts';
import type { ValueSettings } from '../types/settings.ts';
import { CHANGE_FIELDS } from './change-lines.ts';
import type { DecodedColumn } from './csv.ts';
import { type ParquetColumn, type ParquetValue, parquetColumn } from './parquet-columns.ts';

export type ParquetCodec = 'SNAPPY' | 'UNCOMPRESSED';

/** A row group ends with the batch that brings it to so many rows, or bytes as we estimate them. */
const GROUP_ROWS = 100_000;
const GROUP_BYTES = 16 * 1024 * 1024;
/** Of a value without its text or bytes. */
const VALUE_BYTES = 8;

/** Appends to an open file. */
class FileWriter extends ByteWriter {
  readonly #fd: number;

  constructor(fd: number) {
    super();
    this.#fd = fd;
  }

  flush(): void {
    const bytes = this.getBytes();
    const start = this.offset - bytes.length;
    for (let at = 0; at < bytes.length; ) {
      at += fs.writeSync(this.#fd, bytes, at, bytes.length - at, start + at);
    }
    this.index = 0;
  }

  override finish(): void {
    this.flush();
  }

  rewind(offset: number): void {
    fs.ftruncateSync(this.#fd, offset);
    this.offset = offset;
    this.index = 0;
  }
}

/** How far the file is written. */
interface Mark {
  readonly offset: number;
  readonly groupCount: number;
  readonly indexCount: number;
  readonly rowCount: bigint;
}

export class ParquetFile {
  readonly #columns: readonly DecodedColumn[];
  readonly #parquet: readonly ParquetColumn[];
  readonly #writer: FileWriter;
  readonly #file: ParquetWriter;
  /** Of the next row group, by column. */
  #values: (ParquetValue | null)[][];
  #byteCount = 0;
  /** Rows of it that were committed. */
  #committed = 0;
  #committedBytes = 0;
  #mark: Mark;

  /** `fd`: an empty file, which stays the caller's. */
  constructor(
    fd: number,
    columns: readonly DecodedColumn[],
    codec: ParquetCodec,
    settings: ValueSettings,
  ) {
    this.#columns = columns;
    const [weight, epoch, time] = CHANGE_FIELDS;
    this.#parquet = [
      parquetColumn(weight!, INT4, settings),
      parquetColumn(epoch!, INT8, settings),
      parquetColumn(time!, TIMESTAMPTZ, settings),
      ...columns.map(({ name, type }) => parquetColumn(name, type, settings)),
    ];
    const elements = this.#parquet.map(({ element }) => element);
    const schema = [{ name: 'changes', num_children: elements.length }, ...elements];
    this.#writer = new FileWriter(fd);
    this.#file = new ParquetWriter({
      ...{ writer: this.#writer, schema, codec },
      createdBy: 'millrace',
    });
    this.#writer.flush();
    this.#values = this.#parquet.map(() => []);
    this.#mark = this.#now();
  }

  /** Bytes, those of gathered rows estimated. */
  get size(): number {
    return this.#writer.offset + this.#byteCount;
  }

  add(epoch: number, timeUs: bigint, batch: DeltaBatch): void {
    const [weights, epochs, times] = this.#values;
    for (let row = 0; row < batch.rowCount; row += 1) {
      weights!.push(weightOf(batch, row));
      epochs!.push(BigInt(epoch));
      times!.push(timeUs);
    }
    for (const [i, { type }] of this.#columns.entries()) {
      const { convert } = this.#parquet[i + CHANGE_FIELDS.length]!;
      const values = this.#values[i + CHANGE_FIELDS.length]!;
      const column = batch.columns[i]!;
      for (let row = 0; row < batch.rowCount; row += 1) {
        const value = readValue(batch.memory, column, type, row);
        const written = value === null ? null : convert(value);
        values.push(written);
        if (typeof written === 'object' || typeof written === 'string') {
          this.#byteCount += written?.length ?? 0;
        }
      }
    }
    this.#byteCount += batch.rowCount * VALUE_BYTES * this.#values.length;
    if (this.#rowCount >= GROUP_ROWS || this.#byteCount >= GROUP_BYTES) this.#writeGroups();
  }

  /** What was added stays. */
  commit(): void {
    this.#committed = this.#rowCount;
    this.#committedBytes = this.#byteCount;
    this.#mark = this.#now();
  }

  /** Takes back what was added since the last commit. */
  rollBack(): void {
    this.#rewind(this.#mark);
    for (const values of this.#values) values.length = this.#committed;
    this.#byteCount = this.#committedBytes;
  }

  /** Writes the rest and the footer, after a commit; then `publish` is called. Where either fails nothing has happened. */
  finish(publish: () => void): void {
    const before = this.#now();
    try {
      this.#writeGroup(this.#values);
      this.#file.finish();
      publish();
    } catch (error) {
      this.#rewind(before);
      throw error;
    }
  }

  get #rowCount(): number {
    return this.#values.at(-1)!.length;
  }

  /** Committed rows become a group of their own, so that the others can be taken back. */
  #writeGroups(): void {
    if (this.#committed > 0) {
      this.#writeGroup(this.#values.map((values) => values.slice(0, this.#committed)));
      this.#values = this.#values.map((values) => values.slice(this.#committed));
      this.#committed = 0;
      this.#committedBytes = 0;
      this.#mark = this.#now();
    }
    this.#writeGroup(this.#values);
    this.#values = this.#parquet.map(() => []);
    this.#byteCount = 0;
  }

  #writeGroup(values: readonly (ParquetValue | null)[][]): void {
    const rowGroupSize = values[0]!.length;
    if (rowGroupSize === 0) return;
    const columnData = this.#parquet.map(({ element }, i) => ({
      name: element.name,
      data: values[i]!,
    }));
    this.#file.write({ columnData, rowGroupSize });
  }

  #now(): Mark {
    const { row_groups: groups, pendingIndexes, num_rows: rowCount } = this.#file;
    const { offset } = this.#writer;
    return { offset, groupCount: groups.length, indexCount: pendingIndexes.length, rowCount };
  }

  #rewind({ offset, groupCount, indexCount, rowCount }: Mark): void {
    this.#writer.rewind(offset);
    this.#file.row_groups.length = groupCount;
    this.#file.pendingIndexes.length = indexCount;
    this.#file.num_rows = rowCount;
  }
}
