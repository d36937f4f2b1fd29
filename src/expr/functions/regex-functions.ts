/** ~ and its kin, regexp_match, regexp_replace and the other functions over regular expressions. */

import { SqlError } from '../../base/sql-error.ts';
import { ArrayValue } from '../../types/array.ts';
import { defineFunction, defineOperator } from '../registry.ts';
import { charIndex } from './characters.ts';
import { INSENSITIVE_FLAGS, parseRegexOptions, type RegexMatch, regexOf } from './regex.ts';

for (const type of ['text', 'bpchar', 'name'] as const) {
  defineOperator(`~(${type},text)`, 'bool', (s, p) => regexOf(p).test(s));
  defineOperator(`!~(${type},text)`, 'bool', (s, p) => !regexOf(p).test(s));
  defineOperator(`~*(${type},text)`, 'bool', (s, p) => regexOf(p, INSENSITIVE_FLAGS).test(s));
  defineOperator(`!~*(${type},text)`, 'bool', (s, p) => !regexOf(p, INSENSITIVE_FLAGS).test(s));
}

/** What is shown of a match: its groups, or the whole of it where there are none. */
function groupsOf({ groups }: RegexMatch): ArrayValue {
  return ArrayValue.of(groups.length === 1 ? groups : groups.slice(1));
}

function notGlobal(name: string, hint?: string): SqlError {
  return new SqlError('22023', `${name} does not support the "global" option`, { hint });
}

function regexpMatch(text: string, pattern: string, options: string): ArrayValue | null {
  const { isGlobal, flags } = parseRegexOptions(options);
  if (isGlobal) throw notGlobal('regexp_match()', 'Use the regexp_matches function instead.');
  const found = regexOf(pattern, flags).first(text);
  return found === null ? null : groupsOf(found);
}

defineFunction('regexp_match(text,text)', 'text[]', (s, p) => regexpMatch(s, p, ''));
defineFunction('regexp_match(text,text,text)', 'text[]', (s, p, o) => regexpMatch(s, p, o));

function matchesOf(text: string, pattern: string, options: string): readonly RegexMatch[] {
  const { isGlobal, flags } = parseRegexOptions(options);
  const regex = regexOf(pattern, flags);
  if (isGlobal) return regex.all(text);
  const first = regex.first(text);
  return first === null ? [] : [first];
}

/** All (global) or the first match's groups: regexp_matches as a table function. */
export function regexpMatches(text: string, pattern: string, options: string): ArrayValue[] {
  return matchesOf(text, pattern, options).map(groupsOf);
}

/** `\\1`..`\\9`, `\\&` and `\\\\` in a replacement. */
function expandReplacement(replacement: string, { groups }: RegexMatch): string {
  if (!replacement.includes('\\')) return replacement;
  return replacement.replace(/\\([\s\S]|$)/g, (whole, letter: string) => {
    if (letter === '&') return groups[0] ?? '';
    if (letter === '\\') return '\\';
    return /[1-9]/.test(letter) ? (groups[Number(letter)] ?? '') : whole;
  });
}

function regexpReplace(
  text: string,
  pattern: string,
  replacement: string,
  options: string,
): string {
  let out = '';
  let at = 0;
  for (const match of matchesOf(text, pattern, options)) {
    out += text.slice(at, match.start) + expandReplacement(replacement, match);
    at = match.end;
  }
  return out + text.slice(at);
}

defineFunction('regexp_replace(text,text,text)', 'text', (s, p, r) => regexpReplace(s, p, r, ''));
defineFunction('regexp_replace(text,text,text,text)', 'text', (s, p, r, o) =>
  regexpReplace(s, p, r, o),
);

/** Empty matches at either end split nothing. */
export function regexpSplit(text: string, pattern: string, options: string): string[] {
  const { isGlobal, flags } = parseRegexOptions(options);
  if (isGlobal) throw notGlobal('regexp_split_to_table()');
  const out: string[] = [];
  let at = 0;
  for (const { start, end } of regexOf(pattern, flags).all(text)) {
    if (start === end && (start === 0 || start >= text.length)) continue;
    out.push(text.slice(at, start));
    at = end;
  }
  return [...out, text.slice(at)];
}

defineFunction('regexp_split_to_array(text,text)', 'text[]', (s, p) =>
  ArrayValue.of(regexpSplit(s, p, '')),
);
defineFunction('regexp_split_to_array(text,text,text)', 'text[]', (s, p, o) =>
  ArrayValue.of(regexpSplit(s, p, o)),
);
defineFunction('regexp_count(text,text)', 'int4', (s, p) => regexOf(p).all(s).length);
defineFunction('regexp_like(text,text)', 'bool', (s, p) => regexOf(p).test(s));
defineFunction('regexp_like(text,text,text)', 'bool', (s, p, o) =>
  regexOf(p, parseRegexOptions(o).flags).test(s),
);
defineFunction(
  'regexp_substr(text,text)',
  'text',
  (s, p) => regexOf(p).first(s)?.groups[0] ?? null,
);
defineFunction('regexp_instr(text,text)', 'int4', (s, p) => {
  const found = regexOf(p).first(s);
  return found === null ? 0 : charIndex(s, found.start) + 1;
});

/** substring(text from pattern): the first group, else the whole match. */
defineFunction('substring(text,text)', 'text', (s, p) => {
  const found = regexOf(p).first(s);
  if (found === null) return null;
  return (found.groups.length > 1 ? found.groups[1] : found.groups[0]) ?? null;
});
