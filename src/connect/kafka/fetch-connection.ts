/**
 * FetchConnection: a connection to a broker that only fetches, without TLS and login. Answers are read by the system straight
 * into buffers that are used again: a stream would allocate a buffer for each 64 KiB, and collecting those costs more than
 * all the rest of reading (docs/performance.md).
 *
 * Answers come in the order of the requests. Whatever goes wrong closes the connection and fails all that wait.
 */

import { createConnection, type Socket } from 'node:net';
import { answerBuffers } from './buffer-pool.ts';
import { KafkaError } from './kafka-error.ts';

export interface FetchConnectionOptions {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly requestTimeoutMs: number;
  /** It is of no use any more. */
  onClosed(): void;
}

interface Waiting {
  readonly correlationId: number;
  readonly timer: NodeJS.Timeout;
  resolve(body: Buffer): void;
  reject(error: KafkaError): void;
}

const LENGTH_BYTES = 4;
/** Correlation id, and no tagged fields (response header version 1). */
const HEADER_BYTES = 5;
const ANSWER_BYTES_MAX = 2 ** 30;

export class FetchConnection {
  readonly #options: FetchConnectionOptions;
  readonly #socket: Socket;
  readonly #length = Buffer.alloc(LENGTH_BYTES);
  /** What is read now: the length of an answer, or the answer. */
  #target: Buffer = this.#length;
  #filled = 0;
  readonly #waiting: Waiting[] = [];
  #correlationId = 0;
  #failure: KafkaError | null = null;

  private constructor(options: FetchConnectionOptions) {
    this.#options = options;
    const { host, port } = options;
    this.#socket = createConnection({
      host,
      port,
      noDelay: true,
      onread: {
        buffer: () => this.#target.subarray(this.#filled),
        callback: (byteCount) => {
          this.#took(byteCount);
          return true;
        },
      },
    });
    this.#socket.on('error', ({ message, code }: NodeJS.ErrnoException) => {
      this.#fail(new KafkaError(`${host}:${port}: ${message}`, null, code ?? 'SOCKET'));
    });
    this.#socket.on('close', () => this.#fail(this.#error('the connection was closed', 'CLOSED')));
  }

  static async connect(options: FetchConnectionOptions): Promise<FetchConnection> {
    const connection = new FetchConnection(options);
    await connection.#connected();
    return connection;
  }

  #connected(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#fail(this.#error('the connection timed out', 'TIMEOUT'));
      }, this.#options.connectTimeoutMs);
      this.#socket.once('connect', () => {
        clearTimeout(timer);
        resolve();
      });
      this.#socket.once('close', () => {
        clearTimeout(timer);
        reject(this.#failure);
      });
    });
  }

  /** `request` makes the request of a correlation id, its length before it. The body of the answer; its buffer is of the pool. */
  ask(request: (correlationId: number) => Uint8Array): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) {
        reject(this.#failure);
        return;
      }
      this.#correlationId = (this.#correlationId + 1) & 0x7fff_ffff;
      const correlationId = this.#correlationId;
      const timer = setTimeout(() => {
        this.#fail(this.#error('a fetch timed out', 'TIMEOUT'));
      }, this.#options.requestTimeoutMs);
      this.#waiting.push({ correlationId, timer, resolve, reject });
      this.#socket.write(request(correlationId));
    });
  }

  close(): void {
    this.#fail(this.#error('the client is closed', 'CLOSED'));
  }

  #error(text: string, id: string): KafkaError {
    const { host, port } = this.#options;
    return new KafkaError(`${host}:${port}: ${text}`, null, id);
  }

  #fail(error: KafkaError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.#socket.destroy();
    for (const { timer, reject } of this.#waiting.splice(0)) {
      clearTimeout(timer);
      reject(error);
    }
    this.#options.onClosed();
  }

  #took(byteCount: number): void {
    this.#filled += byteCount;
    if (this.#filled < this.#target.length || this.#failure !== null) return;
    const filled = this.#target;
    this.#filled = 0;
    if (filled === this.#length) this.#target = this.#answerBuffer(filled.readInt32BE(0));
    else {
      this.#target = this.#length;
      this.#answer(filled);
    }
  }

  #answerBuffer(size: number): Buffer {
    if (size < HEADER_BYTES || size > ANSWER_BYTES_MAX) {
      this.#fail(this.#error(`an answer of ${size} bytes`, 'PROTOCOL'));
      return this.#length;
    }
    const { buffer, byteOffset } = answerBuffers.take(size);
    return Buffer.from(buffer, byteOffset, size);
  }

  #answer(message: Buffer): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined || message.readInt32BE(0) !== waiting.correlationId) {
      if (waiting !== undefined) this.#waiting.unshift(waiting);
      this.#fail(this.#error('an answer that nobody asked for', 'PROTOCOL'));
      return;
    }
    clearTimeout(waiting.timer);
    waiting.resolve(message.subarray(HEADER_BYTES));
  }
}
