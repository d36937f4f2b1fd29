/**
 * A connection's way out: messages gather in a MessageBuffer and go to the socket in few writes; a
 * client that does not read makes the writer wait, so that at most QUEUE_BYTES_MAX and one buffer
 * are held for it.
 */

import type { Socket } from 'node:net';
import { SystemClock } from '../base/clock.ts';
import type { SqlError } from '../base/sql-error.ts';
import { MessageBuffer } from './message-buffer.ts';

/** Bytes in the socket's queue above which the writer waits for it to drain. */
const QUEUE_BYTES_MAX = 256 * 1024;
/** Bytes gathered before a write. */
const FLUSH_BYTES = 32 * 1024;
/** Row encoders stop behind this, to let the queue drain. */
const ROWS_BYTES = 128 * 1024;

/**
 * Bytes written after which other connections get their turn, although this client reads as fast as
 * we write.
 */
const TURN_BYTES = 512 * 1024;

const READY: Promise<void> = Promise.resolve();
const clock = new SystemClock();

export class Output {
  readonly messages = new MessageBuffer(ROWS_BYTES);
  readonly #socket: Socket;
  readonly #onWait: (us: bigint) => void;
  #waiter: PromiseWithResolvers<void> | null = null;
  /** Since when the waiter waits, in monotonic time. */
  #waitingSinceUs = 0n;
  #isFlushScheduled = false;
  #closedBy: SqlError | null = null;
  #turnBytes = 0;

  /** `onWait` is told how long the writer waited for the client to read. */
  constructor(socket: Socket, onWait: (us: bigint) => void = () => {}) {
    this.#socket = socket;
    this.#onWait = onWait;
    socket.on('drain', () => this.#release());
  }

  /** Bytes that are held for the client in this process. */
  get queuedBytes(): number {
    return this.#socket.writableLength + this.messages.length;
  }

  /** Hands everything gathered to the socket. */
  flush(): void {
    if (this.messages.length === 0) return;
    const bytes = this.messages.take();
    this.#turnBytes += bytes.length;
    if (this.#closedBy === null) this.#socket.write(bytes);
  }

  /**
   * Flushes once the work at hand lets the event loop go on, so that nothing gathered waits for a
   * slow statement.
   */
  scheduleFlush(): void {
    if (this.#isFlushScheduled) return;
    this.#isFlushScheduled = true;
    setImmediate(() => {
      this.#isFlushScheduled = false;
      this.flush();
    });
  }

  /**
   * After appending: resolves when more may be appended; rejects when the client is gone or the
   * wait is interrupted.
   */
  ready(): Promise<void> {
    if (this.#closedBy !== null) return handled(Promise.reject(this.#closedBy));
    if (this.messages.length >= FLUSH_BYTES) this.flush();
    else this.scheduleFlush();
    if (this.#socket.writableLength <= QUEUE_BYTES_MAX) return this.#turn();
    if (this.#waiter === null) {
      this.#waiter = Promise.withResolvers<void>();
      this.#waitingSinceUs = clock.monotonicUs();
    }
    return handled(this.#waiter.promise);
  }

  /**
   * Ends a wait for the client to read, with an error: a statement is cancelled although nobody
   * reads its rows.
   */
  interrupt(error: SqlError): void {
    this.#takeWaiter()?.reject(error);
  }

  /** The client is gone: what is appended from now on is dropped, and `ready` rejects. */
  close(error: SqlError): void {
    this.#closedBy ??= error;
    this.interrupt(error);
  }

  #turn(): Promise<void> {
    if (this.#turnBytes < TURN_BYTES) return READY;
    this.#turnBytes = 0;
    return new Promise((resolve) => void setImmediate(resolve));
  }

  #release(): void {
    this.#turnBytes = 0;
    this.#takeWaiter()?.resolve();
  }

  /** The wait is over. */
  #takeWaiter(): PromiseWithResolvers<void> | null {
    const waiter = this.#waiter;
    this.#waiter = null;
    if (waiter !== null) this.#onWait(clock.monotonicUs() - this.#waitingSinceUs);
    return waiter;
  }
}

/** A client that goes away must not end the process where a caller has not waited for the promise. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => undefined);
  return promise;
}
