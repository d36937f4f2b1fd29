/**
 * The connector `file` with ENCODE PARQUET: the change stream as Parquet files in a directory, exactly once through restarts.
 *
 * Algorithm: committed epochs go into a temporary file; with each checkpoint (`sync`), and when it is large, it gets its footer,
 * is synced and renamed to `part-<last epoch>.parquet`. Correctness: a name ending in .parquet is a whole file of whole
 * epochs; the greatest epoch in names and in the note beside them is the progress, and recovery gives again all epochs behind
 * it, because a checkpoint is taken only after `sync`. The note is for names that were taken away.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { assert } from '../../base/assert.ts';
import { fileError } from '../../base/file-problem.ts';
import { SqlError } from '../../base/sql-error.ts';
import { syncDirectory } from '../../base/sync-directory.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import { type ParquetCodec, ParquetFile } from '../../formats/parquet-file.ts';
import type { ValueSettings } from '../../types/settings.ts';
import { type CheckRequest, checkOptions, type OptionSchema } from '../options.ts';
import type { SinkContext, SinkDelivery, SinkWriter } from '../sink.ts';
import { checkRealPath } from './file-access.ts';
import { ProgressFile } from './sink-progress.ts';

const MIB = 1024 * 1024;
const ENCODE_SCHEMA: OptionSchema = {
  compression: { kind: 'choice', choices: ['snappy', 'none'], default: 'snappy' },
  'file.max.bytes': { kind: 'integer', min: MIB, default: 256 * MIB },
};
const TEMPORARY = '.next.tmp';
const PROGRESS = '.progress';

/** JSON. */
export interface ParquetSinkOptions {
  readonly kind: 'parquet';
  /** The directory. */
  readonly path: string;
  readonly codec: ParquetCodec;
  readonly fileBytesMax: number;
  readonly settings: ValueSettings;
}

/** `directory`: resolved, inside of the allowed ones. */
export function checkParquetSink(directory: string, request: CheckRequest): ParquetSinkOptions {
  const options = checkOptions('ENCODE PARQUET', ENCODE_SCHEMA, request.encodeOptions);
  const { settings } = request;
  return {
    kind: 'parquet',
    path: directory,
    codec: options.get('compression') === 'none' ? 'UNCOMPRESSED' : 'SNAPPY',
    fileBytesMax: options.get('file.max.bytes') as number,
    settings,
  };
}

export class ParquetSink implements SinkWriter {
  readonly #options: ParquetSinkOptions;
  readonly #context: SinkContext;
  #progress: ProgressFile | null = null;
  /** What is in files that can be read. */
  #publishedEpoch = 0;
  #committedEpoch = 0;
  #fd = -1;
  #file: ParquetFile | null = null;
  #hasFailed = false;

  constructor(options: ParquetSinkOptions, context: SinkContext) {
    this.#options = options;
    this.#context = context;
  }

  begin(lastEpoch: number): number {
    const { path: directory } = this.#options;
    const { fileRoots, uuid, incarnation } = this.#context;
    try {
      checkRealPath(directory, fileRoots);
      fs.mkdirSync(directory, { recursive: true });
      this.#progress = new ProgressFile(this.#pathOf(PROGRESS), `${uuid} ${incarnation}`);
      const noted = this.#progress.read();
      if (noted === null) this.#progress.create({ epoch: 0, length: 0 });
      fs.rmSync(this.#pathOf(TEMPORARY), { force: true });
      const published = fs.readdirSync(directory).map(epochOf);
      this.#publishedEpoch = Math.max(noted?.epoch ?? 0, ...published);
      this.#committedEpoch = this.#publishedEpoch;
      if (this.#publishedEpoch > lastEpoch) throw ahead(directory, this.#publishedEpoch, lastEpoch);
    } catch (error) {
      this.#progress?.close();
      throw error instanceof SqlError ? error : fileError(directory, error);
    }
    return this.#publishedEpoch;
  }

  write(epoch: number, timeUs: bigint, batch: DeltaBatch): void {
    assert(epoch > this.#committedEpoch, `epoch ${epoch} was delivered before`);
    this.#guarded(() => this.#opened().add(epoch, timeUs, batch));
  }

  commit(epoch: number): void {
    this.#guarded(() => {
      if (this.#file === null) return;
      this.#file.commit();
      this.#committedEpoch = epoch;
    });
    if ((this.#file?.size ?? 0) < this.#options.fileBytesMax) return;
    try {
      this.#publish();
    } catch {
      // The epoch is taken. A checkpoint tries again, and says what is wrong.
    }
  }

  sync(): void {
    this.#guarded(() => this.#publish());
  }

  delivery(): SinkDelivery {
    return {
      state: 'running',
      error: null,
      deliveredEpoch: this.#publishedEpoch,
      spooledEpoch: this.#committedEpoch,
      spooledBytes: this.#file?.size ?? 0,
    };
  }

  close(): void {
    try {
      this.#file?.rollBack();
      this.#publish();
    } catch {
      // No checkpoint has these epochs: they are given again.
    }
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
    this.#file = null;
    this.#progress?.close();
    this.#progress = null;
  }

  #opened(): ParquetFile {
    if (this.#file === null) {
      const { codec, settings } = this.#options;
      this.#fd = fs.openSync(this.#pathOf(TEMPORARY), 'w+', 0o644);
      this.#file = new ParquetFile(this.#fd, this.#context.columns, codec, settings);
    }
    return this.#file;
  }

  /** What was committed becomes a file that can be read. */
  #publish(): void {
    const file = this.#file;
    if (file === null || this.#committedEpoch === this.#publishedEpoch) return;
    const epoch = this.#committedEpoch;
    const target = this.#pathOf(`part-${String(epoch).padStart(16, '0')}.parquet`);
    file.finish(() => {
      fs.fsyncSync(this.#fd);
      fs.renameSync(this.#pathOf(TEMPORARY), target);
    });
    this.#publishedEpoch = epoch;
    this.#file = null;
    fs.closeSync(this.#fd);
    this.#fd = -1;
    syncDirectory(this.#options.path);
    this.#progress?.note({ epoch, length: 0 });
  }

  /** After a failure all of the epoch is taken back: the caller gives it again. */
  #guarded(work: () => void): void {
    try {
      if (this.#hasFailed) this.#file?.rollBack();
      this.#hasFailed = false;
      work();
    } catch (error) {
      this.#hasFailed = true;
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      throw fileError(this.#options.path, error);
    }
  }

  #pathOf(name: string): string {
    return path.join(this.#options.path, name);
  }
}

/** The last epoch of a file; 0: it is not one of ours. */
function epochOf(name: string): number {
  return Number(/^part-(\d{16})\.parquet$/.exec(name)?.[1] ?? 0);
}

function ahead(directory: string, epoch: number, last: number): SqlError {
  const message = `directory "${directory}" holds epoch ${epoch}, which is ahead of this server's ${last}`;
  return new SqlError('55000', message, {
    hint: 'The data directory is older than the files: was it restored from a backup?',
  });
}
