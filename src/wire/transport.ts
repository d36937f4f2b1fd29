/** A client's socket with its reader and its output; TLS may take its place before login. */

import type { Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import { SqlError } from '../base/sql-error.ts';
import { FrameReader } from './frame-reader.ts';
import { Output } from './output.ts';

/**
 * How long a closed connection's unread input is still taken, so that the last error reaches the
 * client.
 */
const LINGER_MS = 1000;

export interface TransportEvents {
  /** The client sends no more (it may still read). */
  onEnd(): void;
  /** The socket is gone. */
  onLost(): void;
  /** Results waited so long (µs) for the client to read. */
  onWait(us: bigint): void;
}

export class Transport {
  #socket: Socket;
  #reader: FrameReader;
  #output: Output;
  #detach: () => void;
  readonly #events: TransportEvents;

  constructor(socket: Socket, events: TransportEvents) {
    this.#events = events;
    this.#socket = socket;
    this.#reader = new FrameReader(socket);
    this.#output = new Output(socket, events.onWait);
    this.#detach = this.#listen();
  }

  get socket(): Socket {
    return this.#socket;
  }

  get reader(): FrameReader {
    return this.#reader;
  }

  get output(): Output {
    return this.#output;
  }

  get isEncrypted(): boolean {
    return this.#socket instanceof TLSSocket;
  }

  /** One byte outside of messages: the answer to SSLRequest and GSSENCRequest. */
  writeByte(letter: string): void {
    this.#socket.write(letter);
  }

  /**
   * TLS from here on; `early` are bytes of the handshake that came already. False: it failed, the
   * socket closes.
   */
  async upgrade(context: SecureContext, early: Buffer): Promise<boolean> {
    const plain = this.#socket;
    this.#detach();
    plain.pause();
    if (early.length > 0) plain.unshift(early);
    const secured = new TLSSocket(plain, {
      isServer: true,
      secureContext: context,
      ALPNProtocols: ['postgresql'],
    });
    this.#socket = secured;
    this.#reader = new FrameReader(secured);
    this.#output = new Output(secured, this.#events.onWait);
    const { promise, resolve } = Promise.withResolvers<boolean>();
    secured.once('secure', () => resolve(true));
    secured.once('close', () => resolve(false));
    this.#detach = this.#listen();
    return promise;
  }

  /**
   * Whether TLS was agreed on for this protocol by name: what a handshake without SSLRequest must
   * do.
   */
  get isNamedProtocol(): boolean {
    return this.#socket instanceof TLSSocket && this.#socket.alpnProtocol === 'postgresql';
  }

  /** Sends what is gathered, then ends the connection. */
  close(): void {
    this.#output.flush();
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.removeAllListeners('data');
    socket.end();
    socket.resume();
    if (socket.readableEnded) return void socket.destroySoon();
    socket.once('end', () => socket.destroySoon());
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  }

  /** Ends the connection at once. */
  destroy(): void {
    this.#socket.destroy();
  }

  /**
   * Listens to the socket; returns how to stop it, but for errors, which always cut the connection.
   */
  #listen(): () => void {
    const socket = this.#socket;
    const reader = this.#reader;
    const output = this.#output;
    const onData = (chunk: Buffer): void => reader.push(chunk);
    const onEnd = (): void => {
      reader.end();
      this.#events.onEnd();
    };
    const onClose = (): void => {
      output.close(new SqlError('08006', 'connection to client lost'));
      reader.end();
      this.#events.onLost();
    };
    socket.on('data', onData).on('end', onEnd).on('close', onClose);
    socket.on('error', () => socket.destroy());
    return () => socket.off('data', onData).off('end', onEnd).off('close', onClose);
  }
}
