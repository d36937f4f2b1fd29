/** SpoolReader: the frames of a spool, read by the thread that delivers them. */

import * as fs from 'node:fs';
import { SqlError } from '../../base/sql-error.ts';
import { readInto, type SpoolPosition, segmentsOf } from './spool.ts';
import { type Frame, frameSize, readFrame } from './spool-frame.ts';

/** Read at once, where no frame is larger. */
const CHUNK_BYTES = 1024 * 1024;

export class SpoolReader {
  readonly #directory: string;
  #position: SpoolPosition;
  #fd = -1;
  /** The bytes of the segment from #bytesAt on are the first #length of it. */
  #bytes = Buffer.alloc(0);
  #bytesAt = 0;
  #length = 0;

  constructor(directory: string, start: SpoolPosition) {
    this.#directory = directory;
    this.#position = start;
  }

  /** Behind the frame that was given last. */
  get position(): SpoolPosition {
    return this.#position;
  }

  /** The next frame before `end` (of whole epochs); null: there is none yet. It lives until the next call. */
  next(end: SpoolPosition): Frame | null {
    for (;;) {
      const { segment, offset } = this.#position;
      if (segment > end.segment || (segment === end.segment && offset >= end.offset)) return null;
      if (this.#fd < 0) this.#open();
      // What lies behind the end may be taken back, and be written otherwise.
      const limit = segment === end.segment ? end.offset : Number.MAX_SAFE_INTEGER;
      const frame = this.#frameAt(offset, limit);
      if (frame !== null) {
        this.#position = { segment, offset: this.#bytesAt + frame.end };
        return frame;
      }
      if (segment === end.segment) throw this.#damaged();
      this.close();
      this.#position = { segment: segment + 1, offset: 0 };
    }
  }

  close(): void {
    if (this.#fd >= 0) fs.closeSync(this.#fd);
    this.#fd = -1;
    this.#bytesAt = 0;
    this.#length = 0;
  }

  #open(): void {
    const { segment } = this.#position;
    const found = segmentsOf(this.#directory).find(({ number }) => number === segment);
    if (found === undefined) throw this.#damaged();
    this.#fd = fs.openSync(found.path, 'r');
  }

  /** null: the segment ends there. Nothing from `limit` on is looked at. */
  #frameAt(offset: number, limit: number): Frame | null {
    if (!this.#holdsFrame(offset)) {
      this.#read(offset, CHUNK_BYTES, limit);
      if (this.#length === 0) return null;
      if (!this.#holdsFrame(offset)) this.#read(offset, frameSize(this.#held, 0) ?? 0, limit);
    }
    const frame = readFrame(this.#held, offset - this.#bytesAt);
    if (frame === null) throw this.#damaged();
    return frame;
  }

  get #held(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  #holdsFrame(offset: number): boolean {
    const at = offset - this.#bytesAt;
    const size = frameSize(this.#held, at);
    return size !== null && at + size <= this.#length;
  }

  #read(offset: number, size: number, limit: number): void {
    if (this.#bytes.length < size) this.#bytes = Buffer.allocUnsafeSlow(size);
    const bytes = this.#bytes.subarray(0, limit - offset);
    this.#bytesAt = offset;
    this.#length = readInto(bytes, this.#fd, offset);
  }

  #damaged(): SqlError {
    const { segment, offset } = this.#position;
    return new SqlError(
      'XX001',
      `the spool "${this.#directory}" is damaged in segment ${segment} at ${offset}`,
    );
  }
}
