/** Clauses that several streaming statements share: options, INCLUDE, FORMAT ... ENCODE. */

import { node } from './adapt-context.ts';
import type { FormatClause, IncludeItem, Option } from './statements.ts';
import type { TokenCursor } from './token-cursor.ts';

/** ( name [=] value, a.b.c = 'x', ... ) */
export function parseOptions(cursor: TokenCursor): Option[] {
  cursor.expect('(');
  const options: Option[] = [];
  if (cursor.take(')')) return options;
  do options.push(parseOption(cursor));
  while (cursor.take(','));
  cursor.expect(')');
  return options;
}

function parseOption(cursor: TokenCursor): Option {
  const position = cursor.position;
  let name = cursor.identifier();
  while (cursor.take('.')) name += `.${cursor.identifier()}`;
  cursor.take('=');
  const valuePosition = cursor.position;
  const hasValue = !cursor.sees(',') && !cursor.sees(')');
  const value = hasValue ? optionValue(cursor) : null;
  return node({ kind: 'option', position, name, value, valuePosition, list: null });
}

/** A string, number or word; its text without quotes. */
function optionValue(cursor: TokenCursor): string {
  const sign = cursor.take('-') ? '-' : '';
  const token = cursor.tokens[cursor.index];
  if (token?.type === 'number') {
    cursor.index++;
    return sign + cursor.text.slice(token.start, token.end);
  }
  if (sign !== '') throw cursor.error();
  return token?.type === 'string' ? cursor.string() : cursor.identifier();
}

const INCLUDED: readonly IncludeItem['what'][] = [
  'key',
  'partition',
  'offset',
  'timestamp',
  'headers',
  'file',
  'line',
];

/** INCLUDE KEY AS k, PARTITION AS p, HEADER 'trace' AS t; the word INCLUDE may be repeated. */
export function parseInclude(cursor: TokenCursor): IncludeItem[] {
  const items: IncludeItem[] = [];
  while (cursor.take('include')) {
    do items.push(parseIncludeItem(cursor));
    while (cursor.take(','));
  }
  return items;
}

function parseIncludeItem(cursor: TokenCursor): IncludeItem {
  const position = cursor.position;
  let header: string | null = null;
  let what: IncludeItem['what'] | undefined;
  if (cursor.take('header')) {
    what = 'header';
    header = cursor.string();
  } else what = INCLUDED.find((word) => cursor.take(word));
  if (what === undefined) throw cursor.error();
  const alias = cursor.take('as') ? cursor.identifier() : null;
  return node({ kind: 'include', position, what, header, alias });
}

/** FORMAT f ENCODE e [( options )]. */
export function parseFormat(cursor: TokenCursor): FormatClause {
  const position = cursor.position;
  cursor.expect('format');
  const format = cursor.identifier();
  cursor.expect('encode');
  const encode = cursor.identifier();
  const options = cursor.sees('(') ? parseOptions(cursor) : [];
  return node({ kind: 'format', position, format, encode, options });
}
