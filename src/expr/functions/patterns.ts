/** LIKE, ILIKE and SIMILAR TO: O(text) for patterns without `_`, O(text x pattern) at worst. Compiled patterns are kept in a bounded cache. */

import { SqlError } from '../../base/sql-error.ts';
import { defineFunction, defineOperator } from '../registry.ts';
import { BoundedCache } from './bounded-cache.ts';

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

for (const [name, test] of [
  ['~~', like],
  ['~~*', ilike],
] as const) {
  defineOperator(`${name}(name,text)`, 'bool', (s, p) => test(s, p));
  defineOperator(`!${name}(name,text)`, 'bool', (s, p) => !test(s, p));
}
