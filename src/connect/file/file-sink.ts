/**
 * The connector `file` as a sink: lines of the change stream, exactly once through restarts (Parquet: parquet-sink.ts).
 *
 * Algorithm: lines go to the end of the file; `commit` syncs it and then notes epoch and length in a small file beside it
 * (two slots with checksums, written in turn, so that a torn write leaves the other one). `begin` cuts the file back to the
 * length noted last: what an unfinished epoch wrote is gone, and the epoch is given again.
 * Correctness: the file holds exactly the lines of the epochs up to the noted one, at any crash: lines are durable before
 * the note, and whatever lies behind the noted length is cut before anything is written.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { assert } from '../../base/assert.ts';
import { fileError } from '../../base/file-problem.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { DeltaBatch } from '../../batch/delta-batch.ts';
import type { ChangeEncoder } from '../../formats/change-lines.ts';
import type { ValueSettings } from '../../types/value.ts';
import { type CheckRequest, checkOptions, type OptionSchema } from '../options.ts';
import type { SinkContext, SinkWriter } from '../sink.ts';
import type { Json } from '../source.ts';
import { checkRealPath, isGlob, resolvePath } from './file-access.ts';
import {
  checkChangeColumns,
  checkLineEncoding,
  type LineEncoding,
  openEncoder,
} from './file-format.ts';
import { checkParquetSink, ParquetSink, type ParquetSinkOptions } from './parquet-sink.ts';
import { type Progress, ProgressFile } from './sink-progress.ts';

const SCHEMA: OptionSchema = { path: { kind: 'text' } };
/** Lines kept before they are written. */
const BUFFER_BYTES = 1024 * 1024;

interface FileSinkOptions {
  readonly path: string;
  readonly encoding: LineEncoding;
  readonly settings: ValueSettings;
}

export function checkFileSink(request: CheckRequest): Json {
  const options = checkOptions('connector "file"', SCHEMA, request.options);
  const text = options.get('path') as string;
  const file = resolvePath(text, request.context.fileRoots);
  if (isGlob(path.basename(file)))
    throw new SqlError('22023', 'a sink writes one file, not a glob');
  const isParquet = request.encode === 'parquet';
  for (const one of isParquet && isEmptyDirectory(file) ? [] : [file, progressPath(file)]) {
    if (fs.existsSync(one)) throw existsAlready(one);
  }
  if (!fs.existsSync(path.dirname(file))) {
    throw new SqlError('58P01', `could not create file "${text}": No such file or directory`);
  }
  if (isParquet) {
    checkChangeColumns(true, request.columns);
    return checkParquetSink(file, request) as unknown as Json;
  }
  const encoding = checkLineEncoding(request.encode, request.encodeOptions, file);
  checkChangeColumns(encoding.kind === 'json', request.columns);
  return { path: file, encoding, settings: request.settings } as unknown as Json;
}

export function openFileSink(checked: Json, context: SinkContext): SinkWriter {
  const options = checked as unknown as FileSinkOptions | ParquetSinkOptions;
  return 'kind' in options ? new ParquetSink(options, context) : new FileSink(options, context);
}

function isEmptyDirectory(file: string): boolean {
  const isDirectory = fs.existsSync(file) && fs.statSync(file).isDirectory();
  return isDirectory && fs.readdirSync(file).length === 0;
}

function progressPath(file: string): string {
  return `${file}.progress`;
}

function existsAlready(file: string): SqlError {
  return new SqlError('58P02', `file "${file}" exists already`, {
    hint: 'A sink starts a new file: move the old one away, or choose another path.',
  });
}

class FileSink implements SinkWriter {
  readonly #path: string;
  readonly #context: SinkContext;
  readonly #encoder: ChangeEncoder;
  #fd = -1;
  #progressFile: ProgressFile | null = null;
  /** Noted: what the file holds for good. */
  #progress: Progress = { epoch: 0, length: 0 };
  /** Where the next bytes go. */
  #length = 0;
  #lines: string[] = [];
  #lineBytes = 0;
  #epoch = 0;
  #hasFailed = false;

  constructor({ path: file, encoding, settings }: FileSinkOptions, context: SinkContext) {
    this.#path = file;
    this.#context = context;
    this.#encoder = openEncoder(encoding, context.columns, settings);
  }

  begin(lastEpoch: number): number {
    assert(this.#fd < 0, 'begin is called once');
    try {
      this.#openFiles();
      if (this.#progress.epoch > lastEpoch) {
        throw new SqlError(
          '55000',
          `file "${this.#path}" holds epoch ${this.#progress.epoch}, which is ahead of this server's ${lastEpoch}`,
          { hint: 'The data directory is older than the file: was it restored from a backup?' },
        );
      }
      this.#rollBack();
    } catch (error) {
      this.close();
      throw error instanceof SqlError ? error : fileError(this.#path, error);
    }
    return this.#progress.epoch;
  }

  write(epoch: number, timeUs: bigint, batch: DeltaBatch): void {
    this.#guarded(() => {
      assert(epoch > this.#progress.epoch, `epoch ${epoch} was delivered before`);
      assert(this.#epoch === 0 || this.#epoch === epoch, 'an epoch is committed before the next');
      this.#epoch = epoch;
      const text = this.#encoder.lines(epoch, timeUs, batch);
      if (text === '') return;
      this.#lines.push(text);
      this.#lineBytes += text.length;
      if (this.#lineBytes >= BUFFER_BYTES) this.#flush();
    });
  }

  commit(epoch: number): void {
    this.#guarded(() => {
      this.#flush();
      if (this.#length > this.#progress.length) {
        fs.fdatasyncSync(this.#fd);
        const progress = { epoch, length: this.#length };
        this.#progressFile!.note(progress);
        this.#progress = progress;
      }
      this.#epoch = 0;
    });
  }

  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
    this.#progressFile?.close();
    this.#progressFile = null;
  }

  /** After a failure all of the epoch is taken back: the caller gives it again. */
  #guarded(work: () => void): void {
    try {
      if (this.#hasFailed) this.#rollBack();
      work();
    } catch (error) {
      this.#hasFailed = true;
      this.#dropLines();
      throw (error as NodeJS.ErrnoException).code === undefined
        ? error
        : fileError(this.#path, error);
    }
  }

  #openFiles(): void {
    // O_NOFOLLOW: a link that leads nowhere yet must not decide where the file is made.
    const { O_RDWR, O_CREAT, O_NOFOLLOW } = fs.constants;
    checkRealPath(this.#path, this.#context.fileRoots);
    const { uuid, incarnation } = this.#context;
    this.#progressFile = new ProgressFile(progressPath(this.#path), `${uuid} ${incarnation}`);
    const noted = this.#progressFile.read();
    if (noted === null && sizeOf(this.#path) > 0) throw existsAlready(this.#path);
    this.#fd = fs.openSync(this.#path, O_RDWR | O_CREAT | O_NOFOLLOW, 0o644);
    this.#progress = noted ?? { epoch: 0, length: 0 };
    if (noted === null) this.#progressFile.create(this.#progress);
    const { size } = fs.fstatSync(this.#fd);
    if (size < this.#progress.length) {
      throw new SqlError('58030', `file "${this.#path}" is shorter than what was written to it`, {
        detail: `It has ${size} bytes of ${this.#progress.length}.`,
      });
    }
  }

  /** Cuts the file back to what is noted; a new file gets its header. */
  #rollBack(): void {
    this.#dropLines();
    this.#epoch = 0;
    fs.ftruncateSync(this.#fd, this.#progress.length);
    this.#length = this.#progress.length;
    if (this.#length === 0) this.#lines.push(this.#encoder.header);
    this.#hasFailed = false;
  }

  #dropLines(): void {
    this.#lines = [];
    this.#lineBytes = 0;
  }

  #flush(): void {
    const bytes = Buffer.from(this.#lines.join(''));
    this.#dropLines();
    for (let at = 0; at < bytes.length; ) {
      at += fs.writeSync(this.#fd, bytes, at, bytes.length - at, this.#length + at);
    }
    this.#length += bytes.length;
  }
}

function sizeOf(file: string): number {
  return fs.existsSync(file) ? fs.statSync(file).size : 0;
}
