/**
 * One client's connection from accept to close: login within its time, the conversation, and a tidy
 * end.
 */

import type { Socket } from 'node:net';
import type { Log } from '../base/log.ts';
import { SqlError } from '../base/sql-error.ts';
import type { Session } from '../session/port.ts';
import type { RequestRhythm } from './busy-poll.ts';
import { Conversation } from './conversation.ts';
import { reportedError, writeError } from './error-response.ts';
import { type LoginOptions, login } from './login.ts';
import { Transport } from './transport.ts';

/** How long a client that was too slow to log in may take to read why. */
const TIMEOUT_LINGER_MS = 500;

export interface ConnectionOptions {
  readonly log: Log;
  readonly loginTimeoutMs: number;
  readonly login: LoginOptions;
  readonly rhythm: RequestRhythm;
  /** Results waited so long (µs) for the client to read. */
  onWait(us: bigint): void;
}

export class Connection {
  /** Set once the connection is counted in. */
  processId: number | null = null;
  /** Resolves when the socket is let go and the session has ended; never rejects. */
  readonly done: Promise<void>;
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  #conversation: Conversation | null = null;
  #endedBy: SqlError | null = null;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.#options = options;
    this.#transport = new Transport(socket, {
      onEnd: () => this.#conversation?.clientEnded(),
      onLost: () => this.#conversation?.clientLost(),
      onWait: options.onWait,
    });
    this.done = this.#run();
  }

  /** Cancels the statement that runs, if one does. */
  cancel(message: string): void {
    this.#conversation?.cancel(message);
  }

  /** Sends the client away with a FATAL error. */
  terminate(error: SqlError): void {
    this.#endedBy ??= error;
    if (this.#conversation === null) this.#transport.reader.interrupt(error);
    else this.#conversation.terminate(error);
  }

  /** Cuts the connection. */
  destroy(): void {
    this.#transport.destroy();
  }

  async #run(): Promise<void> {
    let session: Session | null = null;
    try {
      session = await this.#login();
      if (session !== null) await this.#converse(session);
    } catch (thrown) {
      this.#sendFatal(thrown);
    }
    this.#transport.close();
    await this.#endSession(session);
  }

  async #login(): Promise<Session | null> {
    const timer = setTimeout(() => this.#loginTooSlow(), this.#options.loginTimeoutMs);
    try {
      return await login(this.#transport, this.#options.login);
    } finally {
      clearTimeout(timer);
    }
  }

  #loginTooSlow(): void {
    const fields = { severity: 'FATAL' } as const;
    this.terminate(new SqlError('57014', 'canceling authentication due to timeout', fields));
    // A TLS handshake that hangs hears nothing of that.
    setTimeout(() => {
      if (this.#conversation === null) this.destroy();
    }, TIMEOUT_LINGER_MS).unref();
  }

  async #converse(session: Session): Promise<void> {
    const { log, rhythm } = this.#options;
    const conversation = new Conversation(this.#transport, session, log, rhythm);
    this.#conversation = conversation;
    if (this.#endedBy !== null) conversation.terminate(this.#endedBy);
    await conversation.run();
  }

  #sendFatal(thrown: unknown): void {
    const { error, isInternal } = reportedError(thrown);
    const { log } = this.#options;
    if (isInternal) log.error({ err: thrown }, 'a connection failed inside the server');
    else log.debug({ sqlstate: error.sqlstate, reason: error.message }, 'connection ended');
    const { messages } = this.#transport.output;
    messages.rollback();
    const fatal = new SqlError(error.sqlstate, error.message, {
      ...error.fields,
      severity: 'FATAL',
    });
    writeError(messages, fatal);
  }

  async #endSession(session: Session | null): Promise<void> {
    try {
      await session?.end();
    } catch (err) {
      this.#options.log.error({ err }, 'a session failed to end');
    }
  }
}
