/**
 * json and jsonb: validation, jsonb's canonical text (keys by length then bytes, last duplicate wins, numbers as numeric prints
 * them, `, ` and `: `), order. Numbers are exact decimals. Costs are linear in the text.
 */

import { Buffer } from 'node:buffer';
import { SqlError } from '../base/sql-error.ts';
import { Decimal } from './decimal.ts';

export type JsonNode = null | boolean | string | Decimal | readonly JsonNode[] | JsonObject;

/** An object's members in jsonb's order, without duplicates. */
export class JsonObject {
  readonly members: readonly (readonly [string, JsonNode])[];
  constructor(members: readonly (readonly [string, JsonNode])[]) {
    this.members = members;
  }
  /** The member's value; undefined: none. O(members). */
  get(key: string): JsonNode | undefined {
    return this.members.find(([name]) => name === key)?.[1];
  }
}

const DEPTH_MAX = 3000;

function invalid(detail: string): SqlError {
  return new SqlError('22P02', 'invalid input syntax for type json', { detail });
}

const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.+-]))|(true|false|null)(?![\w]))/y;
const SPACE = /[ \t\n\r]*/y;

type TokenKind = '{' | '}' | '[' | ']' | ',' | ':' | 'string' | 'number' | 'word' | 'end';

class JsonReader {
  readonly #text: string;
  readonly #isJsonb: boolean;
  #kind: TokenKind = 'end';
  #token = '';
  #at = 0;
  #depth = 0;

  constructor(text: string, isJsonb: boolean) {
    this.#text = text;
    this.#isJsonb = isJsonb;
  }

  read(): JsonNode {
    this.#advance();
    const node = this.#value('value');
    if (this.#kind !== 'end') throw invalid(`Expected end of input, but found "${this.#token}".`);
    return node;
  }

  #advance(): void {
    TOKEN.lastIndex = this.#at;
    const match = TOKEN.exec(this.#text);
    if (match === null) {
      SPACE.lastIndex = this.#at;
      SPACE.exec(this.#text);
      if (SPACE.lastIndex < this.#text.length) throw this.#badToken(SPACE.lastIndex);
      this.#kind = 'end';
      this.#token = '';
      return;
    }
    this.#at = TOKEN.lastIndex;
    this.#token = match[1] ?? match[2] ?? match[3] ?? match[4]!;
    this.#kind =
      match[1] !== undefined
        ? (match[1] as TokenKind)
        : match[2] !== undefined
          ? 'string'
          : match[3] !== undefined
            ? 'number'
            : 'word';
  }

  #is(kind: TokenKind): boolean {
    return this.#kind === kind;
  }

  #unexpected(expected: string): SqlError {
    if (this.#kind === 'end') return invalid('The input string ended unexpectedly.');
    return invalid(`Expected ${expected}, but found "${this.#token}".`);
  }

  #badToken(at: number): SqlError {
    if (this.#text[at] === '"') return badString(this.#text, at);
    const token =
      /^[-+.\w\u0080-\uffff]+/.exec(this.#text.slice(at, at + 1000))?.[0] ?? this.#text[at]!;
    return invalid(`Token "${token}" is invalid.`);
  }

  #value(role: 'value' | 'element'): JsonNode {
    const token = this.#token;
    switch (this.#kind) {
      case 'string': {
        const value = this.#string(token);
        this.#advance();
        return value;
      }
      case 'number':
        this.#advance();
        return Decimal.parse(token);
      case 'word':
        this.#advance();
        return token === 'null' ? null : token === 'true';
      case '{':
        return this.#nested(() => this.#object());
      case '[':
        return this.#nested(() => this.#array());
      default:
        throw this.#unexpected(role === 'element' ? 'array element or "]"' : 'JSON value');
    }
  }

  #nested<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > DEPTH_MAX) throw new SqlError('54001', 'stack depth limit exceeded');
    this.#advance();
    const result = read();
    this.#depth -= 1;
    return result;
  }

  #string(token: string): string {
    const value: string = token.includes('\\') ? JSON.parse(token) : token.slice(1, -1);
    if (token.includes('\\u')) checkEscapes(token, this.#isJsonb);
    return value;
  }

  #array(): readonly JsonNode[] {
    const items: JsonNode[] = [];
    if (this.#is(']')) {
      this.#advance();
      return items;
    }
    items.push(this.#value('element'));
    while (this.#is(',')) {
      this.#advance();
      items.push(this.#value('value'));
    }
    if (!this.#is(']')) throw this.#unexpected('"," or "]"');
    this.#advance();
    return items;
  }

  #object(): JsonObject {
    const members = new Map<string, JsonNode>();
    if (this.#is('}')) {
      this.#advance();
      return new JsonObject([]);
    }
    for (;;) {
      if (!this.#is('string')) {
        throw this.#unexpected(members.size === 0 ? 'string or "}"' : 'string');
      }
      const key = this.#string(this.#token);
      this.#advance();
      if (!this.#is(':')) throw this.#unexpected('":"');
      this.#advance();
      members.set(key, this.#value('value'));
      if (this.#is(',')) {
        this.#advance();
        continue;
      }
      if (!this.#is('}')) throw this.#unexpected('"," or "}"');
      this.#advance();
      return new JsonObject([...members].sort(([a], [b]) => compareKeys(a, b)));
    }
  }
}

/** Surrogates in \u escapes must be pairs; \u0000 has no text (json keeps it, jsonb cannot). */
function checkEscapes(token: string, isJsonb: boolean): void {
  let isHigh = false;
  for (const match of token.matchAll(/\\(?:u([0-9a-fA-F]{4})|.)|[^\\]/gs)) {
    const code = match[1] === undefined ? -1 : Number.parseInt(match[1], 16);
    const isLow = code >= 0xdc00 && code < 0xe000;
    if (isHigh && code >= 0xd800 && code < 0xdc00) {
      throw invalid('Unicode high surrogate must not follow a high surrogate.');
    }
    if (isHigh !== isLow) throw invalid('Unicode low surrogate must follow a high surrogate.');
    isHigh = code >= 0xd800 && code < 0xdc00;
    if (code === 0 && isJsonb) {
      throw new SqlError('22P05', 'unsupported Unicode escape sequence', {
        detail: '\\u0000 cannot be converted to text.',
      });
    }
  }
}

function badString(text: string, start: number): SqlError {
  for (let i = start + 1; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (text[i] === '"') break;
    if (code < 0x20) {
      return invalid(
        `Character with value 0x${code.toString(16).padStart(2, '0')} must be escaped.`,
      );
    }
    if (text[i] !== '\\') continue;
    i += 1;
    if (text[i] === undefined) break;
    if (text[i] === 'u') {
      if (!/^[0-9a-fA-F]{4}/.test(text.slice(i + 1, i + 5))) {
        return invalid('"\\u" must be followed by four hexadecimal digits.');
      }
    } else if (!'"\\/bfnrt'.includes(text[i]!)) {
      return invalid(
        `Escape sequence "\\${String.fromCodePoint(text.codePointAt(i)!)}" is invalid.`,
      );
    }
  }
  return invalid(`Token "${text.slice(start)}" is invalid.`);
}

/** Length of the UTF-8 bytes, then their order. */
function compareKeys(a: string, b: string): number {
  return Buffer.byteLength(a) - Buffer.byteLength(b) || compareBytes(a, b);
}

function compareBytes(a: string, b: string): number {
  if (a === b) return 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** Parses JSON; 22P02 with PostgreSQL's detail. */
export function parseJson(text: string): JsonNode {
  return new JsonReader(text, true).read();
}

/** json_in: the text itself, once it is valid. */
export function checkJson(text: string): string {
  new JsonReader(text, false).read();
  return text;
}

/** jsonb_in's canonical text; with `isNormal` equal numbers (1, 1.0) become the same text too. */
export function canonicalJsonb(text: string, isNormal = false): string {
  return jsonText(parseJson(text), isNormal);
}

/** The canonical text of a node. */
export function jsonText(node: JsonNode, isNormal = false): string {
  if (node === null) return 'null';
  if (typeof node === 'boolean') return node ? 'true' : 'false';
  if (typeof node === 'string') return quoteJson(node);
  if (node instanceof Decimal) return (isNormal ? node.normalize() : node).toString();
  if (node instanceof JsonObject) {
    const parts = node.members.map(
      ([key, value]) => `${quoteJson(key)}: ${jsonText(value, isNormal)}`,
    );
    return `{${parts.join(', ')}}`;
  }
  return `[${node.map((item) => jsonText(item, isNormal)).join(', ')}]`;
}

const PLAIN = /^[^"\\\u0000-\u001f]*$/;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
};

/** escape_json. */
export function quoteJson(text: string): string {
  if (PLAIN.test(text)) return `"${text}"`;
  const escaped = text.replace(
    /["\\\u0000-\u001f]/g,
    (c) => ESCAPES[c] ?? `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `"${escaped}"`;
}

/** Order of jsonb: null < string < number < boolean < array < object; an empty top-level array before all scalars. */
export function compareJsonb(a: string, b: string): number {
  if (a === b) return 0;
  const x = parseJson(a);
  const y = parseJson(b);
  // PostgreSQL keeps a top-level scalar as an array of one: only [] is shorter.
  const xEmpty = Array.isArray(x) && x.length === 0;
  const yEmpty = Array.isArray(y) && y.length === 0;
  if (xEmpty && rank(y) < 4) return -1;
  if (yEmpty && rank(x) < 4) return 1;
  return compareNodes(x, y);
}

function rank(node: JsonNode): number {
  if (node === null) return 0;
  if (typeof node === 'string') return 1;
  if (node instanceof Decimal) return 2;
  if (typeof node === 'boolean') return 3;
  return node instanceof JsonObject ? 5 : 4;
}

function compareNodes(a: JsonNode, b: JsonNode): number {
  const order = rank(a) - rank(b);
  if (order !== 0 || a === null) return order;
  if (typeof a === 'string') return compareBytes(a, b as string);
  if (typeof a === 'boolean') return Number(a) - Number(b);
  if (a instanceof Decimal) return a.compare(b as Decimal);
  if (a instanceof JsonObject) return compareObjects(a, b as JsonObject);
  const other = b as readonly JsonNode[];
  if (a.length !== other.length) return a.length - other.length;
  for (let i = 0; i < a.length; i += 1) {
    const items = compareNodes(a[i]!, other[i]!);
    if (items !== 0) return items;
  }
  return 0;
}

function compareObjects(a: JsonObject, b: JsonObject): number {
  if (a.members.length !== b.members.length) return a.members.length - b.members.length;
  for (let i = 0; i < a.members.length; i += 1) {
    const [aKey, aValue] = a.members[i]!;
    const [bKey, bValue] = b.members[i]!;
    const order = compareBytes(aKey, bKey) || compareNodes(aValue, bValue);
    if (order !== 0) return order;
  }
  return 0;
}
