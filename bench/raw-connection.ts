/**
 * A connection that does one thing cheaply: a prepared statement, one reading after another. A full client spends more on a
 * row than the server does, and would be what is measured.
 *
 * The next request of `readAll` is written in the same tick that the answer was read in, without promises between. A client
 * that stays awake polls for POLL_US after each request before its event loop sleeps, as low-latency clients do: otherwise a
 * good part of what is measured is how long the kernel takes to wake this process.
 */

import { connect, type Socket } from 'node:net';
import { serialize } from 'pg-protocol';
import { BusyPoll } from '../src/wire/busy-poll.ts';

const LETTER_ERROR = 0x45;
const LETTER_DATA_ROW = 0x44;
const LETTER_READY = 0x5a;
const STATEMENT = 'bench';
const POLL_US = 200;
/** DataRow: letter, length, column count, length of the first value. */
const FIRST_VALUE = 11;
const EXECUTE_AND_SYNC = Buffer.concat([
  serialize.execute({ portal: '', rows: 0 }),
  serialize.sync(),
]);

/** What one execution gave. */
export interface Reading {
  readonly rowCount: number;
  /** The first value of the last row. */
  readonly value: string;
}

/** Many readings, one after the other. */
export interface ReadingPlan {
  /** The next parameter; null: no more. */
  next(): string | null;
  /** The answer to the last `next`; an error that it throws ends the readings. */
  onReading(reading: Reading): void;
  /** Poll for answers; otherwise the process sleeps until they come. */
  readonly staysAwake: boolean;
}

export class RawConnection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #rowCount = 0;
  #firstValue = '';
  #onReady: () => void = () => undefined;
  #onError: (error: Error) => void = () => undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#onError(error));
    socket.on('close', () => this.#onError(new Error('the server closed the connection')));
  }

  /** Connects to the server at `url` and prepares `text`. */
  static async prepare(url: string, text: string): Promise<RawConnection> {
    const { hostname, port, username } = new URL(url);
    const socket = connect({ host: hostname, port: Number(port) });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const connection = new RawConnection(socket);
    await connection.#ask(serialize.startup({ user: username, database: 'millrace' }));
    await connection.#ask(
      Buffer.concat([serialize.parse({ name: STATEMENT, text, types: [] }), serialize.sync()]),
    );
    return connection;
  }

  /** Executes the statement once. */
  async read(parameter: string): Promise<Reading> {
    this.#rowCount = 0;
    await this.#ask(requestOf(parameter));
    return { rowCount: this.#rowCount, value: this.#firstValue };
  }

  /** Executes the statement for each parameter of the plan; rejects with what its `onReading` throws. */
  async readAll(plan: ReadingPlan): Promise<void> {
    const poll = new BusyPoll(plan.staysAwake ? POLL_US : 0);
    await new Promise<void>((resolve, reject) => {
      const sendNext = () => {
        const parameter = plan.next();
        if (parameter === null) return resolve();
        this.#rowCount = 0;
        this.#socket.write(requestOf(parameter));
        if (plan.staysAwake) poll.extend(performance.now());
      };
      this.#onError = reject;
      this.#onReady = () => {
        try {
          plan.onReading({ rowCount: this.#rowCount, value: this.#firstValue });
          sendNext();
        } catch (error) {
          reject(error);
        }
      };
      sendNext();
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Sends, and resolves at the next ReadyForQuery. */
  #ask(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onReady = resolve;
      this.#onError = reject;
      this.#socket.write(bytes);
    });
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    let at = 0;
    let isReady = false;
    while (this.#received.length - at >= 5) {
      const size = this.#received.readInt32BE(at + 1) + 1;
      if (this.#received.length - at < size) break;
      isReady = this.#received[at] === LETTER_READY;
      this.#message(at, size);
      at += size;
    }
    this.#received = this.#received.subarray(at);
    if (isReady) this.#onReady();
  }

  #message(at: number, size: number): void {
    switch (this.#received[at]) {
      case LETTER_DATA_ROW: {
        const length = this.#received.readInt32BE(at + 7);
        const start = at + FIRST_VALUE;
        this.#firstValue = this.#received.toString('latin1', start, start + Math.max(length, 0));
        this.#rowCount++;
        return;
      }
      case LETTER_ERROR:
        this.#onError(new Error(this.#received.toString('utf8', at + 5, at + size)));
    }
  }
}

function requestOf(parameter: string): Buffer {
  const bind = serialize.bind({ statement: STATEMENT, values: [parameter] });
  return Buffer.concat([bind, EXECUTE_AND_SYNC]);
}
