/** Text functions: lengths and positions count characters; results over 1 GB are refused as PostgreSQL does. */

import { SqlError } from '../../base/sql-error.ts';
import type { Value } from '../../types/data-type.ts';
import { TEXT } from '../../types/data-type.ts';
import { formatValue } from '../../types/value.ts';
import {
  type CallContext,
  defineFunction,
  defineGeneral,
  defineGeneralOperator,
  defineOperator,
} from '../registry.ts';
import { charIndex, charLength, sliceChars } from './characters.ts';

const PURE = { canFail: false } as const;
const LENGTH_MAX = 0x3fff_ffff;

function tooLarge(): SqlError {
  return new SqlError('54000', 'requested length too large');
}

/** The value in its type's output form, bpchar without its blanks: what || and concat join. */
export function outputText(value: NonNullable<Value>, index: number, call: CallContext): string {
  if (typeof value === 'string') return value;
  return formatValue(call.argTypes[index] ?? TEXT, value, call.settings);
}

/** As a cast to text: booleans are spelled out. */
function castText(value: NonNullable<Value>, index: number, call: CallContext): string {
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  return outputText(value, index, call);
}

defineOperator('||(text,text)', 'text', (a, b) => a + b, PURE);
defineGeneralOperator(
  '||(text,anynonarray)',
  'text',
  ([a, b], call) => `${a as string}${castText(b!, 1, call)}`,
  { volatility: 'stable', canFail: false },
);
defineGeneralOperator(
  '||(anynonarray,text)',
  'text',
  ([a, b], call) => `${castText(a!, 0, call)}${b as string}`,
  { volatility: 'stable', canFail: false },
);

defineFunction('length(text)', 'int4', charLength, PURE);
defineFunction('length(bpchar)', 'int4', (s) => charLength(trimBlanks(s)), PURE);
defineFunction('char_length(text)', 'int4', charLength, PURE);
defineFunction('char_length(bpchar)', 'int4', (s) => charLength(trimBlanks(s)), PURE);
defineFunction('character_length(text)', 'int4', charLength, PURE);
defineFunction('character_length(bpchar)', 'int4', (s) => charLength(trimBlanks(s)), PURE);
defineFunction('octet_length(text)', 'int4', (s) => Buffer.byteLength(s), PURE);
defineFunction('octet_length(bpchar)', 'int4', (s) => Buffer.byteLength(s), PURE);
defineFunction('bit_length(text)', 'int4', (s) => Buffer.byteLength(s) * 8, PURE);

function trimBlanks(text: string): string {
  return trimEnd(text, ' ');
}

/** The C collation's case mapping would touch ASCII only; like PostgreSQL under UTF-8 locales, all letters are mapped one to one. */
defineFunction('lower(text)', 'text', (s) => mapCase(s, false), PURE);
defineFunction('upper(text)', 'text', (s) => mapCase(s, true), PURE);
defineFunction('initcap(text)', 'text', initcap, PURE);

function mapCase(text: string, isUpper: boolean): string {
  const mapped = isUpper ? text.toUpperCase() : text.toLowerCase();
  if (mapped.length === text.length) return mapped;
  return [...text].map((c) => oneToOne(c, isUpper)).join('');
}

/** Case mappings that change the number of characters are left out. */
function oneToOne(char: string, isUpper: boolean): string {
  const mapped = isUpper ? char.toUpperCase() : char.toLowerCase();
  return [...mapped].length === 1 ? mapped : char;
}

function initcap(text: string): string {
  let inWord = false;
  return [...text]
    .map((char) => {
      const mapped = oneToOne(char, !inWord);
      inWord = /[\p{L}\p{N}]/u.test(char);
      return mapped;
    })
    .join('');
}

/** substring(s, from [, count]): positions before the first character count but give nothing. */
function substring(text: string, from: number, count: number | null): string {
  if (count !== null && count < 0)
    throw new SqlError('22011', 'negative substring length not allowed');
  const end = count === null ? Number.POSITIVE_INFINITY : from + count - 1;
  const start = Math.max(from - 1, 0);
  return end <= start ? '' : sliceChars(text, start, end);
}

for (const name of ['substring', 'substr']) {
  defineFunction(
    `${name as 'substr'}(text,int4)`,
    'text',
    (s, from) => substring(s, from, null),
    PURE,
  );
  defineFunction(`${name as 'substr'}(text,int4,int4)`, 'text', substring);
}

defineFunction('position(text,text)', 'int4', positionOf, PURE);
defineFunction('strpos(text,text)', 'int4', positionOf, PURE);

function positionOf(text: string, part: string): number {
  const offset = text.indexOf(part);
  return offset < 0 ? 0 : charIndex(text, offset) + 1;
}

defineFunction(
  'left(text,int4)',
  'text',
  (s, n) => (n >= 0 ? sliceChars(s, 0, n) : sliceChars(s, 0, Math.max(0, charLength(s) + n))),
  PURE,
);
defineFunction('right(text,int4)', 'text', right, PURE);

function right(text: string, count: number): string {
  const length = charLength(text);
  return sliceChars(text, count >= 0 ? Math.max(0, length - count) : Math.min(length, -count));
}

defineFunction('split_part(text,text,int4)', 'text', splitPart);

function splitPart(text: string, separator: string, field: number): string {
  if (field === 0) throw new SqlError('22023', 'field position must not be zero');
  const parts = text === '' ? [] : separator === '' ? [text] : text.split(separator);
  return parts[field > 0 ? field - 1 : parts.length + field] ?? '';
}

defineFunction(
  'replace(text,text,text)',
  'text',
  (s, from, to) => (from === '' ? s : s.split(from).join(to)),
  PURE,
);

defineFunction('translate(text,text,text)', 'text', translate, PURE);

function translate(text: string, from: string, to: string): string {
  const targets = [...to];
  const map = new Map<string, string>();
  for (const [i, char] of [...from].entries()) if (!map.has(char)) map.set(char, targets[i] ?? '');
  return [...text].map((char) => map.get(char) ?? char).join('');
}

function trimStart(text: string, chars: string): string {
  const set = new Set(chars);
  const all = [...text];
  let start = 0;
  while (start < all.length && set.has(all[start]!)) start += 1;
  return start === 0 ? text : all.slice(start).join('');
}

function trimEnd(text: string, chars: string): string {
  const set = new Set(chars);
  const all = [...text];
  let end = all.length;
  while (end > 0 && set.has(all[end - 1]!)) end -= 1;
  return end === all.length ? text : all.slice(0, end).join('');
}

defineFunction('btrim(text)', 'text', (s) => trimStart(trimEnd(s, ' '), ' '), PURE);
defineFunction('btrim(text,text)', 'text', (s, chars) => trimStart(trimEnd(s, chars), chars), PURE);
defineFunction('ltrim(text)', 'text', (s) => trimStart(s, ' '), PURE);
defineFunction('ltrim(text,text)', 'text', trimStart, PURE);
defineFunction('rtrim(text)', 'text', (s) => trimEnd(s, ' '), PURE);
defineFunction('rtrim(text,text)', 'text', trimEnd, PURE);

/** lpad / rpad: fill with `fill` repeated, or cut to `length` characters. */
function pad(text: string, length: number, fill: string, isLeft: boolean): string {
  const wanted = Math.max(0, length);
  if (wanted > LENGTH_MAX) throw tooLarge();
  const have = charLength(text);
  if (have >= wanted) return sliceChars(text, 0, wanted);
  if (fill === '') return text;
  const unit = [...fill];
  const missing = wanted - have;
  const filling =
    fill.repeat(Math.floor(missing / unit.length)) + unit.slice(0, missing % unit.length).join('');
  return isLeft ? filling + text : text + filling;
}

defineFunction('lpad(text,int4)', 'text', (s, n) => pad(s, n, ' ', true));
defineFunction('lpad(text,int4,text)', 'text', (s, n, fill) => pad(s, n, fill, true));
defineFunction('rpad(text,int4)', 'text', (s, n) => pad(s, n, ' ', false));
defineFunction('rpad(text,int4,text)', 'text', (s, n, fill) => pad(s, n, fill, false));

defineFunction('repeat(text,int4)', 'text', (s, n) => {
  if (n <= 0) return '';
  if (Buffer.byteLength(s) * n > LENGTH_MAX) throw tooLarge();
  return s.repeat(n);
});
defineFunction('reverse(text)', 'text', (s) => [...s].reverse().join(''), PURE);
/** overlay(s placing p from n [for count]). */
function overlay(text: string, part: string, from: number, count: number): string {
  if (from <= 0) throw new SqlError('22011', 'negative substring length not allowed');
  return sliceChars(text, 0, from - 1) + part + sliceChars(text, Math.max(0, from - 1 + count));
}

defineFunction('overlay(text,text,int4)', 'text', (s, p, from) =>
  overlay(s, p, from, charLength(p)),
);
defineFunction('overlay(text,text,int4,int4)', 'text', overlay);
defineFunction('normalize(text)', 'text', (s) => s.normalize('NFC'), PURE);
defineFunction('normalize(text,text)', 'text', (s, form) => {
  const name = form.toUpperCase();
  if (!/^NFK?[CD]$/.test(name)) throw new SqlError('22023', `invalid normalization form: ${form}`);
  return s.normalize(name);
});
defineFunction('starts_with(text,text)', 'bool', (s, prefix) => s.startsWith(prefix), PURE);
defineOperator('^@(text,text)', 'bool', (s, prefix) => s.startsWith(prefix), PURE);

defineFunction('ascii(text)', 'int4', (s) => s.codePointAt(0) ?? 0, PURE);
defineFunction('chr(int4)', 'text', (code) => {
  if (code === 0) throw new SqlError('54000', 'null character not permitted');
  if (code < 0) throw new SqlError('54000', 'character number must be positive');
  if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
    throw new SqlError('54000', `requested character not valid for encoding: ${code}`);
  }
  return String.fromCodePoint(code);
});

defineFunction('to_hex(int4)', 'text', (n) => (n >>> 0).toString(16), PURE);
defineFunction('to_hex(int8)', 'text', (n) => BigInt.asUintN(64, n).toString(16), PURE);

const JOINING = { isStrict: false, canFail: false, volatility: 'stable', variadic: 'any' } as const;

defineGeneral(
  'concat(any)',
  'text',
  (args, call) =>
    args.map((value, i) => (value === null ? '' : outputText(value, i, call))).join(''),
  JOINING,
);
defineGeneral(
  'concat_ws(text,any)',
  'text',
  (args, call) => {
    const separator = args[0];
    if (typeof separator !== 'string') return null;
    return args
      .flatMap((value, i) => (i === 0 || value === null ? [] : [outputText(value, i, call)]))
      .join(separator);
  },
  JOINING,
);
