/** A bare socket that speaks the protocol badly on purpose: for the tests of the wire. */

import { connect, type Socket } from 'node:net';
import { serialize } from 'pg-protocol';

/** A backend message: its letter and body. */
export interface RawMessage {
  readonly letter: string;
  readonly body: Buffer;
}

const WAIT_MS = 200;
const WAITS_MAX = 25;

export class RawClient {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #isClosed = false;
  #changed: (() => void)[] = [];

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#notify();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#isClosed = true;
      this.#notify();
    });
  }

  static async open(port: number): Promise<RawClient> {
    const socket = connect({ port, host: '127.0.0.1' });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new RawClient(socket);
  }

  /** Logged in as `millrace` and past the first ReadyForQuery. */
  static async login(port: number): Promise<RawClient> {
    const client = await RawClient.open(port);
    client.send(startup({ user: 'millrace', database: 'millrace' }));
    await client.untilReady();
    return client;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(Buffer.concat(parts));
  }

  /** One raw byte, as SSLRequest is answered; null where the connection was closed instead. */
  async byte(): Promise<string | null> {
    await this.#until(() => this.#received.length > 0);
    if (this.#received.length === 0) return null;
    const byte = this.#received.toString('latin1', 0, 1);
    this.#received = this.#received.subarray(1);
    return byte;
  }

  /** The next message; null where the connection was closed instead. */
  async message(): Promise<RawMessage | null> {
    const size = () => (this.#received.length < 5 ? 5 : this.#received.readInt32BE(1) + 1);
    await this.#until(() => this.#received.length >= size());
    if (this.#received.length < size()) return null;
    const end = size();
    const letter = this.#received.toString('latin1', 0, 1);
    const body = this.#received.subarray(5, end);
    this.#received = this.#received.subarray(end);
    return { letter, body };
  }

  /** Messages up to ReadyForQuery (or the end), as text: see `describe`. */
  async untilReady(): Promise<string[]> {
    const seen: string[] = [];
    for (;;) {
      const message = await this.message();
      if (message === null) return [...seen, 'closed'];
      seen.push(describe(message));
      if (message.letter === 'Z') return seen;
    }
  }

  /** Everything up to the server's close. */
  async untilClosed(): Promise<string[]> {
    const seen: string[] = [];
    for (let next = await this.message(); next !== null; next = await this.message()) {
      seen.push(describe(next));
    }
    await this.#until(() => this.#isClosed);
    return seen;
  }

  destroy(): void {
    this.socket.destroy();
  }

  async #until(condition: () => boolean): Promise<void> {
    for (let idleWaits = 0; !condition() && !this.#isClosed; ) {
      if (idleWaits > WAITS_MAX) throw new Error('the server neither answered nor closed');
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => {
          idleWaits++;
          resolve();
        }, WAIT_MS);
        this.#changed.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  #notify(): void {
    const changed = this.#changed;
    this.#changed = [];
    for (const wake of changed) wake();
  }
}

/** `E 42601 message`, `C SELECT 1`, `Z I`, or the letter alone. */
export function describe({ letter, body }: RawMessage): string {
  if (letter === 'E' || letter === 'N') {
    const fields = errorFields(body);
    return `${letter} ${fields.S} ${fields.C} ${fields.M}`;
  }
  if (letter === 'C') return `C ${body.toString('utf8', 0, body.length - 1)}`;
  if (letter === 'Z') return `Z ${body.toString('latin1')}`;
  return letter;
}

/** The fields of an ErrorResponse or NoticeResponse by letter. */
export function errorFields(body: Buffer): Record<string, string> {
  const fields: Record<string, string> = {};
  let offset = 0;
  while (body[offset] !== 0) {
    const end = body.indexOf(0, offset);
    fields[String.fromCharCode(body[offset] as number)] = body.toString('utf8', offset + 1, end);
    offset = end + 1;
  }
  return fields;
}

/** A frame with any letter, body and (false) length. */
export function frame(letter: string, body: Uint8Array = Buffer.alloc(0), length?: number): Buffer {
  const header = Buffer.alloc(5);
  header.write(letter, 'latin1');
  header.writeUInt32BE((length ?? body.length + 4) >>> 0, 1);
  return Buffer.concat([header, body]);
}

/** A start-up packet: a version and parameters. */
export function startup(parameters: Readonly<Record<string, string>>, version = 0x30000): Buffer {
  const pairs = Object.entries(parameters).flat();
  return packet(version, Buffer.from([...pairs, ''].map((text) => `${text}\0`).join('')));
}

/** A packet without letter. */
export function packet(code: number, rest: Uint8Array = Buffer.alloc(0), length?: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE((length ?? rest.length + 8) >>> 0, 0);
  header.writeInt32BE(code, 4);
  return Buffer.concat([header, rest]);
}

export { serialize };
