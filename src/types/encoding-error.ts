/** Bytes that are no text, as PostgreSQL tells of them. */

import { isUtf8 } from 'node:buffer';
import { SqlError } from '../base/sql-error.ts';

/** The error for a text with a zero byte or bytes that are not UTF-8; null: it is well. */
export function encodingError(bytes: Buffer, start: number, end: number): SqlError | null {
  const text = bytes.subarray(start, end);
  const zero = text.indexOf(0);
  if (zero >= 0) return invalidSequence('0x00');
  if (isUtf8(text)) return null;
  return invalidSequence(firstInvalid(text));
}

function invalidSequence(what: string): SqlError {
  return new SqlError('22021', `invalid byte sequence for encoding "UTF8": ${what}`);
}

/** The first bytes that are no character, as PostgreSQL shows them. */
function firstInvalid(text: Buffer): string {
  for (let at = 0; at < text.length; ) {
    const length = characterLength(text[at]!);
    const one = text.subarray(at, at + length);
    if (one.length < length || !isUtf8(one)) {
      return [...one].map((byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(' ');
    }
    at += length;
  }
  return '';
}

function characterLength(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}
