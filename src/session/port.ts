/**
 * The port between the wire (bytes, sockets) and a session (SQL): one client's conversation.
 *
 * The wire frames and unframes; the session knows statements, portals, transactions. A session's calls are made one at a
 * time (the wire awaits each), but for `cancel`, which may come at any moment. Every failure is thrown as a SqlError; the
 * wire sends it and, in the extended protocol, skips to Sync.
 */

import type { SqlError } from '../base/sql-error.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { DataType } from '../types/data-type.ts';

/** A result column as RowDescription tells it. */
export interface ResultField {
  readonly name: string;
  readonly type: DataType;
  readonly tableOid: number;
  readonly attributeNumber: number;
}

export interface Notice {
  readonly severity: 'NOTICE' | 'WARNING' | 'INFO' | 'LOG';
  readonly sqlstate: string;
  readonly message: string;
  readonly detail?: string | undefined;
  readonly hint?: string | undefined;
}

export type WireFormat = 0 | 1;

/** How values become text: the session's settings that change output. */
export interface OutputSettings {
  readonly timeZone: string;
  readonly dateStyle: string;
  readonly intervalStyle: string;
  readonly byteaOutput: 'hex' | 'escape';
  readonly extraFloatDigits: number;
}

/** Where a statement's answer goes; implemented by the wire. Methods that return a promise wait for the socket to drain. */
export interface ResultWriter {
  /** RowDescription; `formats` has one entry for each field. Not called by `execute` (Describe has told it). */
  fields(fields: readonly ResultField[], formats: readonly WireFormat[]): void;
  /** DataRows of a batch (weights 1), the first `types.length` columns. */
  rows(
    batch: DeltaBatch,
    types: readonly DataType[],
    formats: readonly WireFormat[],
    settings: OutputSettings,
  ): Promise<void>;
  complete(tag: string): void;
  emptyQuery(): void;
  notice(notice: Notice): void;
  parameterStatus(name: string, value: string): void;
  /** CopyOutResponse, then `copyOutData` any number of times (whole rows with their line end), then `copyOutDone`. */
  copyOutStart(format: WireFormat, columnCount: number): void;
  copyOutData(bytes: Uint8Array): Promise<void>;
  copyOutDone(): void;
  /** CopyInResponse; yields the client's CopyData until CopyDone; throws SqlError 57014 on CopyFail. */
  copyIn(format: WireFormat, columnCount: number): AsyncIterable<Uint8Array>;
}

export interface StatementDescription {
  readonly parameterTypes: readonly DataType[];
  /** null: NoData. */
  readonly fields: readonly ResultField[] | null;
}

export type TransactionStatus = 'I' | 'T' | 'E';

export interface Session {
  /** ParameterStatus values to send after login, in order. */
  readonly parameters: ReadonlyMap<string, string>;
  readonly status: TransactionStatus;
  /**
   * A simple Query message: all its statements, in one implicit transaction. An error ends the message: it is thrown
   * after what was answered before.
   */
  simpleQuery(text: string, writer: ResultWriter): Promise<void>;
  parse(
    name: string,
    text: string,
    parameterOids: readonly number[],
    writer: ResultWriter,
  ): Promise<void>;
  /** `formats` and `resultFormats` as in Bind: none (all text), one for all, or one for each. */
  bind(
    portal: string,
    statement: string,
    formats: readonly number[],
    values: readonly (Uint8Array | null)[],
    resultFormats: readonly number[],
  ): Promise<void>;
  describeStatement(name: string): Promise<StatementDescription>;
  /** Fields and their formats; null: NoData. */
  describePortal(
    name: string,
  ): Promise<{ fields: readonly ResultField[]; formats: readonly WireFormat[] } | null>;
  /** `maxRows` 0 = all. 'suspended' = PortalSuspended; otherwise the writer had complete or emptyQuery. */
  execute(portal: string, maxRows: number, writer: ResultWriter): Promise<'complete' | 'suspended'>;
  closeStatement(name: string): void;
  closePortal(name: string): void;
  /** Sync: ends the implicit transaction (commit, or rollback after an error); errors of the commit are thrown. */
  sync(writer: ResultWriter): Promise<void>;
  /** The wire tells the session that an error was sent (a transaction block becomes 'E'). */
  failed(): void;
  /** CancelRequest or a closed socket: the running statement ends with 57014. */
  cancel(reason: string): void;
  /** Rolls back and frees everything; the socket is gone. */
  end(): Promise<void>;
}

/** The connection that a session serves. */
export interface SessionClient {
  /** The session is over. */
  onEnd(): void;
  /** Sends the client away with a FATAL error, at once where no statement runs. */
  terminate(error: SqlError): void;
}

export interface StartupParameters {
  readonly user: string;
  readonly database: string;
  /** The other startup parameters, `options=-c k=v` already taken apart. */
  readonly settings: ReadonlyMap<string, string>;
  readonly processId: number;
  readonly clientAddress: string;
  readonly terminate: SessionClient['terminate'];
}

/** Opens sessions; throws SqlError (FATAL) where the user, database or a setting is refused. */
export interface SessionFactory {
  open(startup: StartupParameters): Promise<Session>;
}
