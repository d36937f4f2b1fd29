/**
 * A logged-in client's messages, one at a time, and the session's answers.
 *
 * Algorithm: read a frame, let the session do it, write the answer. An error in the extended
 * protocol skips messages up to Sync; one in a simple query ends that message. ReadyForQuery
 * follows a simple query and a Sync, nothing else. Output goes to the socket when there is nothing
 * more to read, when enough is gathered, or when a statement lets the event loop go on.
 */

import type { Log } from '../base/log.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import type { Session } from '../session/port.ts';
import {
  BIND_COMPLETE,
  CLOSE_COMPLETE,
  NO_DATA,
  PARSE_COMPLETE,
  PORTAL_SUSPENDED,
  writeParameterDescription,
  writeReadyForQuery,
  writeRowDescription,
} from './backend-messages.ts';
import type { RequestRhythm } from './busy-poll.ts';
import { reportedError, writeError } from './error-response.ts';
import type { Frame } from './frame-reader.ts';
import {
  BIND,
  CLOSE,
  DESCRIBE,
  decodeBind,
  decodeEmpty,
  decodeExecute,
  decodeNamed,
  decodeParse,
  decodeText,
  EXECUTE,
  FLUSH,
  FUNCTION_CALL,
  messageLimit,
  PARSE,
  QUERY,
  SYNC,
  TERMINATE,
} from './frontend-messages.ts';
import { WireResultWriter } from './result-writer.ts';
import type { Transport } from './transport.ts';

/**
 * How long a statement goes on for a client that sends no more: one that only half-closed still
 * gets its answer.
 */
const LOST_CLIENT_GRACE_MS = 1000;

const CLIENT_LOST = 'connection to client lost';

export class Conversation {
  readonly #transport: Transport;
  readonly #session: Session;
  readonly #log: Log;
  readonly #writer: WireResultWriter;
  readonly #rhythm: RequestRhythm;
  #isBusy = false;
  #isSkippingToSync = false;
  #endedBy: SqlError | null = null;
  #messageCount = 0;
  #lostClientTimer: NodeJS.Timeout | null = null;
  #isOver = false;

  constructor(transport: Transport, session: Session, log: Log, rhythm: RequestRhythm) {
    this.#transport = transport;
    this.#session = session;
    this.#log = log;
    this.#rhythm = rhythm;
    this.#writer = new WireResultWriter(transport);
  }

  /** Until the client leaves or is sent away. Throws the FATAL error that ends it. */
  async run(): Promise<void> {
    if (this.#transport.reader.isEnded) this.clientEnded();
    try {
      this.#ready();
      await this.#serve();
    } finally {
      this.#isOver = true;
      if (this.#lostClientTimer !== null) clearInterval(this.#lostClientTimer);
    }
  }

  async #serve(): Promise<void> {
    for (;;) {
      const frame = await this.#nextFrame();
      if (frame === null || frame.type === TERMINATE) return;
      this.#isBusy = true;
      this.#messageCount++;
      try {
        await this.#handle(frame);
      } finally {
        this.#isBusy = false;
      }
      const { output } = this.#transport;
      if (output.messages.length >= output.messages.softLimit) await output.ready();
    }
  }

  /** Cancels the statement that runs; nothing where none does. */
  cancel(message: string): void {
    if (!this.#isBusy) return;
    this.#session.cancel(message);
    this.#writer.interrupt(new SqlError('57014', message));
  }

  /** Sends the client away with `error` (FATAL), after the statement that runs was cancelled. */
  terminate(error: SqlError): void {
    this.#endedBy ??= error;
    this.cancel(error.message);
    if (this.#isBusy) return;
    this.#transport.reader.interrupt(error);
    this.#transport.output.interrupt(error);
  }

  /** The client sends no more: each message that is still here has a while to be done. */
  clientEnded(): void {
    if (this.#isOver) return;
    let seen = this.#messageCount;
    this.#lostClientTimer ??= setInterval(() => {
      if (this.#messageCount === seen) this.cancel(CLIENT_LOST);
      seen = this.#messageCount;
    }, LOST_CLIENT_GRACE_MS).unref();
  }

  /** The socket is gone. */
  clientLost(): void {
    if (this.#isBusy) this.#session.cancel(CLIENT_LOST);
  }

  async #nextFrame(): Promise<Frame | null> {
    if (this.#endedBy !== null) throw this.#endedBy;
    const { reader, output } = this.#transport;
    const frame = reader.next(messageLimit);
    if (frame !== null) {
      if (output.messages.length > 0) output.scheduleFlush();
      return frame;
    }
    output.flush();
    this.#rhythm.answered();
    const next = await reader.read(messageLimit);
    this.#rhythm.asked();
    return next;
  }

  async #handle(frame: Frame): Promise<void> {
    switch (frame.type) {
      case QUERY:
        return this.#query(frame.body);
      case SYNC:
        return this.#sync(frame.body);
      case FUNCTION_CALL:
        this.#report(notSupported('the function call message'));
        return this.#ready();
      case PARSE:
      case BIND:
      case DESCRIBE:
      case EXECUTE:
      case CLOSE:
      case FLUSH:
        return this.#isSkippingToSync ? undefined : this.#extended(frame);
      default:
        // CopyData, CopyDone and CopyFail behind a COPY that has failed.
        return;
    }
  }

  async #query(body: Buffer): Promise<void> {
    let text: string | undefined;
    try {
      text = decodeText(body);
      await this.#session.simpleQuery(text, this.#writer);
    } catch (thrown) {
      this.#report(thrown, text);
      if (text === undefined) await this.#endImplicitTransaction();
    }
    this.#ready();
  }

  async #sync(body: Buffer): Promise<void> {
    this.#isSkippingToSync = false;
    try {
      decodeEmpty(body);
    } catch (thrown) {
      this.#report(thrown);
    }
    await this.#endImplicitTransaction();
    this.#ready();
  }

  async #endImplicitTransaction(): Promise<void> {
    try {
      await this.#session.sync(this.#writer);
    } catch (thrown) {
      this.#report(thrown);
    }
  }

  async #extended(frame: Frame): Promise<void> {
    try {
      if (frame.type === PARSE) await this.#parse(frame.body);
      else if (frame.type === BIND) await this.#bind(frame.body);
      else if (frame.type === DESCRIBE) await this.#describe(frame.body);
      else if (frame.type === EXECUTE) await this.#execute(frame.body);
      else if (frame.type === CLOSE) this.#close(frame.body);
      else this.#flush(frame.body);
    } catch (thrown) {
      this.#isSkippingToSync = true;
      this.#report(thrown);
    }
  }

  async #parse(body: Buffer): Promise<void> {
    const { name, text, parameterOids } = decodeParse(body);
    try {
      await this.#session.parse(name, text, parameterOids, this.#writer);
    } catch (thrown) {
      this.#isSkippingToSync = true;
      this.#report(thrown, text);
      return;
    }
    this.#transport.output.messages.empty(PARSE_COMPLETE);
  }

  async #bind(body: Buffer): Promise<void> {
    const { portal, statement, formats, values, resultFormats } = decodeBind(body);
    await this.#session.bind(portal, statement, formats, values, resultFormats);
    this.#transport.output.messages.empty(BIND_COMPLETE);
  }

  async #describe(body: Buffer): Promise<void> {
    const { kind, name } = decodeNamed(body, 'DESCRIBE');
    const { messages } = this.#transport.output;
    if (kind === 'portal') {
      const portal = await this.#session.describePortal(name);
      if (portal === null) messages.empty(NO_DATA);
      else writeRowDescription(messages, portal.fields, portal.formats);
      return;
    }
    const statement = await this.#session.describeStatement(name);
    writeParameterDescription(messages, statement.parameterTypes);
    if (statement.fields === null) messages.empty(NO_DATA);
    else writeRowDescription(messages, statement.fields, []);
  }

  async #execute(body: Buffer): Promise<void> {
    const { portal, rowsMax } = decodeExecute(body);
    const outcome = await this.#session.execute(portal, rowsMax, this.#writer);
    if (outcome === 'suspended') this.#transport.output.messages.empty(PORTAL_SUSPENDED);
  }

  #close(body: Buffer): void {
    const { kind, name } = decodeNamed(body, 'CLOSE');
    if (kind === 'statement') this.#session.closeStatement(name);
    else this.#session.closePortal(name);
    this.#transport.output.messages.empty(CLOSE_COMPLETE);
  }

  #flush(body: Buffer): void {
    decodeEmpty(body);
    this.#transport.output.flush();
  }

  /** Sends an error and tells the session; a FATAL one ends the conversation. */
  #report(thrown: unknown, text?: string): void {
    const { error, isInternal } = reportedError(thrown);
    if (isInternal) this.#log.error({ err: thrown }, 'a statement failed inside the server');
    if (error.fields.severity === 'FATAL') throw error;
    const { messages } = this.#transport.output;
    messages.rollback();
    writeError(messages, error, text);
    this.#session.failed();
  }

  #ready(): void {
    writeReadyForQuery(this.#transport.output.messages, this.#session.status);
  }
}
