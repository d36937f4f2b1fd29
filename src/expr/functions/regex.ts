/**
 * PostgreSQL's regular expressions in linear time, on RE2: leftmost-longest like PostgreSQL's where all quantifiers are
 * greedy, leftmost-first where all are lazy (both compared with PostgreSQL on random patterns). What RE2 has not
 * (back-references, look-around), or where the two would capture differently (repeated groups, greedy mixed with lazy),
 * is 0A000. Patterns that cannot backtrack (see regex-simple.ts) run on JavaScript's engine, which is much faster.
 */

import { RE2JS, RE2JSSyntaxException } from 're2js';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import { BoundedCache } from './bounded-cache.ts';
import { isSimpleRegex } from './regex-simple.ts';

export interface RegexOptions {
  readonly isGlobal: boolean;
  /** RE2's flags. */
  readonly flags: number;
}

export const DEFAULT_FLAGS = RE2JS.DOTALL;
export const INSENSITIVE_FLAGS = RE2JS.DOTALL | RE2JS.CASE_INSENSITIVE;

/** PostgreSQL's option letters. */
export function parseRegexOptions(text: string): RegexOptions {
  let isGlobal = false;
  let flags = DEFAULT_FLAGS;
  for (const letter of text) {
    if (letter === 'g') isGlobal = true;
    else if (letter === 'i') flags |= RE2JS.CASE_INSENSITIVE;
    else if (letter === 'c') flags &= ~RE2JS.CASE_INSENSITIVE;
    else if (letter === 'n' || letter === 'm') flags = (flags | RE2JS.MULTILINE) & ~RE2JS.DOTALL;
    else if (letter === 'p') flags &= ~RE2JS.DOTALL;
    else if (letter === 'w') flags |= RE2JS.MULTILINE;
    else if (letter === 's') flags = (flags & ~RE2JS.MULTILINE) | RE2JS.DOTALL;
    else if (letter !== 'e' && letter !== 't') {
      throw new SqlError('22023', `invalid regular expression option: "${letter}"`);
    }
  }
  return { isGlobal, flags };
}

/** Offsets in UTF-16 units; `groups[0]` is the whole match. */
export interface RegexMatch {
  readonly start: number;
  readonly end: number;
  readonly groups: readonly (string | null)[];
}

/** A compiled pattern. */
export class Regex {
  readonly #pattern: string;
  readonly #existence: RE2JS;
  readonly #fast: RegExp | null;
  readonly #flags: number;
  #searching: RE2JS | undefined;

  constructor(pattern: string, flags: number) {
    this.#pattern = translatePattern(pattern);
    this.#flags = flags;
    this.#existence = compile(this.#pattern, flags);
    this.#fast = flags === DEFAULT_FLAGS ? fastRegex(this.#pattern) : null;
  }

  /** Is there a match? */
  test(text: string): boolean {
    return this.#fast === null ? this.#existence.matcher(text).find() : this.#fast.test(text);
  }

  /** The leftmost match. */
  first(text: string): RegexMatch | null {
    const searching = this.#searcher();
    if (this.#fast !== null) {
      const found = this.#fast.exec(text);
      if (found === null) return null;
      const groups = Array.from(found, (group) => group ?? null);
      return { start: found.index, end: found.index + found[0].length, groups };
    }
    const found = searching.matcher(text);
    return found.find() ? matchOf(found) : null;
  }

  /** All matches from left to right, not overlapping. */
  all(text: string): RegexMatch[] {
    const found = this.#searcher().matcher(text);
    const out: RegexMatch[] = [];
    while (found.find()) out.push(matchOf(found));
    return out;
  }

  /** For matches' bounds and groups; 0A000 where they might not be PostgreSQL's. */
  #searcher(): RE2JS {
    if (this.#searching === undefined) {
      const isLazy = checkPreference(this.#pattern);
      const longest = isLazy ? 0 : RE2JS.LONGEST_MATCH;
      this.#searching = compile(this.#pattern, this.#flags | longest);
    }
    return this.#searching;
  }
}

function matchOf(found: ReturnType<RE2JS['matcher']>): RegexMatch {
  const groups = Array.from({ length: found.groupCount() + 1 }, (_, i) => found.group(i) ?? null);
  return { start: found.start(), end: found.end(), groups };
}

const cache = new BoundedCache<Regex>();

export function regexOf(pattern: string, flags: number = DEFAULT_FLAGS): Regex {
  return cache.get(`${flags}:${pattern}`, () => new Regex(pattern, flags));
}

function compile(pattern: string, flags: number): RE2JS {
  try {
    return RE2JS.compile(pattern, flags);
  } catch (error) {
    if (!(error instanceof RE2JSSyntaxException)) throw error;
    throw new SqlError('2201B', `invalid regular expression: ${regexProblem(error.message)}`);
  }
}

function fastRegex(pattern: string): RegExp | null {
  if (!isSimpleRegex(pattern)) return null;
  try {
    return new RegExp(pattern, 'su');
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** Escapes of PostgreSQL's advanced regular expressions that RE2 writes otherwise; letters are Unicode's. */
const ESCAPES: Readonly<Record<string, string>> = {
  y: '\\b',
  Y: '\\B',
  Z: '\\z',
  w: '[\\p{L}\\p{N}_]',
  W: '[^\\p{L}\\p{N}_]',
};

const CLASSES: Readonly<Record<string, string>> = {
  '[:alpha:]': '\\p{L}',
  '[:alnum:]': '\\p{L}\\p{N}',
  '[:upper:]': '\\p{Lu}',
  '[:lower:]': '\\p{Ll}',
};

const TOKEN = /\\([\s\S])|\[:\w+:\]|[[\]]|\(\?<?[=!]/g;

/** PostgreSQL's pattern in RE2's syntax. */
function translatePattern(pattern: string): string {
  let depth = 0;
  return pattern.replace(TOKEN, (token: string, letter: string | undefined) => {
    if (letter !== undefined) return translateEscape(token, letter, depth > 0);
    if (token.startsWith('(')) {
      if (depth > 0) return token;
      throw notSupported('look-around in a regular expression');
    }
    if (token.startsWith('[:')) return depth > 0 ? (CLASSES[token] ?? token) : token;
    if (token === '[') depth = 1;
    else depth = 0;
    return token;
  });
}

function translateEscape(token: string, letter: string, isInBrackets: boolean): string {
  if (isInBrackets) return letter === 'w' ? '\\p{L}\\p{N}_' : token;
  if (/[1-9]/.test(letter)) throw notSupported('a back-reference in a regular expression');
  if (letter === 'm' || letter === 'M') throw notSupported(`\\${letter} in a regular expression`);
  return ESCAPES[letter] ?? token;
}

/** PostgreSQL's words for what is wrong with a pattern. */
function regexProblem(message: string): string {
  if (/missing closing \)|unexpected \)/.test(message)) return 'parentheses () not balanced';
  if (/missing closing \]/.test(message)) return 'brackets [] not balanced';
  if (/missing argument to repetition|invalid nested repetition|bad repetition/.test(message)) {
    return 'quantifier operand invalid';
  }
  if (/invalid repeat count/.test(message)) return 'invalid repetition count(s)';
  if (/invalid character class range/.test(message)) return 'invalid character range';
  if (/trailing backslash|invalid escape/.test(message)) return 'invalid escape \\ sequence';
  return message;
}

const PARTS =
  /\\[\s\S]|\[\^?\]?(?:\\[\s\S]|\[:\w+:\]|[^\]\\])*\]|\((?:\?[^:)]*:?)?|\)|(?:[*+?]|\{\d+(?:,\d*)?\})\??|[\s\S]/g;

/** Does the pattern prefer short matches? 0A000 where PostgreSQL's choice of match or groups could differ from RE2's. */
function checkPreference(pattern: string): boolean {
  const parts: readonly string[] = pattern.match(PARTS) ?? [];
  const quantifiers = parts.filter((part) => /^([*+?]|\{\d)/.test(part) && !/^\{\d+\}/.test(part));
  const lazy = quantifiers.filter((part) => part.length > 1 && part.endsWith('?'));
  const mixes = lazy.length > 0 && (lazy.length < quantifiers.length || parts.includes('|'));
  if (mixes) throw notSupported('a regular expression that mixes greedy and non-greedy parts');
  refuseRepeatedGroups(parts);
  return lazy.length > 0;
}

/** A capturing group under a repetition: which of its rounds is captured differs. */
function refuseRepeatedGroups(parts: readonly string[]): void {
  const open: { holdsCapture: boolean }[] = [];
  parts.forEach((part, i) => {
    if (part.startsWith('(')) open.push({ holdsCapture: part === '(' });
    if (part !== ')') return;
    const group = open.pop();
    const outer = open.at(-1);
    if (group === undefined) return;
    if (outer !== undefined) outer.holdsCapture ||= group.holdsCapture;
    if (group.holdsCapture && /^([*+]|\{)/.test(parts[i + 1] ?? '')) {
      throw notSupported('a repeated capturing group in a regular expression');
    }
  });
}
