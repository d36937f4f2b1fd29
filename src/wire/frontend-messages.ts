/**
 * The client's messages: which letters there are, how large each may be, and what their bodies say.
 */

import { SqlError } from '../base/sql-error.ts';
import type { FrameLimit } from './frame-reader.ts';
import { MessageBody, PROTOCOL_VIOLATION } from './message-body.ts';

/** The largest message taken: 64 MiB. */
export const MESSAGE_BYTES_MAX = 64 * 1024 * 1024;
/** The largest message of a type that has no reason to be large (PostgreSQL's own limit). */
const SMALL_MESSAGE_BYTES_MAX = 10_000;
/** The largest authentication message. */
const PASSWORD_BYTES_MAX = 4096;

export const QUERY = code('Q');
export const PARSE = code('P');
export const BIND = code('B');
export const DESCRIBE = code('D');
export const EXECUTE = code('E');
export const CLOSE = code('C');
export const FLUSH = code('H');
export const SYNC = code('S');
export const TERMINATE = code('X');
export const COPY_DATA = code('d');
export const COPY_DONE = code('c');
export const COPY_FAIL = code('f');
export const FUNCTION_CALL = code('F');
export const PASSWORD = code('p');

function code(letter: string): number {
  return letter.charCodeAt(0);
}

const LARGE: ReadonlySet<number> = new Set([QUERY, PARSE, BIND, COPY_DATA, FUNCTION_CALL]);
const SMALL: ReadonlySet<number> = new Set([
  DESCRIBE,
  EXECUTE,
  CLOSE,
  FLUSH,
  SYNC,
  TERMINATE,
  COPY_DONE,
  COPY_FAIL,
]);

/** Limits after login; a letter that is not a message ends the connection. */
export const messageLimit: FrameLimit = (type) => {
  if (LARGE.has(type)) return MESSAGE_BYTES_MAX;
  if (SMALL.has(type)) return SMALL_MESSAGE_BYTES_MAX;
  throw new SqlError(PROTOCOL_VIOLATION, `invalid frontend message type ${type}`, {
    severity: 'FATAL',
  });
};

/** Limits during login: answers to the authentication only. */
export const passwordLimit: FrameLimit = (type) => {
  if (type === PASSWORD) return PASSWORD_BYTES_MAX;
  throw new SqlError(PROTOCOL_VIOLATION, `expected SASL response, got message type ${type}`, {
    severity: 'FATAL',
  });
};

/** A body that is one text: Query, CopyFail. */
export function decodeText(body: Buffer): string {
  const reader = new MessageBody(body);
  const text = reader.text();
  reader.end();
  return text;
}

/** A body that must be empty: Sync, Flush. */
export function decodeEmpty(body: Buffer): void {
  new MessageBody(body).end();
}

export interface ParseMessage {
  readonly name: string;
  readonly text: string;
  readonly parameterOids: readonly number[];
}

export function decodeParse(body: Buffer): ParseMessage {
  const reader = new MessageBody(body);
  const name = reader.text();
  const text = reader.text();
  const parameterOids: number[] = [];
  const count = reader.u16();
  for (let i = 0; i < count; i++) parameterOids.push(reader.i32() >>> 0);
  reader.end();
  return { name, text, parameterOids };
}

export interface BindMessage {
  readonly portal: string;
  readonly statement: string;
  readonly formats: readonly number[];
  readonly values: readonly (Uint8Array | null)[];
  readonly resultFormats: readonly number[];
}

export function decodeBind(body: Buffer): BindMessage {
  const reader = new MessageBody(body);
  const portal = reader.text();
  const statement = reader.text();
  const formats = decodeFormats(reader);
  const values = decodeValues(reader);
  if (formats.length > 1 && formats.length !== values.length) {
    throw new SqlError(
      PROTOCOL_VIOLATION,
      `bind message has ${formats.length} parameter formats but ${values.length} parameters`,
    );
  }
  const resultFormats = decodeFormats(reader);
  reader.end();
  return { portal, statement, formats, values, resultFormats };
}

function decodeFormats(reader: MessageBody): number[] {
  const formats: number[] = [];
  const count = reader.u16();
  for (let i = 0; i < count; i++) {
    const format = reader.i16();
    if (format !== 0 && format !== 1) {
      throw new SqlError('22023', `unsupported format code: ${format}`);
    }
    formats.push(format);
  }
  return formats;
}

function decodeValues(reader: MessageBody): (Uint8Array | null)[] {
  const values: (Uint8Array | null)[] = [];
  const count = reader.u16();
  for (let i = 0; i < count; i++) {
    const size = reader.i32();
    values.push(size === -1 ? null : reader.bytes(size));
  }
  return values;
}

export interface NamedObject {
  readonly kind: 'statement' | 'portal';
  readonly name: string;
}

/** Describe and Close name a statement or a portal. */
export function decodeNamed(body: Buffer, message: 'DESCRIBE' | 'CLOSE'): NamedObject {
  const reader = new MessageBody(body);
  const kind = reader.u8();
  const name = reader.text();
  reader.end();
  if (kind === code('S')) return { kind: 'statement', name };
  if (kind === code('P')) return { kind: 'portal', name };
  throw new SqlError(PROTOCOL_VIOLATION, `invalid ${message} message subtype ${kind}`);
}

export interface ExecuteMessage {
  readonly portal: string;
  /** 0 = all; PostgreSQL takes a negative number as all too. */
  readonly rowsMax: number;
}

export function decodeExecute(body: Buffer): ExecuteMessage {
  const reader = new MessageBody(body);
  const portal = reader.text();
  const rowsMax = Math.max(0, reader.i32());
  reader.end();
  return { portal, rowsMax };
}
