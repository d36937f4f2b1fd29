/**
 * InputLog: an append-only, checksummed log in segment files, with grouped fdatasync (semantics.md rules 1 and 2).
 *
 * A segment file `<number>.log` starts with 16 bytes (magic, version, number). A record is 8-byte aligned: u32 magic, u32
 * payload length, u32 CRC-32 of what follows (and of the length), u32 0, u64 position of the record, u64 how far the log was durable when the
 * record was written (both as segment * 2^40 + offset), payload, padding. The last segment may end in records that were
 * never durable: they are cut at opening. A bad record that a later record, or `durableThrough` (a checkpoint's position),
 * proves to have been durable is damage: opening fails with XX001 and changes nothing.
 * A write that fails leaves the log as it was (53100 when the disk is full: it heals); a failed fsync is final, since the
 * kernel may have dropped the pages: everything after it throws 58030 and the process has to recover.
 * Cost: append one write; sync one fdatasync for all that wait.
 */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { syncDirectory } from '../base/sync-directory.ts';

/** A place in the log. JSON. */
export interface LogPosition {
  readonly segment: number;
  readonly offset: number;
}

export interface LogRecord {
  readonly position: LogPosition;
  readonly end: LogPosition;
  readonly bytes: Uint8Array;
}

export interface InputLogOptions {
  readonly segmentBytesMax?: number;
  /** The log is known to be durable up to here (the newest checkpoint's position). */
  readonly durableThrough?: LogPosition | null;
}

const FILE_MAGIC = 0x474c_524d;
const RECORD_MAGIC = 0x5243_524d;
const VERSION = 1;
const FILE_HEADER = 16;
const RECORD_HEADER = 32;
const SEGMENT_BYTES_MAX = 64 * 1024 * 1024;
const SEGMENT_SCALE = 2n ** 40n;

export class InputLog {
  readonly #directory: string;
  readonly #segmentBytesMax: number;
  #fd: number;
  #end: LogPosition;
  #durable: LogPosition;
  #failure: SqlError | null = null;
  #syncing: Promise<void> | null = null;
  #isClosed = false;
  /** A failed write may have left bytes behind the end. */
  #hasLeftover = false;

  private constructor(directory: string, options: InputLogOptions, end: LogPosition, fd: number) {
    this.#directory = directory;
    this.#segmentBytesMax = options.segmentBytesMax ?? SEGMENT_BYTES_MAX;
    this.#fd = fd;
    this.#end = end;
    this.#durable = end;
  }

  /** Opens the log in `directory` (made when missing), cuts a torn tail and makes what is left durable. */
  static open(directory: string, options: InputLogOptions = {}): InputLog {
    fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const numbers = segmentNumbers(directory);
    const number = numbers.at(-1);
    const known = options.durableThrough ?? null;
    if (number === undefined) {
      if (known !== null && known.offset > FILE_HEADER) throw damage('its segments are missing');
      const first = known?.segment ?? 1;
      const fd = createSegment(directory, first);
      return new InputLog(directory, options, { segment: first, offset: FILE_HEADER }, fd);
    }
    checkSequence(numbers, known);
    for (const earlier of numbers.slice(0, -1)) checkWhole(directory, earlier);
    const last = repairLast(directory, number, known);
    const fd = fs.openSync(segmentPath(directory, number), 'r+');
    fs.fdatasyncSync(fd);
    return new InputLog(directory, options, { segment: number, offset: last }, fd);
  }

  get end(): LogPosition {
    return this.#end;
  }

  /** Everything before it survives a power loss. */
  get durable(): LogPosition {
    return this.#durable;
  }

  /** The first record still there. */
  get start(): LogPosition {
    return { segment: segmentNumbers(this.#directory)[0]!, offset: FILE_HEADER };
  }

  /** Bytes of all segment files. */
  get bytes(): number {
    return segmentNumbers(this.#directory).reduce((sum, number) => {
      return sum + fs.statSync(segmentPath(this.#directory, number)).size;
    }, 0);
  }

  /** Records from `from` (null: the start) to the end, in order. */
  *records(from: LogPosition | null): Generator<LogRecord> {
    for (const number of segmentNumbers(this.#directory)) {
      if (from !== null && number < from.segment) continue;
      const file = fs.readFileSync(segmentPath(this.#directory, number));
      const end = number === this.#end.segment ? this.#end.offset : file.length;
      let offset = from !== null && number === from.segment ? from.offset : FILE_HEADER;
      while (offset < end) {
        const size = recordSize(file, number, offset);
        if (size === null) throw damage(`record at ${number}:${offset} cannot be read`);
        const length = file.readUInt32LE(offset + 4);
        yield {
          position: { segment: number, offset },
          end: { segment: number, offset: offset + size },
          bytes: file.subarray(offset + RECORD_HEADER, offset + RECORD_HEADER + length),
        };
        offset += size;
      }
    }
  }

  /** Writes a record (it survives the process, not yet the machine); returns the log's new end. */
  append(record: Uint8Array): LogPosition {
    this.#check();
    this.#rotateIfFull(record.length);
    const bytes = encodeRecord(record, this.#end, this.#durable);
    try {
      writeAll(this.#fd, bytes, this.#end.offset);
    } catch (error) {
      this.#undoWrite();
      throw ioError('could not write to the input log', error);
    }
    this.#end = { segment: this.#end.segment, offset: this.#end.offset + bytes.length };
    return this.#end;
  }

  /** Resolves when all that was appended so far is durable; callers that wait share an fdatasync. */
  async sync(): Promise<void> {
    const wanted = this.#end;
    while (comparePositions(this.#durable, wanted) < 0) {
      this.#check();
      this.#syncing ??= this.#syncOnce();
      await this.#syncing;
    }
    this.#check();
  }

  /** The same, at once. */
  syncNow(): void {
    this.#check();
    if (comparePositions(this.#durable, this.#end) === 0) return;
    try {
      fs.fdatasyncSync(this.#fd);
    } catch (error) {
      throw this.#fail(error);
    }
    this.#durable = this.#end;
  }

  /** Deletes the segments that lie wholly behind `before`. */
  cut(before: LogPosition): void {
    for (const number of segmentNumbers(this.#directory)) {
      if (number >= before.segment || number >= this.#end.segment) break;
      fs.unlinkSync(segmentPath(this.#directory, number));
    }
  }

  /** Syncs and closes. */
  close(): void {
    if (this.#isClosed) return;
    try {
      if (this.#failure === null) this.syncNow();
    } finally {
      this.#isClosed = true;
      if (this.#syncing === null) fs.closeSync(this.#fd);
      else this.#syncing.finally(() => fs.closeSync(this.#fd)).catch(() => undefined);
    }
  }

  #syncOnce(): Promise<void> {
    const wanted = this.#end;
    const fd = this.#fd;
    return new Promise((resolve, reject) => {
      fs.fdatasync(fd, (error) => {
        this.#syncing = null;
        if (error !== null) {
          reject(this.#fail(error));
          return;
        }
        if (comparePositions(this.#durable, wanted) < 0) this.#durable = wanted;
        resolve();
      });
    });
  }

  #rotateIfFull(length: number): void {
    const size = RECORD_HEADER + length;
    const { segment, offset } = this.#end;
    if (offset === FILE_HEADER || offset + size <= this.#segmentBytesMax) return;
    let fd: number;
    try {
      if (this.#hasLeftover) fs.ftruncateSync(this.#fd, offset);
      this.#hasLeftover = false;
      this.syncNow();
      fd = createSegment(this.#directory, segment + 1);
    } catch (error) {
      if (error instanceof SqlError) throw error;
      throw ioError('could not create a segment of the input log', error);
    }
    const old = this.#fd;
    const running = this.#syncing;
    if (running === null) fs.closeSync(old);
    else running.finally(() => fs.closeSync(old)).catch(() => undefined);
    this.#fd = fd;
    this.#end = { segment: segment + 1, offset: FILE_HEADER };
    this.#durable = this.#end;
  }

  /** After a failed write: what was written of it goes away again. */
  #undoWrite(): void {
    try {
      fs.ftruncateSync(this.#fd, this.#end.offset);
      this.#hasLeftover = false;
    } catch {
      // What is left lies behind the end: the next record overwrites it, and opening cuts it.
      this.#hasLeftover = true;
    }
  }

  #fail(cause: unknown): SqlError {
    this.#failure ??= ioError('could not make the input log durable', cause);
    return this.#failure;
  }

  #check(): void {
    assert(!this.#isClosed, 'the input log is closed');
    if (this.#failure !== null) throw this.#failure;
  }
}

/** Order of positions: negative, 0, positive. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.segment - b.segment || a.offset - b.offset;
}

/** A failed system call as a user's error: 53100 when the disk is full, else 58030. */
export function ioError(what: string, cause: unknown): SqlError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const text = cause instanceof Error ? cause.message : String(cause);
  if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'SQLITE_FULL' || code === 'EFBIG') {
    return new SqlError('53100', `${what}: No space left on device`, {
      hint: 'Free some space; nothing was changed, and reads go on.',
    });
  }
  return new SqlError('58030', `${what}: ${text}`);
}

function damage(what: string): SqlError {
  return new SqlError('XX001', `the input log is damaged: ${what}`, {
    hint: 'Nothing was changed. Restore the data directory from a backup.',
  });
}

function segmentPath(directory: string, number: number): string {
  return path.join(directory, `${String(number).padStart(12, '0')}.log`);
}

function segmentNumbers(directory: string): number[] {
  return fs
    .readdirSync(directory)
    .filter((name) => /^\d{12}\.log$/.test(name))
    .map((name) => Number(name.slice(0, 12)))
    .sort((a, b) => a - b);
}

function createSegment(directory: string, number: number): number {
  const file = segmentPath(directory, number);
  const fd = fs.openSync(file, 'w+', 0o600);
  try {
    const header = Buffer.alloc(FILE_HEADER);
    header.writeUInt32LE(FILE_MAGIC, 0);
    header.writeUInt32LE(VERSION, 4);
    header.writeBigUInt64LE(BigInt(number), 8);
    writeAll(fd, header, 0);
    fs.fdatasyncSync(fd);
    syncDirectory(directory);
  } catch (error) {
    fs.closeSync(fd);
    fs.rmSync(file, { force: true });
    throw error;
  }
  return fd;
}

function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
  }
}

function packPosition(position: LogPosition): bigint {
  return BigInt(position.segment) * SEGMENT_SCALE + BigInt(position.offset);
}

function encodeRecord(record: Uint8Array, at: LogPosition, durable: LogPosition): Buffer {
  const bytes = Buffer.alloc((RECORD_HEADER + record.length + 7) & ~7);
  bytes.writeUInt32LE(RECORD_MAGIC, 0);
  bytes.writeUInt32LE(record.length, 4);
  bytes.writeBigUInt64LE(packPosition(at), 16);
  bytes.writeBigUInt64LE(packPosition(durable), 24);
  bytes.set(record, RECORD_HEADER);
  bytes.writeUInt32LE(crc32(bytes.subarray(12), crc32(bytes.subarray(4, 8))), 8);
  return bytes;
}

/** Size of the whole record at `offset`, null where there is none. */
function recordSize(file: Buffer, segment: number, offset: number): number | null {
  if (offset + RECORD_HEADER > file.length) return null;
  if (file.readUInt32LE(offset) !== RECORD_MAGIC) return null;
  const length = file.readUInt32LE(offset + 4);
  const end = offset + RECORD_HEADER + length + ((8 - ((RECORD_HEADER + length) & 7)) & 7);
  if (end > file.length) return null;
  if (file.readBigUInt64LE(offset + 16) !== packPosition({ segment, offset })) return null;
  const sum = crc32(file.subarray(offset + 12, end), crc32(file.subarray(offset + 4, offset + 8)));
  return sum === file.readUInt32LE(offset + 8) ? end - offset : null;
}

function checkSequence(numbers: readonly number[], known: LogPosition | null): void {
  for (let i = 1; i < numbers.length; i++) {
    if (numbers[i] !== numbers[i - 1]! + 1)
      throw damage(`segment ${numbers[i - 1]! + 1} is missing`);
  }
  if (known === null) return;
  if (numbers[0]! > known.segment) throw damage(`segment ${known.segment} is missing`);
  if (numbers.at(-1)! < known.segment) throw damage(`segment ${known.segment} is missing`);
}

function checkFileHeader(file: Buffer, number: number): boolean {
  if (file.length < FILE_HEADER || file.readUInt32LE(0) !== FILE_MAGIC) return false;
  const version = file.readUInt32LE(4);
  if (version > VERSION) {
    throw new SqlError('XX001', `the input log has format ${version}, this build reads ${VERSION}`);
  }
  return Number(file.readBigUInt64LE(8)) === number;
}

/** Offset behind the last good record. */
function scanRecords(file: Buffer, number: number): number {
  let offset = FILE_HEADER;
  for (;;) {
    const size = recordSize(file, number, offset);
    if (size === null) return offset;
    offset += size;
  }
}

/** An earlier segment was durable before the next one was made: it must be whole. */
function checkWhole(directory: string, number: number): void {
  const file = fs.readFileSync(segmentPath(directory, number));
  if (!checkFileHeader(file, number)) throw damage(`segment ${number} has a bad header`);
  const end = scanRecords(file, number);
  if (end !== file.length) throw damage(`record at ${number}:${end} cannot be read`);
}

/** Cuts the torn tail of the last segment; returns where it ends. */
function repairLast(directory: string, number: number, known: LogPosition | null): number {
  const name = segmentPath(directory, number);
  const file = fs.readFileSync(name);
  if (!checkFileHeader(file, number)) {
    // A segment counts only once its header is durable; before that it holds no record.
    if (file.length > FILE_HEADER || known?.segment === number) {
      throw damage(`segment ${number} has a bad header`);
    }
    fs.closeSync(createSegment(directory, number));
    return FILE_HEADER;
  }
  const end = scanRecords(file, number);
  const durable = provenDurable(file, number, end);
  const checkpointed = known?.segment === number ? known.offset : 0;
  if (Math.max(durable, checkpointed) > end)
    throw damage(`record at ${number}:${end} cannot be read`);
  if (end < file.length) fs.truncateSync(name, end);
  return end;
}

/** How far later records say that the segment was durable. */
function provenDurable(file: Buffer, number: number, from: number): number {
  let durable = 0;
  for (let offset = from; offset + RECORD_HEADER <= file.length; offset += 8) {
    if (file.readUInt32LE(offset) !== RECORD_MAGIC || recordSize(file, number, offset) === null)
      continue;
    const position = file.readBigUInt64LE(offset + 24);
    if (position / SEGMENT_SCALE === BigInt(number)) {
      durable = Math.max(durable, Number(position % SEGMENT_SCALE));
    }
  }
  return durable;
}
