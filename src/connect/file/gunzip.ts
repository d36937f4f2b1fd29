/**
 * Gunzip in steps, synchronously: bytes in, bytes out, with the stream's state kept between calls.
 *
 * Node has one-shot and asynchronous gunzip only. Its stream object can work synchronously through `_processChunk`, which
 * closes the native handle afterwards; keeping the handle open meanwhile is what npm's own minizlib does. The test beside
 * this file fails if Node ever changes that.
 */

import * as zlib from 'node:zlib';

interface NativeGunzip {
  _handle: { close(): void } | null;
  close(): void;
  _processChunk(chunk: Buffer, flush: number): Buffer | null;
  removeAllListeners(event: string): void;
  on(event: string, listener: () => void): void;
}

const EMPTY = Buffer.alloc(0);

export class Gunzip {
  readonly #stream = zlib.createGunzip() as unknown as NativeGunzip;

  /** The bytes that `chunk` adds: at most about a thousand times as many. Throws zlib's errors on damaged data. */
  push(chunk: Buffer): Buffer {
    return this.#process(chunk, zlib.constants.Z_NO_FLUSH);
  }

  /** The last bytes; throws when the data ends too early. */
  finish(): Buffer {
    return this.#process(EMPTY, zlib.constants.Z_FINISH);
  }

  close(): void {
    this.#stream.close();
  }

  #process(chunk: Buffer, flush: number): Buffer {
    const stream = this.#stream;
    const handle = stream._handle!;
    const closeHandle = handle.close;
    const closeStream = stream.close;
    handle.close = () => {};
    stream.close = () => {};
    try {
      // The next call writes into the same buffer.
      return Buffer.from(stream._processChunk(chunk, flush) ?? EMPTY);
    } finally {
      stream._handle = handle;
      handle.close = closeHandle;
      stream.close = closeStream;
      stream.removeAllListeners('error');
      // A failure is thrown here, and emitted again later.
      stream.on('error', () => {});
    }
  }
}
