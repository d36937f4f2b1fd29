/** Simple patterns on JavaScript's engine match as on RE2 (leftmost-longest); what is not simple is told apart. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RE2JS } from 're2js';
import { Random } from '../../base/random.ts';
import { SqlError } from '../../base/sql-error.ts';
import { regexOf } from './regex.ts';
import { isSimpleRegex } from './regex-simple.ts';

test('what is simple', () => {
  const simple = [
    'abc',
    '^a.c',
    '(&|^)channel_id=([^&]*)',
    'a+',
    '(a|b)c',
    '[0-9][0-9]',
    '\\d\\d',
    'x(?:ab|cd)',
    '(b*)',
  ];
  for (const pattern of simple) assert.ok(isSimpleRegex(pattern), pattern);
  const others = [
    'a*b',
    '(a|ab)c',
    '(a)*',
    'a?',
    'a{2}',
    'a*$',
    '(a*|b)',
    'a|b',
    '(.|a)b',
    'a*?',
    '(?i)a',
    '(a',
    'a)',
    '\\bx',
    '(|a)a',
  ];
  for (const pattern of others) assert.ok(!isSimpleRegex(pattern), pattern);
});

function randomPattern(depth: number, random: Random): string {
  if (depth === 0) return random.pick(['a', 'b', 'c', '.', '[ab]', '[^a]', 'a*', 'b+', '^']);
  const part = (): string => randomPattern(depth - 1, random);
  return random.chance(0.4) ? `(${part()}|${part()})` : part() + part();
}

test('simple patterns give what leftmost-longest matching gives', () => {
  let count = 0;
  for (let seed = 1; seed <= 40000; seed += 1) {
    const random = new Random(seed);
    const pattern = randomPattern(3, random);
    if (!isSimpleRegex(pattern)) continue;
    count += 1;
    const text = Array.from({ length: random.between(0, 7) }, () =>
      random.pick(['a', 'b', 'c']),
    ).join('');
    const found = RE2JS.compile(pattern, RE2JS.DOTALL | RE2JS.LONGEST_MATCH).matcher(text);
    const expected = found.find()
      ? Array.from({ length: found.groupCount() + 1 }, (_, i) => found.group(i) ?? null)
      : null;
    assert.deepEqual(
      regexOf(pattern).first(text)?.groups ?? null,
      expected,
      `${text} ~ ${pattern}`,
    );
  }
  assert.ok(count > 200, `only ${count} simple patterns`);
});

test('what could differ from PostgreSQL is refused', () => {
  for (const pattern of ['(a)*b', '(?:(a)|b)+', 'a*b+?', '(a|b)*?', '(?=a)b', '(a)\\1']) {
    assert.throws(
      () => regexOf(pattern).first('ab'),
      (error) => error instanceof SqlError && error.sqlstate === '0A000',
      pattern,
    );
  }
  assert.equal(regexOf('(a)*b').test('ab'), true);
});
