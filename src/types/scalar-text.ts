/** Input and output of the plain types: bool, integers, oid, uuid, bytea, and lengths of varchar and char. */

import { Buffer } from 'node:buffer';
import { SqlError } from '../base/sql-error.ts';
import type { DataType } from './data-type.ts';

const BLANKS = /^[ \t\n\v\f\r]+|[ \t\n\v\f\r]+$/g;
const INTEGER = /^[ \t\n\v\f\r]*([+-]?)(\d+)[ \t\n\v\f\r]*$/;

function invalid(typeName: string, text: string): SqlError {
  return new SqlError('22P02', `invalid input syntax for type ${typeName}: "${text}"`);
}

function outOfRange(text: string, typeName: string): SqlError {
  return new SqlError('22003', `value "${text}" is out of range for type ${typeName}`);
}

/** Any unique beginning of true, false, yes, no; on, off (of), 1, 0. */
export function parseBool(text: string): boolean {
  const word = text.replace(BLANKS, '').toLowerCase();
  if (word !== '') {
    if (word === '1' || word === 'on' || 'true'.startsWith(word) || 'yes'.startsWith(word))
      return true;
    if (word === '0' || word === 'off' || word === 'of') return false;
    if ('false'.startsWith(word) || 'no'.startsWith(word)) return false;
  }
  throw invalid('boolean', text);
}

export function parseInt2(text: string): number {
  return parseSmall(text, 'smallint', 16);
}

export function parseInt4(text: string): number {
  return parseSmall(text, 'integer', 32);
}

function parseSmall(text: string, typeName: string, bits: 16 | 32): number {
  const match = INTEGER.exec(text);
  if (match === null) throw invalid(typeName, text);
  const value = match[1] === '-' ? -Number(match[2]) : Number(match[2]);
  const limit = 2 ** (bits - 1);
  if (value < -limit || value >= limit) throw outOfRange(text, typeName);
  return value + 0;
}

export function parseInt8(text: string): bigint {
  const match = INTEGER.exec(text);
  if (match === null) throw invalid('bigint', text);
  const value = BigInt(match[1] === '-' ? `-${match[2]}` : match[2]!);
  if (BigInt.asIntN(64, value) !== value) throw outOfRange(text, 'bigint');
  return value;
}

/** oid, xid: unsigned 32 bits; a negative number wraps as in PostgreSQL. */
export function parseOid(text: string, typeName = 'oid'): bigint {
  const match = INTEGER.exec(text);
  if (match === null) throw invalid(typeName, text);
  const value = BigInt(match[1] === '-' ? `-${match[2]}` : match[2]!);
  if (value > 0xffff_ffffn || value < -0x8000_0000n) throw outOfRange(text, typeName);
  return BigInt.asUintN(32, value);
}

const UUID = /^(\{)?([0-9a-f]{4}(?:-?[0-9a-f]{4}){7})(\})?$/i;

/** Lower case with hyphens. */
export function parseUuid(text: string): string {
  const match = UUID.exec(text);
  if (match === null || (match[1] === undefined) !== (match[3] === undefined)) {
    throw invalid('uuid', text);
  }
  const hex = match[2]!.replaceAll('-', '').toLowerCase();
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

export function uuidBytes(text: string): Uint8Array {
  const buffer = Buffer.from(text.replaceAll('-', ''), 'hex');
  return new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length);
}

export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

/** `\x...` or the escape form. */
export function parseBytea(text: string): Uint8Array {
  return text.startsWith('\\x') ? parseHex(text.slice(2)) : parseEscaped(text);
}

function parseHex(text: string): Uint8Array {
  // It stops at what is no digit: then white space or an error is among them.
  const plain = Buffer.from(text, 'hex');
  if (2 * plain.length === text.length) return new Uint8Array(plain);
  const bytes = new Uint8Array(text.length >> 1);
  let count = 0;
  for (let i = 0; i < text.length; i += 1) {
    if (/[ \t\n\r]/.test(text[i]!)) continue;
    const high = hexDigit(text, i);
    i += 1;
    if (i >= text.length) {
      throw new SqlError('22023', 'invalid hexadecimal data: odd number of digits');
    }
    bytes[count] = high * 16 + hexDigit(text, i);
    count += 1;
  }
  return bytes.slice(0, count);
}

function hexDigit(text: string, index: number): number {
  const digit = '0123456789abcdef'.indexOf(text[index]!.toLowerCase());
  if (digit === -1) {
    const c = String.fromCodePoint(text.codePointAt(index)!);
    throw new SqlError('22023', `invalid hexadecimal digit: "${c}"`);
  }
  return digit;
}

function parseEscaped(text: string): Uint8Array {
  const source = Buffer.from(text, 'utf8');
  const bytes = new Uint8Array(source.length);
  let count = 0;
  for (let i = 0; i < source.length; i += 1) {
    if (source[i] !== 0x5c) {
      bytes[count++] = source[i]!;
    } else if (source[i + 1] === 0x5c) {
      bytes[count++] = 0x5c;
      i += 1;
    } else {
      const octal = /^[0-3][0-7][0-7]/.exec(source.toString('latin1', i + 1, i + 4));
      if (octal === null) throw new SqlError('22P02', 'invalid input syntax for type bytea');
      bytes[count++] = Number.parseInt(octal[0], 8);
      i += 3;
    }
  }
  return bytes.slice(0, count);
}

export function formatBytea(bytes: Uint8Array, output: 'hex' | 'escape'): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (output === 'hex') return `\\x${buffer.toString('hex')}`;
  let text = '';
  for (const byte of bytes) {
    if (byte === 0x5c) text += '\\\\';
    else if (byte < 0x20 || byte > 0x7e) text += `\\${byte.toString(8).padStart(3, '0')}`;
    else text += String.fromCharCode(byte);
  }
  return text;
}

/** Text that PostgreSQL can store: no NUL; 22021. */
export function checkText(text: string): string {
  if (text.includes('\0')) {
    throw new SqlError('22021', 'invalid byte sequence for encoding "UTF8": 0x00');
  }
  return text;
}

/** Characters (code points) of `text`. */
export function characterCount(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code >= 0xd800 && code < 0xdc00) count -= 1;
  }
  return count;
}

/** varchar(n) and char(n): 22001 where more than blanks would be cut; an explicit cast cuts silently. char pads. */
export function applyLength(type: DataType, text: string, isExplicit: boolean): string {
  if (type.typmod < 4) return text;
  const limit = type.typmod - 4;
  const isChar = type.id === 'bpchar';
  const count = text.length <= limit ? characterCount(text) : characterCount(text);
  if (count <= limit) return isChar ? text + ' '.repeat(limit - count) : text;
  const kept = [...text].slice(0, limit).join('');
  if (!isExplicit && /[^ ]/.test(text.slice(kept.length))) {
    const name = isChar ? 'character' : 'character varying';
    throw new SqlError('22001', `value too long for type ${name}(${limit})`);
  }
  return kept;
}

/** name: 63 bytes of UTF-8 at most, cut at a character. */
export function truncateName(text: string): string {
  if (text.length * 3 <= 63 || Buffer.byteLength(text) <= 63) return text;
  let kept = '';
  let size = 0;
  for (const c of text) {
    size += Buffer.byteLength(c);
    if (size > 63) return kept;
    kept += c;
  }
  return kept;
}

/** "char": one byte; `\ooo` for a byte that is not ASCII. */
export function parseSingleChar(text: string): string {
  return text === '' ? '' : Buffer.from(text, 'utf8').toString('latin1', 0, 1);
}
