/**
 * A connection that does one thing cheaply: a prepared statement, one reading after another. A full client spends more on a
 * row than the server does, and would be what is measured.
 */

import { connect, type Socket } from 'node:net';
import { serialize } from 'pg-protocol';

const LETTER_ERROR = 0x45;
const LETTER_DATA_ROW = 0x44;
const LETTER_READY = 0x5a;
const STATEMENT = 'bench';
/** DataRow: letter, length, column count, length of the first value. */
const FIRST_VALUE = 11;

export class RawConnection {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #rowCount = 0;
  #firstValue = '';
  #settle: { resolve: () => void; reject: (error: Error) => void } | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#settle?.reject(error));
    socket.on('close', () => this.#settle?.reject(new Error('the server closed the connection')));
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

  /** Executes the statement: how many rows came, and the first value of the last one. */
  async read(parameter: string): Promise<{ readonly rowCount: number; readonly value: string }> {
    this.#rowCount = 0;
    await this.#ask(
      Buffer.concat([
        serialize.bind({ statement: STATEMENT, values: [parameter] }),
        serialize.execute({ portal: '', rows: 0 }),
        serialize.sync(),
      ]),
    );
    return { rowCount: this.#rowCount, value: this.#firstValue };
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Sends, and resolves at the next ReadyForQuery. */
  #ask(bytes: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
      this.#socket.write(bytes);
    });
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    let at = 0;
    while (this.#received.length - at >= 5) {
      const size = this.#received.readInt32BE(at + 1) + 1;
      if (this.#received.length - at < size) break;
      this.#message(at, size);
      at += size;
    }
    this.#received = this.#received.subarray(at);
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
        this.#settle?.reject(new Error(this.#received.toString('utf8', at + 5, at + size)));
        return;
      case LETTER_READY:
        this.#settle?.resolve();
    }
  }
}
