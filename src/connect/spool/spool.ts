/**
 * Spool: what a sink has to send, as records in files, until the outside has taken it. The dataflow worker appends epochs; a
 * thread that talks to the outside reads them (spool-reader.ts) and tells what is delivered.
 *
 * Correctness: an epoch is in the spool when its last frame is whole. `open` cuts off what lies behind the last whole epoch:
 * the caller gives that epoch again. A segment is synced before the next one begins, so that only the newest can be torn; the
 * newest is never removed, so that the last epoch is known also when all is delivered.
 * Bounds: `bytes` beyond `bytesMax`: `isFull`, and the caller keeps the changes until there is room.
 */

import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import * as path from 'node:path';
import { assert } from '../../base/assert.ts';
import { fileError } from '../../base/file-problem.ts';
import { SqlError } from '../../base/sql-error.ts';
import { syncDirectory } from '../../base/sync-directory.ts';
import {
  FRAME_HEADER_SIZE,
  type Frame,
  frameSize,
  readFrame,
  recordSize,
  type SpoolHeader,
  sealFrame,
  writeRecord,
} from './spool-frame.ts';

/** A place between two frames. */
export interface SpoolPosition {
  readonly segment: number;
  readonly offset: number;
}

export interface Segment {
  readonly number: number;
  /** The last epoch before it. */
  readonly epochBefore: number;
  readonly path: string;
}

export interface SpoolLimits {
  readonly bytesMax: number;
  /** A segment ends with the epoch that makes it as large. */
  readonly segmentBytes: number;
}

/** Records are written when so many bytes wait. */
const FRAME_BYTES = 1024 * 1024;
const BUFFER_BYTES_MIN = 16 * 1024;

export class Spool {
  readonly directory: string;
  readonly #limits: SpoolLimits;
  readonly #isTemporary: boolean;
  #segments: Segment[];
  #fd = -1;
  /** Where the last whole epoch ends in the newest segment, and where the next bytes go. */
  #committed = 0;
  #offset = 0;
  #lastEpoch = 0;
  #delivered: SpoolPosition;
  /** Bytes of the segments before the newest, by number. */
  readonly #sizes = new Map<number, number>();
  #isSynced = true;
  /** A sync that nobody waits for is under way. */
  #isSyncing = false;
  /** It is final: the system may have let go of what it could not write. */
  #syncFailure: SqlError | null = null;
  #bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES_MIN);
  #at = FRAME_HEADER_SIZE;
  #recordCount = 0;
  #hasHeaders = false;
  /** 0: there is none. */
  #snapshotEpoch = 0;
  #epoch = 0;
  #timeUs = 0n;

  /** `directory` null: one of its own, which goes with `close`. */
  constructor(directory: string | null, limits: SpoolLimits) {
    this.#isTemporary = directory === null;
    this.directory = directory ?? fs.mkdtempSync(path.join(tmpdir(), 'millrace-spool-'));
    this.#limits = limits;
    fs.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    this.#segments = segmentsOf(this.directory);
    if (this.#segments.length === 0) this.#addSegment(1, 0);
    else this.#reopen();
    this.#delivered = { segment: this.#segments[0]!.number, offset: 0 };
  }

  /** The last epoch that it holds, or held; 0: none. */
  get lastEpoch(): number {
    return this.#lastEpoch;
  }

  /** Where its whole epochs begin and end. */
  get start(): SpoolPosition {
    return { segment: this.#segments[0]!.number, offset: 0 };
  }

  get end(): SpoolPosition {
    return { segment: this.#newest.number, offset: this.#committed };
  }

  /** Bytes that are not delivered. */
  get bytes(): number {
    let sum = this.#committed - this.#delivered.offset;
    for (const size of this.#sizes.values()) sum += size;
    return sum;
  }

  get isFull(): boolean {
    return this.bytes >= this.#limits.bytesMax;
  }

  /**
   * Adds a record to `epoch`, which is not in the spool before `commit`. 53100 where the disk is full: see `rollBack`. All
   * records of an epoch have headers, or none has (null).
   */
  append(
    epoch: number,
    timeUs: bigint,
    timestampMs: number,
    key: Buffer | null,
    value: Buffer | null,
    headers: readonly SpoolHeader[] | null = null,
  ): void {
    assert(epoch > this.#lastEpoch, `epoch ${epoch} was spooled before`);
    if (this.#committed >= this.#limits.segmentBytes) this.#beginSegment();
    this.#epoch = epoch;
    this.#timeUs = timeUs;
    this.#hasHeaders = headers !== null;
    this.#reserve(recordSize(key, value, headers));
    this.#at = writeRecord(this.#bytes, this.#at, { key, value, timestampMs }, headers);
    this.#recordCount += 1;
    if (this.#at < FRAME_BYTES) return;
    this.#flush(false);
    this.#syncMeanwhile();
  }

  /** What is added to `epoch` is the sink's snapshot. */
  beginSnapshot(epoch: number): void {
    this.#snapshotEpoch = epoch;
  }

  /** The epoch is whole; where it throws, it is not in the spool. Nothing happens where it has no records. */
  commit(epoch: number): void {
    if (this.#recordCount === 0 && this.#offset === this.#committed) return;
    this.#epoch = epoch;
    this.#flush(true);
    this.#committed = this.#offset;
    this.#lastEpoch = epoch;
  }

  /** Takes back what was appended since the last commit. */
  rollBack(): void {
    this.#at = FRAME_HEADER_SIZE;
    this.#recordCount = 0;
    this.#offset = this.#committed;
    this.#attempt(() => fs.ftruncateSync(this.#fd, this.#committed));
  }

  /** What was committed survives the loss of power. */
  sync(): void {
    if (this.#isSynced) return;
    if (this.#syncFailure !== null) throw this.#syncFailure;
    try {
      fs.fdatasyncSync(this.#fd);
    } catch (error) {
      this.#syncFailure = fileError(this.#newest.path, error);
      throw this.#syncFailure;
    }
    this.#isSynced = true;
  }

  /** What a system call refuses as a SqlError: 53100 where the disk is full. */
  #attempt<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw fileError(this.#newest.path, error);
    }
  }

  /** What a large epoch writes goes to the disk meanwhile: its end, for which the dataflow waits, has little left to do. */
  #syncMeanwhile(): void {
    if (this.#isSyncing) return;
    this.#isSyncing = true;
    syncFile(this.#newest.path, () => {
      this.#isSyncing = false;
    });
  }

  /** What lies before `position` is not needed any more. */
  delivered(position: SpoolPosition): void {
    this.#delivered = position;
    const gone = this.#segments.filter(({ number }) => number < position.segment);
    for (const { path: file, number } of gone) {
      fs.rmSync(file, { force: true });
      this.#sizes.delete(number);
    }
    this.#segments = this.#segments.filter(({ number }) => number >= position.segment);
  }

  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
    if (this.#isTemporary) this.remove();
  }

  /** For good, with all that was not delivered. */
  remove(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  get #newest(): Segment {
    return this.#segments.at(-1)!;
  }

  #reserve(size: number): void {
    const needed = this.#at + size;
    if (needed <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.#bytes.length));
    this.#bytes.copy(larger, 0, 0, this.#at);
    this.#bytes = larger;
  }

  #flush(isLast: boolean): void {
    const bytes = this.#bytes.subarray(0, this.#at);
    const frame = {
      epoch: this.#epoch,
      timeUs: this.#timeUs,
      recordCount: this.#recordCount,
      isLast,
      hasHeaders: this.#hasHeaders,
      isSnapshot: this.#epoch === this.#snapshotEpoch,
    };
    sealFrame(bytes, frame);
    this.#isSynced = false;
    this.#attempt(() => {
      for (let done = 0; done < bytes.length; ) {
        done += fs.writeSync(this.#fd, bytes, done, bytes.length - done, this.#offset + done);
      }
    });
    this.#offset += bytes.length;
    this.#at = FRAME_HEADER_SIZE;
    this.#recordCount = 0;
  }

  /** The newest segment is as large as one may be: before the next epoch, so that a failure takes back nothing that is whole. */
  #beginSegment(): void {
    this.sync();
    const { number } = this.#newest;
    const size = this.#committed;
    this.#attempt(() => this.#addSegment(number + 1, this.#lastEpoch));
    this.#sizes.set(number, size);
  }

  #addSegment(number: number, epochBefore: number): void {
    const file = path.join(this.directory, segmentName(number, epochBefore));
    const fd = fs.openSync(file, 'w+', 0o600);
    try {
      syncDirectory(this.directory);
    } catch (error) {
      fs.closeSync(fd);
      throw error;
    }
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = fd;
    this.#segments.push({ number, epochBefore, path: file });
    this.#committed = 0;
    this.#offset = 0;
    this.#isSynced = true;
  }

  /** The frame at an offset of the newest segment; its `end` is its size. null: it is cut off or damaged. */
  #readFrame(at: number): Frame | null {
    const size = frameSize(readAt(this.#fd, at, FRAME_HEADER_SIZE), 0);
    // A torn header may say anything.
    if (size === null || at + size > fs.fstatSync(this.#fd).size) return null;
    return readFrame(readAt(this.#fd, at, size), 0);
  }

  #reopen(): void {
    const { path: file, epochBefore } = this.#newest;
    this.#fd = fs.openSync(file, 'r+');
    this.#lastEpoch = epochBefore;
    let at = 0;
    for (let frame = this.#readFrame(at); frame !== null; frame = this.#readFrame(at)) {
      at += frame.end;
      if (!frame.isLast) continue;
      this.#lastEpoch = frame.epoch;
      this.#committed = at;
    }
    this.rollBack();
    for (const { number, path: one } of this.#segments.slice(0, -1)) {
      this.#sizes.set(number, fs.statSync(one).size);
    }
  }
}

/**
 * What a file holds goes to the disk; what fails is told to whoever syncs it next. By a descriptor of its own: the spool's may be
 * closed, and its number used again, before the sync begins.
 */
function syncFile(file: string, done: () => void): void {
  fs.open(file, 'r', (error, fd) => {
    if (error !== null) done();
    else fs.fdatasync(fd, () => fs.close(fd, done));
  });
}

/** Fills `bytes` from a file's offset on, as far as the file goes; gives how many came. */
export function readInto(bytes: Buffer, fd: number, offset: number): number {
  let done = 0;
  for (let count = -1; count !== 0 && done < bytes.length; done += count) {
    count = fs.readSync(fd, bytes, done, bytes.length - done, offset + done);
  }
  return done;
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  return bytes.subarray(0, readInto(bytes, fd, offset));
}

/** The segments of a directory, the oldest first; XX001 where one is missing between them. */
export function segmentsOf(directory: string): Segment[] {
  const segments = fs.readdirSync(directory).flatMap((name) => {
    const match = /^(\d{10})-(\d+)\.spool$/.exec(name);
    if (match === null) return [];
    const numbers = { number: Number(match[1]), epochBefore: Number(match[2]) };
    return [{ ...numbers, path: path.join(directory, name) }];
  });
  segments.sort((a, b) => a.number - b.number);
  segments.forEach(({ number }, i) => {
    if (number === segments[0]!.number + i) return;
    throw new SqlError('XX001', `a segment is missing in the spool "${directory}"`);
  });
  return segments;
}

function segmentName(number: number, epochBefore: number): string {
  return `${String(number).padStart(10, '0')}-${epochBefore}.spool`;
}
