/**
 * Cuts a connection's bytes into frames, with limits checked on the header, before anything is
 * allocated.
 *
 * The consumer pulls: while it is busy at most BUFFER_BYTES_MAX are taken from the socket, then the
 * socket is paused; a large message is gathered only while the consumer waits for it.
 *
 * push: O(1). next: O(frame) for a frame in several chunks (one copy), O(1) for one inside a chunk
 * (a view of it).
 */

import { SqlError } from '../base/sql-error.ts';
import { PROTOCOL_VIOLATION } from './message-body.ts';

/** What is read ahead of a busy consumer. */
const BUFFER_BYTES_MAX = 64 * 1024;

export interface Frame {
  /** The type letter's code; 0 for the packets of the start-up, which have none. */
  readonly type: number;
  readonly body: Buffer;
}

/**
 * How a frame's header is judged: the body's largest size for a type; throws a SqlError for one
 * that is not known.
 */
export type FrameLimit = (type: number) => number;

/** The part of a socket that a reader needs. */
export interface Pausable {
  pause(): unknown;
  resume(): unknown;
}

export class FrameReader {
  readonly #socket: Pausable;
  #chunks: Buffer[] = [];
  #buffered = 0;
  /** Bytes of the first chunk that are used up. */
  #offset = 0;
  #isPaused = false;
  #isEnded = false;
  #waiter: PromiseWithResolvers<void> | null = null;

  constructor(socket: Pausable) {
    this.#socket = socket;
  }

  /** Whether the other side has said that nothing follows. */
  get isEnded(): boolean {
    return this.#isEnded;
  }

  get bufferedBytes(): number {
    return this.#buffered;
  }

  /** Bytes from the socket. */
  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
    if (this.#waiter !== null) this.#wake();
    else if (this.#buffered >= BUFFER_BYTES_MAX && !this.#isPaused) {
      this.#isPaused = true;
      this.#socket.pause();
    }
  }

  /** The socket has ended or failed. */
  end(): void {
    this.#isEnded = true;
    this.#wake();
  }

  /** Makes a waiting consumer fail with `error`; nothing where nobody waits. */
  interrupt(error: Error): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.reject(error);
  }

  /**
   * The next frame with a type letter; null at the end of the connection (a cut-off frame is
   * dropped).
   */
  async read(limit: FrameLimit): Promise<Frame | null> {
    for (;;) {
      const frame = this.next(limit);
      if (frame !== null) return frame;
      if (this.#isEnded) return null;
      await this.#more();
    }
  }

  /** The next frame if it is wholly here. */
  next(limit: FrameLimit): Frame | null {
    if (this.#buffered < 1) return null;
    const type = this.#byte(0);
    const sizeMax = limit(type);
    if (this.#buffered < 5) return null;
    const length = this.#i32(1);
    if (length < 4 || length - 4 > sizeMax) {
      throw new SqlError(PROTOCOL_VIOLATION, 'invalid message length', { severity: 'FATAL' });
    }
    if (this.#buffered < length + 1) return null;
    this.#skip(5);
    return { type, body: this.#take(length - 4) };
  }

  /**
   * A start-up packet: a length and a body, no letter; null at the end or where the length is not
   * believable.
   */
  async readStartup(sizeMax: number): Promise<Frame | null> {
    while (this.#buffered < 4) {
      if (this.#isEnded) return null;
      await this.#more();
    }
    const length = this.#i32(0);
    if (length < 8 || length - 4 > sizeMax) return null;
    while (this.#buffered < length) {
      if (this.#isEnded) return null;
      await this.#more();
    }
    this.#skip(4);
    return { type: 0, body: this.#take(length - 4) };
  }

  /** The first byte, waited for and left where it is; -1 at the end. */
  async peek(): Promise<number> {
    while (this.#buffered < 1) {
      if (this.#isEnded) return -1;
      await this.#more();
    }
    return this.#byte(0);
  }

  /** Everything that is buffered, for a TLS layer that takes over. */
  takeAll(): Buffer {
    return this.#take(this.#buffered);
  }

  async #more(): Promise<void> {
    const arrived = Promise.withResolvers<void>();
    this.#waiter = arrived;
    if (this.#isPaused) {
      this.#isPaused = false;
      this.#socket.resume();
    }
    await arrived.promise;
  }

  #wake(): void {
    const waiter = this.#waiter;
    this.#waiter = null;
    waiter?.resolve();
  }

  #byte(index: number): number {
    let at = this.#offset + index;
    for (const chunk of this.#chunks) {
      if (at < chunk.length) return chunk[at] as number;
      at -= chunk.length;
    }
    return 0;
  }

  #i32(index: number): number {
    return (
      (this.#byte(index) << 24) |
      (this.#byte(index + 1) << 16) |
      (this.#byte(index + 2) << 8) |
      this.#byte(index + 3)
    );
  }

  #skip(size: number): void {
    this.#buffered -= size;
    this.#offset += size;
    let used = 0;
    while (used < this.#chunks.length && this.#offset >= (this.#chunks[used] as Buffer).length) {
      this.#offset -= (this.#chunks[used] as Buffer).length;
      used++;
    }
    if (used > 0) this.#chunks.splice(0, used);
  }

  #take(size: number): Buffer {
    const first = this.#chunks[0];
    if (first === undefined || size === 0) return Buffer.alloc(0);
    const start = this.#offset;
    const whole =
      start + size <= first.length
        ? first.subarray(start, start + size)
        : Buffer.concat([first.subarray(start), ...this.#chunks.slice(1)], size);
    this.#skip(size);
    return whole;
  }
}
