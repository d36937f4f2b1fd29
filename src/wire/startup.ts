/**
 * The first packets of a connection: requests for encryption, cancel requests, and the start-up
 * message itself.
 */

import { SqlError } from '../base/sql-error.ts';
import { decodeUtf8, PROTOCOL_VIOLATION } from './message-body.ts';

/** PostgreSQL's MAX_STARTUP_PACKET_LENGTH, the four bytes of the length left out. */
export const STARTUP_BYTES_MAX = 10_000;
/** First byte of a TLS handshake that was not asked for by SSLRequest. */
export const TLS_HANDSHAKE = 0x16;

const CANCEL_REQUEST = 80_877_102;
const SSL_REQUEST = 80_877_103;
const GSS_REQUEST = 80_877_104;
const PROTOCOL_MAJOR = 3;
/** Protocol 3.0, as NegotiateProtocolVersion names it. */
export const PROTOCOL_VERSION = PROTOCOL_MAJOR << 16;

export type StartupPacket =
  | { readonly kind: 'ssl' }
  | { readonly kind: 'gss' }
  | { readonly kind: 'cancel'; readonly processId: number; readonly key: number }
  | StartupMessage;

export interface StartupMessage {
  readonly kind: 'startup';
  readonly user: string;
  readonly database: string;
  readonly settings: ReadonlyMap<string, string>;
  /** Protocol options that are not known here. */
  readonly unknownOptions: readonly string[];
  /**
   * The client asked for a newer minor version or unknown options: NegotiateProtocolVersion is due.
   */
  readonly isNegotiated: boolean;
}

/** Reads a packet's body (behind its length). Throws FATAL SqlErrors. */
export function decodeStartup(body: Buffer): StartupPacket {
  const version = body.readInt32BE(0);
  if (version === SSL_REQUEST) return { kind: 'ssl' };
  if (version === GSS_REQUEST) return { kind: 'gss' };
  if (version === CANCEL_REQUEST) {
    const isWhole = body.length === 12;
    const key = isWhole ? body.readInt32BE(8) : 0;
    return { kind: 'cancel', processId: isWhole ? body.readInt32BE(4) : 0, key };
  }
  const major = version >>> 16;
  const minor = version & 0xffff;
  if (major !== PROTOCOL_MAJOR) {
    throw fatal(
      '0A000',
      `unsupported frontend protocol ${major}.${minor}: server supports 3.0 to 3.0`,
    );
  }
  return startupMessage(decodePairs(body), minor);
}

function fatal(sqlstate: string, message: string): SqlError {
  return new SqlError(sqlstate, message, { severity: 'FATAL' });
}

/** Names and values, each ended by NUL, the list by one more. */
function decodePairs(body: Buffer): [name: string, value: string][] {
  const pairs: [string, string][] = [];
  let offset = 4;
  while (offset < body.length && body[offset] !== 0) {
    const nameEnd = body.indexOf(0, offset);
    const valueEnd = nameEnd < 0 ? -1 : body.indexOf(0, nameEnd + 1);
    if (valueEnd < 0) break;
    const name = decodeUtf8(body.subarray(offset, nameEnd));
    pairs.push([name, decodeUtf8(body.subarray(nameEnd + 1, valueEnd))]);
    offset = valueEnd + 1;
  }
  if (offset !== body.length - 1) {
    throw fatal(
      PROTOCOL_VIOLATION,
      'invalid startup packet layout: expected terminator as last byte',
    );
  }
  return pairs;
}

function startupMessage(pairs: readonly [string, string][], minor: number): StartupMessage {
  let user = '';
  let database = '';
  const settings = new Map<string, string>();
  const unknownOptions: string[] = [];
  for (const [name, value] of pairs) {
    if (name === 'user') user = value;
    else if (name === 'database') database = value;
    else if (name === 'replication') refuseReplication(value);
    else if (name === 'options')
      for (const [key, set] of decodeOptions(value)) settings.set(key, set);
    else if (name.startsWith('_pq_.')) unknownOptions.push(name);
    else settings.set(name, value);
  }
  if (user === '') throw fatal('28000', 'no PostgreSQL user name specified in startup packet');
  const isNegotiated = minor > 0 || unknownOptions.length > 0;
  database = database === '' ? user : database;
  return { kind: 'startup', user, database, settings, unknownOptions, isNegotiated };
}

function refuseReplication(value: string): void {
  if (/^(false|f|off|no|n|0)$/i.test(value)) return;
  if (/^(true|t|on|yes|y|1|database)$/i.test(value)) {
    throw fatal('0A000', 'replication connections are not supported');
  }
  throw fatal('22023', `invalid value for parameter "replication": "${value}"`);
}

/**
 * `-c name=value`, `-cname=value` and `--name=value`, separated by blanks, a backslash before a
 * blank that belongs in.
 */
export function decodeOptions(options: string): [name: string, value: string][] {
  const words = splitOptions(options);
  const settings: [string, string][] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] as string;
    let assignment: string | undefined;
    if (word === '-c') assignment = words[++i];
    else if (word.startsWith('-c') || word.startsWith('--')) assignment = word.slice(2);
    const match = assignment === undefined ? null : /^([^=]+)=(.*)$/s.exec(assignment);
    if (match === null) {
      throw fatal('42601', `invalid command-line argument for server process: ${word}`);
    }
    settings.push([(match[1] as string).replaceAll('-', '_'), match[2] as string]);
  }
  return settings;
}

function splitOptions(options: string): string[] {
  const words: string[] = [];
  for (const match of options.matchAll(/(?:[^\s\\]|\\[\s\S]|\\$)+/g)) {
    words.push(match[0].replaceAll(/\\([\s\S]?)/g, '$1'));
  }
  return words;
}
