/**
 * Regular expressions on UTF-8 bytes, for the patterns that need no backtracking (functions/regex-simple.ts) and are made of
 * ASCII characters, classes of them, `.`, `\d`, `^` and groups: such a pattern runs over the memory without making strings.
 *
 * Cost: O(length / 4) where a literal that every match has does not occur; else O(length) for a try at one place, and a try
 * only where the pattern's first byte stands.
 */

import { SqlError } from '../../base/sql-error.ts';
import { BoundedCache } from '../functions/bounded-cache.ts';
import { regexOf } from '../functions/regex.ts';
import { isSimpleRegex } from '../functions/regex-simple.ts';
import { ByteSearch } from './find-bytes.ts';

/** Which bytes match; a class that takes characters beyond ASCII takes all of them. */
type ByteSet = Uint8Array;

type Node =
  | { readonly kind: 'literal'; readonly bytes: readonly number[] }
  /** One character of the set, or as many as there are (at least `least`). */
  | {
      readonly kind: 'set';
      readonly set: ByteSet;
      readonly least: number;
      readonly repeats: boolean;
    }
  | { readonly kind: 'start' }
  /** Where the first group begins and ends. */
  | { readonly kind: 'open' }
  | { readonly kind: 'close' }
  | { readonly kind: 'choice'; readonly choices: readonly (readonly Node[])[] };

const OTHER = 0x80;

export class ByteRegex {
  readonly #nodes: readonly Node[];
  readonly #first: ByteSet;
  readonly #canBeEmpty: boolean;
  readonly #needed: Needed | null;
  readonly hasGroup: boolean;
  #textStart = 0;
  #end = 0;
  #groupStart = -1;
  #groupEnd = -1;
  matchStart = 0;
  matchEnd = 0;

  constructor(nodes: readonly Node[], hasGroup: boolean) {
    this.#nodes = nodes;
    this.hasGroup = hasGroup;
    this.#first = new Uint8Array(256);
    this.#canBeEmpty = addFirst(nodes, this.#first);
    this.#needed = neededOf(nodes);
  }

  /** Start of the first group's bytes in the last match; -1: it did not take part. */
  get groupStart(): number {
    return this.#groupStart;
  }

  get groupEnd(): number {
    return this.#groupEnd;
  }

  /** Finds the leftmost match in [from, end). */
  search(u8: Uint8Array, u32: Uint32Array, from: number, end: number): boolean {
    this.#textStart = from;
    this.#end = end;
    const first = this.#first;
    const start = this.#firstPlace(u8, u32, from, end);
    if (start < 0) return false;
    for (let at = start; at < end; at += 1) {
      const byte = u8[at]!;
      if ((first[byte] === 0 && !this.#canBeEmpty) || (byte & 0xc0) === 0x80) continue;
      if (this.#tryAt(u8, at)) return true;
    }
    return this.#canBeEmpty && this.#tryAt(u8, end);
  }

  /** Where a match can begin at the earliest: as far before the first needed literal as it can; -1: nowhere. */
  #firstPlace(u8: Uint8Array, u32: Uint32Array, from: number, end: number): number {
    if (this.#needed === null) return from;
    const at = this.#needed.search.find(u8, u32, from, end);
    return at < 0 ? -1 : Math.max(from, at - this.#needed.before);
  }

  #tryAt(u8: Uint8Array, at: number): boolean {
    this.#groupStart = -1;
    this.#groupEnd = -1;
    const end = this.#sequence(this.#nodes, u8, at);
    this.matchStart = at;
    this.matchEnd = end;
    return end >= 0;
  }

  /** Matches the nodes at `at`: the address behind them, or -1. */
  #sequence(nodes: readonly Node[], u8: Uint8Array, start: number): number {
    let at = start;
    for (let i = 0; i < nodes.length && at >= 0; i += 1) at = this.#node(nodes[i]!, u8, at);
    return at;
  }

  #node(node: Node, u8: Uint8Array, at: number): number {
    switch (node.kind) {
      case 'literal':
        return this.#literal(node.bytes, u8, at);
      case 'start':
        return at === this.#textStart ? at : -1;
      case 'open':
        this.#groupStart = at;
        return at;
      case 'close':
        this.#groupEnd = at;
        return at;
      case 'set':
        return node.repeats
          ? this.#many(node.set, node.least, u8, at)
          : this.#one(node.set, u8, at);
      default:
        return this.#choice(node.choices, u8, at);
    }
  }

  #literal(bytes: readonly number[], u8: Uint8Array, at: number): number {
    if (at + bytes.length > this.#end) return -1;
    for (let i = 0; i < bytes.length; i += 1) if (u8[at + i] !== bytes[i]) return -1;
    return at + bytes.length;
  }

  /** One character: all of its bytes. */
  #one(set: ByteSet, u8: Uint8Array, at: number): number {
    if (at >= this.#end || set[u8[at]!] === 0) return -1;
    let behind = at + 1;
    if (u8[at]! >= OTHER) while (behind < this.#end && (u8[behind]! & 0xc0) === 0x80) behind += 1;
    return behind;
  }

  #many(set: ByteSet, least: number, u8: Uint8Array, at: number): number {
    let behind = at;
    while (behind < this.#end && set[u8[behind]!] === 1) behind += 1;
    return behind - at < least ? -1 : behind;
  }

  /** At most one choice can match: they begin with different characters. */
  #choice(choices: readonly (readonly Node[])[], u8: Uint8Array, at: number): number {
    const groupStart = this.#groupStart;
    const groupEnd = this.#groupEnd;
    for (let i = 0; i < choices.length; i += 1) {
      const nodes = choices[i]!;
      const behind =
        nodes.length === 1 ? this.#node(nodes[0]!, u8, at) : this.#sequence(nodes, u8, at);
      if (behind >= 0) return behind;
      this.#groupStart = groupStart;
      this.#groupEnd = groupEnd;
    }
    return -1;
  }
}

/** A literal that every match has, at most `before` bytes behind its beginning. */
interface Needed {
  readonly search: ByteSearch;
  readonly before: number;
}

function neededOf(nodes: readonly Node[]): Needed | null {
  let before = 0;
  for (const node of nodes) {
    if (node.kind === 'literal') return { search: new ByteSearch(node.bytes), before };
    before += widthMax([node]);
    if (!Number.isFinite(before)) return null;
  }
  return null;
}

const CHARACTER_BYTES_MAX = 4;

/** Bytes that the nodes can match at most. */
function widthMax(nodes: readonly Node[]): number {
  return nodes.reduce((sum, node) => {
    switch (node.kind) {
      case 'literal':
        return sum + node.bytes.length;
      case 'start':
      case 'open':
      case 'close':
        return sum;
      case 'set':
        return sum + (node.repeats ? Number.POSITIVE_INFINITY : CHARACTER_BYTES_MAX);
      default:
        return sum + Math.max(...node.choices.map(widthMax));
    }
  }, 0);
}

/** Adds the bytes that a match can begin with; true: it may be empty. */
function addFirst(nodes: readonly Node[], into: ByteSet): boolean {
  for (const node of nodes) {
    if (node.kind === 'literal') {
      into[node.bytes[0]!] = 1;
      return false;
    }
    if (node.kind === 'set') {
      for (let byte = 0; byte < 256; byte += 1) into[byte]! |= node.set[byte]!;
      if (!node.repeats || node.least > 0) return false;
    } else if (node.kind === 'choice') {
      let canBeEmpty = false;
      for (const choice of node.choices) canBeEmpty = addFirst(choice, into) || canBeEmpty;
      if (!canBeEmpty) return false;
    }
  }
  return true;
}

/** A choice that may be empty always matches: it comes behind the one that begins with what stands there. */
function emptyLast(choices: readonly Node[][]): Node[][] {
  const canBeEmpty = (choice: readonly Node[]): boolean => addFirst(choice, new Uint8Array(256));
  const isFilled = (choice: readonly Node[]): boolean => !canBeEmpty(choice);
  return [...choices.filter(isFilled), ...choices.filter(canBeEmpty)];
}

/** Reads a pattern; methods give null where something is not for bytes. */
class PatternReader {
  readonly #pattern: string;
  #at = 0;
  groupCount = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#pattern.length;
  }

  sequence(): Node[] | null {
    const nodes: Node[] = [];
    for (;;) {
      const char = this.#pattern[this.#at];
      if (char === undefined || char === '|' || char === ')') return nodes;
      if (char === '(') {
        const group = this.#group();
        if (group === null) return null;
        nodes.push(...group);
        continue;
      }
      const node = char === '^' ? this.#anchor() : this.#atom();
      if (node === null) return null;
      const last = nodes.at(-1);
      if (node.kind === 'literal' && last?.kind === 'literal') {
        nodes[nodes.length - 1] = { kind: 'literal', bytes: [...last.bytes, ...node.bytes] };
      } else nodes.push(node);
    }
  }

  #anchor(): Node {
    this.#at += 1;
    return { kind: 'start' };
  }

  #group(): Node[] | null {
    const isCapturing = !this.#pattern.startsWith('(?:', this.#at);
    this.#at += isCapturing ? 1 : 3;
    if (isCapturing) this.groupCount += 1;
    const isFirst = isCapturing && this.groupCount === 1;
    const choices: Node[][] = [];
    for (;;) {
      const choice = this.sequence();
      if (choice === null) return null;
      choices.push(choice);
      const next = this.#pattern[this.#at];
      this.#at += 1;
      if (next === ')') break;
      if (next !== '|') return null;
    }
    const single = choices.length === 1 ? choices[0]! : null;
    const inside: Node[] = single ?? [{ kind: 'choice', choices: emptyLast(choices) }];
    return isFirst ? [{ kind: 'open' }, ...inside, { kind: 'close' }] : inside;
  }

  #atom(): Node | null {
    const set = this.#pattern[this.#at] === '[' ? this.#class() : this.#character();
    if (set === null) return null;
    const quantifier = this.#pattern[this.#at];
    if (quantifier === '*' || quantifier === '+') {
      this.#at += 1;
      return { kind: 'set', set, least: quantifier === '+' ? 1 : 0, repeats: true };
    }
    const only = set.indexOf(1);
    if (set.lastIndexOf(1) === only) return { kind: 'literal', bytes: [only] };
    return { kind: 'set', set, least: 1, repeats: false };
  }

  #character(): ByteSet | null {
    const char = this.#pattern[this.#at]!;
    if (char === '.') {
      this.#at += 1;
      return new Uint8Array(256).fill(1);
    }
    const bytes = this.#member();
    return bytes === null ? null : setOf(bytes, false);
  }

  /** [...] of ASCII characters, ranges and \d. */
  #class(): ByteSet | null {
    this.#at += 1;
    const isNegated = this.#pattern[this.#at] === '^';
    if (isNegated) this.#at += 1;
    const bytes: number[] = [];
    for (let isFirst = true; ; isFirst = false) {
      const char = this.#pattern[this.#at];
      if (char === undefined || char === '[') return null;
      if (char === ']') {
        if (isFirst) return null;
        break;
      }
      const members = this.#member();
      if (members === null) return null;
      bytes.push(...members);
      if (this.#pattern[this.#at] !== '-' || this.#pattern[this.#at + 1] === ']') continue;
      this.#at += 1;
      const last = this.#member();
      if (members.length !== 1 || last?.length !== 1 || last[0]! < members[0]!) return null;
      for (let byte = members[0]!; byte <= last[0]!; byte += 1) bytes.push(byte);
    }
    this.#at += 1;
    return setOf(bytes, isNegated);
  }

  /** One ASCII character, an escaped sign, or the digits of \d. */
  #member(): number[] | null {
    let code = this.#pattern.charCodeAt(this.#at);
    this.#at += 1;
    if (code === 0x5c) {
      const escaped = this.#pattern[this.#at] ?? '';
      this.#at += 1;
      if (escaped === 'd') return Array.from({ length: 10 }, (_, digit) => 0x30 + digit);
      if (!/[.*+?()[\]{}|^$\\/&=-]/.test(escaped)) return null;
      code = escaped.charCodeAt(0);
    }
    return code < OTHER ? [code] : null;
  }
}

function setOf(bytes: readonly number[], isNegated: boolean): ByteSet {
  const set = new Uint8Array(256).fill(isNegated ? 1 : 0);
  for (const byte of bytes) set[byte] = isNegated ? 0 : 1;
  return set;
}

const cache = new BoundedCache<ByteRegex | null>();

/** The pattern for bytes; null: it is not of that kind, or not a valid one. */
export function byteRegexOf(pattern: string): ByteRegex | null {
  return cache.get(pattern, () => {
    if (!isSimpleRegex(pattern) || !isAccepted(pattern)) return null;
    const reader = new PatternReader(pattern);
    const nodes = reader.sequence();
    if (nodes === null || !reader.isAtEnd) return null;
    return new ByteRegex(nodes, reader.groupCount > 0);
  });
}

/** Patterns that are refused are refused by the per-value body, row by row. */
function isAccepted(pattern: string): boolean {
  try {
    regexOf(pattern).first('');
    return true;
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    return false;
  }
}
