/** The byte matcher finds what the string matcher finds. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../base/random.ts';
import '../builtins.ts';
import { regexOf } from '../functions/regex.ts';
import { byteRegexOf } from './byte-regex.ts';

const PATTERNS = [
  '(?:&|^)channel_id=([^&]*)',
  '(&|^)a=([^&]*)',
  '^a',
  'ab',
  'a(b|c)d',
  'a(?:b|)c',
  '(?:|a)b',
  '(?:^|&)b',
  '[^a]b',
  '.b',
  '[a-c]+',
  '\\d+',
  'x(\\d)\\.[^.]*',
  'a.c',
  '(a)(b)',
  '(?:(a)b|c)',
  '[^b]*',
  '',
];
const PIECES = [
  'a',
  'b',
  'c',
  'd',
  '&',
  'é',
  '日',
  'x1.',
  'channel_id=',
  '=',
  '0',
  '\n',
  'a=',
  'ab',
];

test('patterns that run on bytes give what they give on strings', () => {
  const random = new Random(5);
  let found = 0;
  for (const pattern of PATTERNS) {
    const regex = byteRegexOf(pattern);
    if (pattern !== '') assert.ok(regex !== null, pattern);
    if (regex === null) continue;
    for (let round = 0; round < 400; round += 1) {
      const text = Array.from({ length: random.below(9) }, () => random.pick(PIECES)).join('');
      const encoded = Buffer.from(`##${text}##`, 'utf8');
      const bytes = Buffer.from(new ArrayBuffer((encoded.length + 7) & ~3));
      encoded.copy(bytes);
      const words = new Uint32Array(bytes.buffer);
      const [from, end] = [2, encoded.length - 2];
      const expected = regexOf(pattern).first(text);
      const isFound: boolean = regex.search(bytes, words, from, end);
      assert.equal(isFound, expected !== null, `${pattern} on ${text}`);
      if (expected === null) continue;
      found += 1;
      const cut = (start: number, stop: number): string => bytes.toString('utf8', start, stop);
      assert.equal(
        cut(regex.matchStart, regex.matchEnd),
        expected.groups[0],
        `${pattern} on ${text}`,
      );
      if (!regex.hasGroup) continue;
      const group: string | null =
        regex.groupStart < 0 ? null : cut(regex.groupStart, regex.groupEnd);
      assert.equal(group, expected.groups[1] ?? null, `group of ${pattern} on ${text}`);
    }
  }
  assert.ok(found > 1000);
});

test('other patterns are not for bytes', () => {
  for (const pattern of [
    'a*b',
    '(a+)+',
    'é',
    '[é]',
    '\\w',
    '\\s+',
    'a$',
    'a{2}',
    '(',
    '[[:alpha:]]',
    'a*?',
  ]) {
    assert.equal(byteRegexOf(pattern), null, pattern);
  }
});
