/** bytea, digests and encodings, quoting. */

import { Buffer } from 'node:buffer';
import { createHash } from 'node:crypto';
import { SqlError } from '../../base/sql-error.ts';
import { encodingError } from '../../types/encoding-error.ts';
import { formatValue } from '../../types/value.ts';
import { defineFunction, defineGeneral, defineOperator } from '../registry.ts';

const PURE = { canFail: false } as const;

const UNICODE_ESCAPE =
  /\\(?:([0-9a-fA-F]{4})|\+([0-9a-fA-F]{6})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(\\|[\s\S]|$))/g;
const ESCAPE_HINT = 'Unicode escapes must be \\XXXX, \\+XXXXXX, \\uXXXX, or \\UXXXXXXXX.';

defineFunction('md5(text)', 'text', (s) => createHash('md5').update(s, 'utf8').digest('hex'), PURE);
defineFunction('md5(bytea)', 'text', (b) => createHash('md5').update(b).digest('hex'), PURE);
for (const bits of [224, 256, 384, 512] as const) {
  defineFunction(
    `sha${bits}(bytea)`,
    'bytea',
    (b) => new Uint8Array(createHash(`sha${bits}`).update(b).digest()),
    PURE,
  );
}

defineFunction('length(bytea)', 'int4', (b) => b.length, PURE);
defineFunction('octet_length(bytea)', 'int4', (b) => b.length, PURE);
defineFunction('bit_length(bytea)', 'int4', (b) => b.length * 8, PURE);
defineOperator('||(bytea,bytea)', 'bytea', (a, b) => new Uint8Array(Buffer.concat([a, b])), PURE);

/** unistr: `\\XXXX`, `\\+XXXXXX`, `\\uXXXX`, `\\UXXXXXXXX` and doubled backslashes. */
defineFunction('unistr(text)', 'text', (text) => {
  const decoded = text.replace(UNICODE_ESCAPE, (_, plain, plus, small, large, other) => {
    if (other === '\\') return '\\';
    const digits = plain ?? plus ?? small ?? large;
    if (digits === undefined)
      throw new SqlError('42601', 'invalid Unicode escape', { hint: ESCAPE_HINT });
    const code = Number.parseInt(digits, 16);
    if (code === 0 || code > 0x10ffff)
      throw new SqlError('22023', `invalid Unicode code point: ${digits}`);
    return code > 0xffff ? String.fromCodePoint(code) : String.fromCharCode(code);
  });
  if (!decoded.isWellFormed()) throw new SqlError('42601', 'invalid Unicode surrogate pair');
  return decoded;
});

function byteSlice(bytes: Uint8Array, from: number, count: number | null): Uint8Array {
  if (count !== null && count < 0)
    throw new SqlError('22011', 'negative substring length not allowed');
  const end = count === null ? bytes.length : Math.max(0, from - 1 + count);
  return bytes.slice(Math.max(0, from - 1), Math.max(0, end));
}

for (const name of ['substring', 'substr'] as const) {
  defineFunction(`${name}(bytea,int4)`, 'bytea', (b, from) => byteSlice(b, from, null));
  defineFunction(`${name}(bytea,int4,int4)`, 'bytea', byteSlice);
}
defineFunction(
  'position(bytea,bytea)',
  'int4',
  (b, part) => Buffer.from(b).indexOf(part) + 1,
  PURE,
);

function checkedIndex(bytes: Uint8Array, index: number): number {
  if (index >= 0 && index < bytes.length) return index;
  throw new SqlError('2202E', `index ${index} out of valid range, 0..${bytes.length - 1}`);
}

defineFunction('get_byte(bytea,int4)', 'int4', (b, index) => b[checkedIndex(b, index)]!);
defineFunction('set_byte(bytea,int4,int4)', 'bytea', (b, index, value) => {
  const copy = b.slice();
  copy[checkedIndex(b, index)] = value & 0xff;
  return copy;
});

/** Names of encodings as PostgreSQL takes them: case, blanks and signs do not count. */
const ENCODINGS: Readonly<Record<string, 'utf8' | 'latin1'>> = {
  utf8: 'utf8',
  unicode: 'utf8',
  latin1: 'latin1',
  iso88591: 'latin1',
};

function encodingOf(name: string, what: 'source' | 'destination'): 'utf8' | 'latin1' {
  const encoding = ENCODINGS[name.toLowerCase().replace(/[^a-z0-9]/g, '')];
  if (encoding !== undefined) return encoding;
  throw new SqlError('22023', `invalid ${what} encoding name "${name}"`, {
    hint: 'UTF8 and LATIN1 are there.',
  });
}

defineFunction('convert_from(bytea,name)', 'text', (bytes, name) => {
  const encoding = encodingOf(name, 'source');
  const buffer = Buffer.from(bytes);
  const error = encoding === 'utf8' ? encodingError(buffer, 0, buffer.length) : zeroByte(buffer);
  if (error !== null) throw error;
  return buffer.toString(encoding);
});
defineFunction('convert_to(text,name)', 'bytea', (text, name) => {
  const encoding = encodingOf(name, 'destination');
  const foreign = encoding === 'latin1' ? /[^\0-\u00ff]/u.exec(text)?.[0] : undefined;
  if (foreign === undefined) return new Uint8Array(Buffer.from(text, encoding));
  const bytes = [...Buffer.from(foreign)].map((byte) => `0x${byte.toString(16)}`).join(' ');
  throw new SqlError(
    '22P05',
    `character with byte sequence ${bytes} in encoding "UTF8" has no equivalent in encoding "LATIN1"`,
  );
});

function zeroByte(buffer: Buffer): SqlError | null {
  return buffer.includes(0)
    ? new SqlError('22021', 'invalid byte sequence for encoding "LATIN1": 0x00')
    : null;
}

defineFunction('encode(bytea,text)', 'text', (bytes, format) => {
  switch (format.toLowerCase()) {
    case 'hex':
      return Buffer.from(bytes).toString('hex');
    case 'base64':
      return Buffer.from(bytes)
        .toString('base64')
        .replace(/(.{76})(?=.)/g, '$1\n');
    case 'escape':
      return escapeBytes(bytes);
    default:
      throw unknownEncoding(format);
  }
});

defineFunction('decode(text,text)', 'bytea', (text, format) => {
  switch (format.toLowerCase()) {
    case 'hex':
      return decodeHex(text);
    case 'base64':
      return decodeBase64(text);
    case 'escape':
      return decodeEscape(text);
    default:
      throw unknownEncoding(format);
  }
});

function unknownEncoding(format: string): SqlError {
  return new SqlError('22023', `unrecognized encoding: "${format}"`);
}

function escapeBytes(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) {
    if (byte === 0 || byte >= 0x80) out += `\\${byte.toString(8).padStart(3, '0')}`;
    else out += byte === 0x5c ? '\\\\' : String.fromCharCode(byte);
  }
  return out;
}

function decodeHex(text: string): Uint8Array {
  const digits = text.replace(/[\s]/g, '');
  const bad = /[^0-9a-fA-F]/.exec(digits);
  if (bad !== null) throw new SqlError('22023', `invalid hexadecimal digit: "${bad[0]}"`);
  if (digits.length % 2 === 1)
    throw new SqlError('22023', 'invalid hexadecimal data: odd number of digits');
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

function decodeBase64(text: string): Uint8Array {
  const digits = text.replace(/[\s]/g, '');
  const bad = /[^0-9a-zA-Z+/=]/.exec(digits);
  if (bad !== null)
    throw new SqlError('22023', `invalid symbol "${bad[0]}" found while decoding base64 sequence`);
  if (digits.length % 4 !== 0 || /=[^=]|={3}/.test(digits)) {
    throw new SqlError('22023', 'invalid base64 end sequence', {
      hint: 'Input data is missing padding, is truncated, or is otherwise corrupted.',
    });
  }
  return new Uint8Array(Buffer.from(digits, 'base64'));
}

function decodeEscape(text: string): Uint8Array {
  const source = Buffer.from(text, 'utf8');
  const out: number[] = [];
  for (let i = 0; i < source.length; i += 1) {
    const byte = source[i]!;
    if (byte !== 0x5c) {
      out.push(byte);
      continue;
    }
    const octal = /^[0-3][0-7]{2}/.exec(source.toString('latin1', i + 1, i + 4));
    if (octal !== null) {
      out.push(Number.parseInt(octal[0], 8));
      i += 3;
    } else if (source[i + 1] === 0x5c) {
      out.push(0x5c);
      i += 1;
    } else {
      throw new SqlError('22P02', 'invalid input syntax for type bytea');
    }
  }
  return Uint8Array.from(out);
}

/** Words that must be quoted as identifiers: PostgreSQL's reserved, type/function and column-name keywords. */
const KEYWORDS = new Set(
  (
    'all analyse analyze and any array as asc asymmetric both case cast check collate column constraint create ' +
    'current_catalog current_date current_role current_time current_timestamp current_user default deferrable desc ' +
    'distinct do else end except false fetch for foreign from grant group having in initially intersect into lateral ' +
    'leading limit localtime localtimestamp not null offset on only or order placing primary references returning ' +
    'select session_user some symmetric table then to trailing true union unique user using variadic when where window ' +
    'with authorization binary collation concurrently cross current_schema freeze full ilike inner is isnull join left ' +
    'like natural notnull outer overlaps right similar tablesample verbose between bigint bit boolean char character ' +
    'coalesce dec decimal exists extract float greatest grouping inout int integer interval least national nchar none ' +
    'normalize nullif numeric out overlay position precision real row setof smallint substring time timestamp treat ' +
    'trim values varchar xmlattributes xmlconcat xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot ' +
    'xmlserialize xmltable'
  ).split(' '),
);

/** An identifier quoted where it needs to be. */
export function quoteIdentifier(name: string): string {
  if (/^[a-z_][a-z0-9_]*$/.test(name) && !KEYWORDS.has(name)) return name;
  return `"${name.replaceAll('"', '""')}"`;
}

export function quoteLiteral(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}`.trimStart() : quoted;
}

defineFunction('quote_ident(text)', 'text', quoteIdentifier, PURE);
defineFunction('quote_literal(text)', 'text', quoteLiteral, PURE);
defineGeneral(
  'quote_literal(anyelement)',
  'text',
  ([value], call) => quoteLiteral(formatValue(call.argTypes[0]!, value!, call.settings)),
  { volatility: 'stable', canFail: false },
);
defineGeneral(
  'quote_nullable(text)',
  'text',
  ([value]) => (value === null ? 'NULL' : quoteLiteral(value as string)),
  { isStrict: false, canFail: false },
);
