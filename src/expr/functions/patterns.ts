/**
 * LIKE, ILIKE and regular expressions, all in linear time: regular expressions run on RE2, which has no back-references
 * and no look-around (0A000). Compiled patterns are kept in a bounded cache.
 */

import { RE2JS, RE2JSSyntaxException } from 're2js';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import { ArrayValue } from '../../types/array.ts';
import { defineFunction, defineOperator } from '../registry.ts';
import { charIndex } from './characters.ts';

const CACHE_SIZE_MAX = 256;

/** A map that forgets its oldest entries. O(1). */
class BoundedCache<T> {
  readonly #entries = new Map<string, T>();

  get(key: string, make: () => T): T {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const made = make();
    if (this.#entries.size >= CACHE_SIZE_MAX) {
      for (const oldest of this.#entries.keys()) {
        this.#entries.delete(oldest);
        break;
      }
    }
    this.#entries.set(key, made);
    return made;
  }
}

type Matcher = (text: string) => boolean;

const likeCache = new BoundedCache<Matcher>();

/** `bad`: an escape character at the pattern's end, an error once a character of the text comes to it. */
type LikePart =
  | { readonly kind: 'any' }
  | { readonly kind: 'bad' }
  | { readonly kind: 'one' }
  | { readonly kind: 'char'; readonly char: string };

function likeParts(pattern: string, escapeChar: string): readonly LikePart[] {
  const parts: LikePart[] = [];
  const chars = [...pattern];
  for (let i = 0; i < chars.length; i += 1) {
    const char = chars[i]!;
    if (escapeChar !== '' && char === escapeChar) {
      i += 1;
      const char = chars[i];
      parts.push(char === undefined ? { kind: 'bad' } : { kind: 'char', char });
    } else if (char === '%') {
      if (parts.at(-1)?.kind !== 'any') parts.push({ kind: 'any' });
    } else {
      parts.push(char === '_' ? { kind: 'one' } : { kind: 'char', char });
    }
  }
  return parts;
}

/** LIKE's matcher: plain cases by string search, the rest greedily between the `%`, O(text x pattern) at worst. */
function likeMatcher(pattern: string, escapeChar: string): Matcher {
  const parts = likeParts(pattern, escapeChar);
  if (!parts.some((part) => part.kind === 'one' || part.kind === 'bad'))
    return searchMatcher(parts);
  return (text) => matchParts([...text], parts);
}

/** Without `_`: literals between `%`, each found as early as possible. */
function searchMatcher(parts: readonly LikePart[]): Matcher {
  const segments: string[] = [''];
  for (const part of parts) {
    if (part.kind === 'any') segments.push('');
    else if (part.kind === 'char') segments[segments.length - 1] += part.char;
  }
  const first = segments[0]!;
  const last = segments.at(-1)!;
  if (segments.length === 1) return (text) => text === first;
  const middle = segments.slice(1, -1);
  return (text) => {
    if (!text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    const end = text.length - last.length;
    for (const segment of middle) {
      const found = text.indexOf(segment, at);
      if (found < 0) return false;
      at = found + segment.length;
    }
    return at <= end;
  };
}

function matchParts(text: readonly string[], parts: readonly LikePart[]): boolean {
  let t = 0;
  let p = 0;
  let starAt = -1;
  let starText = 0;
  while (t < text.length) {
    const part = parts[p];
    if (part !== undefined && part.kind === 'any') {
      starAt = p;
      starText = t;
      p += 1;
    } else if (part?.kind === 'bad') {
      throw new SqlError('22025', 'LIKE pattern must not end with escape character');
    } else if (part !== undefined && (part.kind === 'one' || part.char === text[t])) {
      p += 1;
      t += 1;
    } else if (starAt >= 0) {
      starText += 1;
      t = starText;
      p = starAt + 1;
    } else {
      return false;
    }
  }
  while (parts[p]?.kind === 'any') p += 1;
  return p === parts.length;
}

function checkedEscape(escapeChar: string): string {
  if ([...escapeChar].length > 1) {
    throw new SqlError('22025', 'invalid escape string', {
      hint: 'Escape string must be empty or one character.',
    });
  }
  return escapeChar;
}

function like(text: string, pattern: string, escapeChar = '\\'): boolean {
  const key = `${escapeChar.length}${escapeChar}${pattern}`;
  return likeCache.get(key, () => likeMatcher(pattern, checkedEscape(escapeChar)))(text);
}

function ilike(text: string, pattern: string, escapeChar = '\\'): boolean {
  return like(text.toLowerCase(), pattern.toLowerCase(), escapeChar.toLowerCase());
}

defineOperator('~~(text,text)', 'bool', (s, p) => like(s, p));
defineOperator('!~~(text,text)', 'bool', (s, p) => !like(s, p));
defineOperator('~~*(text,text)', 'bool', (s, p) => ilike(s, p));
defineOperator('!~~*(text,text)', 'bool', (s, p) => !ilike(s, p));
defineOperator('~~(bpchar,text)', 'bool', (s, p) => like(s, p));
defineOperator('!~~(bpchar,text)', 'bool', (s, p) => !like(s, p));
defineOperator('~~*(bpchar,text)', 'bool', (s, p) => ilike(s, p));
defineOperator('!~~*(bpchar,text)', 'bool', (s, p) => !ilike(s, p));
defineFunction('like(text,text)', 'bool', (s, p) => like(s, p));
defineFunction('notlike(text,text)', 'bool', (s, p) => !like(s, p));

/** `x LIKE p ESCAPE e` is bound to `x ~~ like_escape(p, e)`: the pattern with backslash as its escape. */
defineFunction('like_escape(text,text)', 'text', likeEscape);

function likeEscape(pattern: string, escapeChar: string): string {
  checkedEscape(escapeChar);
  if (escapeChar === '\\') return pattern;
  if (escapeChar === '') return pattern.replaceAll('\\', '\\\\');
  let out = '';
  let isEscaped = false;
  for (const char of pattern) {
    if (char === escapeChar && !isEscaped) {
      out += '\\';
      isEscaped = true;
    } else {
      out += char === '\\' && !isEscaped ? '\\\\' : char;
      isEscaped = false;
    }
  }
  return out;
}

/** SIMILAR TO's pattern as a regular expression that matches the whole text. */
defineFunction('similar_to_escape(text)', 'text', (pattern) => similarPattern(pattern, '\\'));
defineFunction('similar_to_escape(text,text)', 'text', (pattern, escapeChar) =>
  similarPattern(pattern, checkedEscape(escapeChar)),
);

function similarPattern(pattern: string, escapeChar: string): string {
  let out = '';
  let isEscaped = false;
  let isInBrackets = false;
  for (const char of pattern) {
    if (isEscaped) {
      out += /[a-zA-Z0-9]/.test(char) ? char : `\\${char}`;
      isEscaped = false;
    } else if (char === escapeChar) {
      isEscaped = true;
    } else if (isInBrackets) {
      if (char === ']') isInBrackets = false;
      out += char === '\\' ? '\\\\' : char;
    } else {
      if (char === '[') isInBrackets = true;
      out += similarChar(char);
    }
  }
  return `^(?:${out})$`;
}

function similarChar(char: string): string {
  if (char === '%') return '.*';
  if (char === '_') return '.';
  if (char === '(') return '(?:';
  return '.^$\\'.includes(char) ? `\\${char}` : char;
}

interface RegexFlags {
  readonly isGlobal: boolean;
  readonly flags: number;
}

/** PostgreSQL's option letters. */
function parseFlags(text: string): RegexFlags {
  let isGlobal = false;
  let flags = RE2JS.DOTALL;
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

const regexCache = new BoundedCache<RE2JS>();

/** Escapes of PostgreSQL's advanced regular expressions that RE2 writes otherwise. */
const ESCAPES: Readonly<Record<string, string>> = {
  y: '\\b',
  Y: '\\B',
  Z: '\\z',
};

function translatePattern(pattern: string): string {
  if (/\(\?(?:<?[=!])/.test(pattern)) throw notSupported('look-around in regular expressions');
  return pattern.replace(/\\([\s\S])/g, (whole, letter: string) => {
    if (/[1-9]/.test(letter)) throw notSupported('back-references in regular expressions');
    if (letter === 'm' || letter === 'M') throw notSupported(`\\${letter} in regular expressions`);
    return ESCAPES[letter] ?? whole;
  });
}

function compileRegex(pattern: string, flags: number): RE2JS {
  return regexCache.get(`${flags}:${pattern}`, () => {
    try {
      return RE2JS.compile(translatePattern(pattern), flags);
    } catch (error) {
      if (!(error instanceof RE2JSSyntaxException)) throw error;
      throw new SqlError('2201B', `invalid regular expression: ${regexProblem(error)}`);
    }
  });
}

/** PostgreSQL's words for what is wrong with a pattern. */
function regexProblem(error: RE2JSSyntaxException): string {
  const message = error.message;
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

function matches(text: string, pattern: string, flags = RE2JS.DOTALL): boolean {
  return compileRegex(pattern, flags).matcher(text).find();
}

const INSENSITIVE = RE2JS.DOTALL | RE2JS.CASE_INSENSITIVE;

for (const type of ['text', 'bpchar', 'name'] as const) {
  defineOperator(`~(${type},text)`, 'bool', (s, p) => matches(s, p));
  defineOperator(`!~(${type},text)`, 'bool', (s, p) => !matches(s, p));
  defineOperator(`~*(${type},text)`, 'bool', (s, p) => matches(s, p, INSENSITIVE));
  defineOperator(`!~*(${type},text)`, 'bool', (s, p) => !matches(s, p, INSENSITIVE));
}
for (const [name, test] of [
  ['~~', like],
  ['~~*', ilike],
] as const) {
  defineOperator(`${name}(name,text)`, 'bool', (s, p) => test(s, p));
  defineOperator(`!${name}(name,text)`, 'bool', (s, p) => !test(s, p));
}

/** The groups of the present match, or the whole of it where there are none. */
type Found = ReturnType<RE2JS['matcher']>;

function groupsOf(found: Found): (string | null)[] {
  const count = found.groupCount();
  if (count === 0) return [found.group() ?? null];
  return Array.from({ length: count }, (_, i) => found.group(i + 1) ?? null);
}

function regexpMatch(text: string, pattern: string, options: string): ArrayValue | null {
  const { isGlobal, flags } = parseFlags(options);
  if (isGlobal) {
    throw new SqlError('22023', 'regexp_match() does not support the "global" option', {
      hint: 'Use the regexp_matches function instead.',
    });
  }
  const found = compileRegex(pattern, flags).matcher(text);
  return found.find() ? ArrayValue.of(groupsOf(found)) : null;
}

defineFunction('regexp_match(text,text)', 'text[]', (s, p) => regexpMatch(s, p, ''));
defineFunction('regexp_match(text,text,text)', 'text[]', regexpMatch);

/** All (global) or the first match's groups: regexp_matches as a table function. */
export function regexpMatches(text: string, pattern: string, options: string): ArrayValue[] {
  const { isGlobal, flags } = parseFlags(options);
  const found = compileRegex(pattern, flags).matcher(text);
  const out: ArrayValue[] = [];
  while (found.find()) {
    out.push(ArrayValue.of(groupsOf(found)));
    if (!isGlobal) break;
  }
  return out;
}

/** `\1`..`\9`, `\&` and `\\` in a replacement. */
function expandReplacement(replacement: string, found: Found): string {
  return replacement.replace(/\\([\s\S]|$)/g, (whole, letter: string) => {
    if (letter === '&') return found.group() ?? '';
    if (letter === '\\') return '\\';
    if (!/[1-9]/.test(letter)) return whole;
    const index = Number(letter);
    return index <= found.groupCount() ? (found.group(index) ?? '') : '';
  });
}

function regexpReplace(
  text: string,
  pattern: string,
  replacement: string,
  options: string,
): string {
  const { isGlobal, flags } = parseFlags(options);
  const found = compileRegex(pattern, flags).matcher(text);
  let out = '';
  let at = 0;
  while (found.find()) {
    out += text.slice(at, found.start()) + expandReplacement(replacement, found);
    at = found.end();
    if (!isGlobal) break;
  }
  return out + text.slice(at);
}

defineFunction('regexp_replace(text,text,text)', 'text', (s, p, r) => regexpReplace(s, p, r, ''));
defineFunction('regexp_replace(text,text,text,text)', 'text', regexpReplace);

export function regexpSplit(text: string, pattern: string, options: string): string[] {
  const { isGlobal, flags } = parseFlags(options);
  if (isGlobal)
    throw new SqlError('22023', 'regexp_split_to_table() does not support the "global" option');
  const found = compileRegex(pattern, flags).matcher(text);
  const out: string[] = [];
  let at = 0;
  while (found.find()) {
    const isEmpty = found.end() === found.start();
    if (isEmpty && (found.start() === 0 || found.start() >= text.length || found.start() === at)) {
      if (found.start() === 0 || found.start() >= text.length) continue;
    }
    out.push(text.slice(at, found.start()));
    at = found.end();
  }
  return [...out, text.slice(at)];
}

defineFunction('regexp_split_to_array(text,text)', 'text[]', (s, p) =>
  ArrayValue.of(regexpSplit(s, p, '')),
);
defineFunction('regexp_split_to_array(text,text,text)', 'text[]', (s, p, o) =>
  ArrayValue.of(regexpSplit(s, p, o)),
);

function countMatches(text: string, pattern: string): number {
  const found = compileRegex(pattern, RE2JS.DOTALL).matcher(text);
  let count = 0;
  while (found.find()) count += 1;
  return count;
}

defineFunction('regexp_count(text,text)', 'int4', countMatches);
defineFunction('regexp_like(text,text)', 'bool', (s, p) => matches(s, p));
defineFunction('regexp_like(text,text,text)', 'bool', (s, p, o) =>
  matches(s, p, parseFlags(o).flags),
);
defineFunction('substring(text,text)', 'text', regexpSubstring);
defineFunction('regexp_substr(text,text)', 'text', (s, p) => {
  const found = compileRegex(p, RE2JS.DOTALL).matcher(s);
  return found.find() ? (found.group() ?? null) : null;
});
defineFunction('regexp_instr(text,text)', 'int4', (s, p) => {
  const found = compileRegex(p, RE2JS.DOTALL).matcher(s);
  return found.find() ? charIndex(s, found.start()) + 1 : 0;
});

/** substring(text from pattern): the first group, else the whole match. */
function regexpSubstring(text: string, pattern: string): string | null {
  const found = compileRegex(pattern, RE2JS.DOTALL).matcher(text);
  if (!found.find()) return null;
  return (found.groupCount() > 0 ? found.group(1) : found.group()) ?? null;
}
