/**
 * PostgreSQL's tokens with their places, in one pass: what the lifting of streaming clauses and the cutting of a text
 * into statements stand on. Cost: O(length). It never fails: an unterminated string or comment is one token up to the
 * end (PostgreSQL's parser words the error).
 */

export interface Token {
  readonly type: 'word' | 'quoted' | 'string' | 'number' | 'parameter' | 'operator' | 'symbol';
  /** [start, end) in UTF-16 units. */
  readonly start: number;
  readonly end: number;
  /** Words in lower case; symbols and operators as they are; others ''. */
  readonly text: string;
}

const BLANK = /[ \t\n\r\f\v]+/y;
const LINE_COMMENT = /--[^\n\r]*/y;
const WORD = /[A-Za-z_\u0080-\uffff][A-Za-z0-9_$\u0080-\uffff]*/y;
const NOT_ASCII = /[\u0080-\uffff]/;
const NUMBER = /(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][+-]?\d+)?/y;
const PARAMETER = /\$\d+/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
const OPERATOR_CHARACTERS = '+-*/<>=~!@#%^&|`?';

function matchEnd(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** -1: unterminated. */
function blockCommentEnd(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    if (text.startsWith('/*', i)) {
      depth++;
      i++;
    } else if (text.startsWith('*/', i)) {
      depth--;
      i++;
      if (depth === 0) return i + 1;
    }
  }
  return -1;
}

function quoteEnd(text: string, open: number, hasEscapes: boolean): number {
  const quote = text[open];
  for (let i = open + 1; i < text.length; i++) {
    if (hasEscapes && text[i] === '\\') i++;
    else if (text[i] === quote) {
      if (text[i + 1] !== quote) return i + 1;
      i++;
    }
  }
  return text.length;
}

/** The place after blanks and comments from `at`. */
export function skipBlanks(text: string, at: number): number {
  for (;;) {
    let next = matchEnd(BLANK, text, at);
    next = matchEnd(LINE_COMMENT, text, next);
    if (text.startsWith('/*', next)) {
      const end = blockCommentEnd(text, next);
      if (end < 0) return next;
      next = end;
    }
    if (next === at) return at;
    at = next;
  }
}

function operatorEnd(text: string, at: number): number {
  let end = at;
  while (end < text.length && OPERATOR_CHARACTERS.includes(text[end]!)) {
    if (end > at && (text.startsWith('--', end) || text.startsWith('/*', end))) break;
    end++;
  }
  return end;
}

function stringToken(text: string, start: number): Token | null {
  const first = text[start]!.toLowerCase();
  if (first === "'") return token('string', start, quoteEnd(text, start, false));
  if (first === '"') return token('quoted', start, quoteEnd(text, start, false));
  if (
    (first === 'e' || first === 'b' || first === 'x' || first === 'n') &&
    text[start + 1] === "'"
  ) {
    return token('string', start, quoteEnd(text, start + 1, first === 'e'));
  }
  if (first === 'u' && text[start + 1] === '&') {
    if (text[start + 2] === "'") return token('string', start, quoteEnd(text, start + 2, false));
    if (text[start + 2] === '"') return token('quoted', start, quoteEnd(text, start + 2, false));
  }
  if (first !== '$') return null;
  const tagEnd = matchEnd(DOLLAR_TAG, text, start);
  if (tagEnd === start) return null;
  const close = text.indexOf(text.slice(start, tagEnd), tagEnd);
  return token('string', start, close < 0 ? text.length : close + tagEnd - start);
}

function token(type: Token['type'], start: number, end: number, text = ''): Token {
  return { type, start, end, text };
}

/** Lower case as PostgreSQL folds names: A to Z only. */
function folded(word: string): string {
  if (!NOT_ASCII.test(word)) return word.toLowerCase();
  return word.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function nextToken(text: string, start: number): Token {
  // An unterminated comment is one token up to the end.
  if (text.startsWith('/*', start)) return token('operator', start, text.length);
  const quoted = stringToken(text, start);
  if (quoted !== null) return quoted;
  let end = matchEnd(WORD, text, start);
  if (end > start) return token('word', start, end, folded(text.slice(start, end)));
  end = matchEnd(NUMBER, text, start);
  if (end > start) return token('number', start, end);
  end = matchEnd(PARAMETER, text, start);
  if (end > start) return token('parameter', start, end);
  end = operatorEnd(text, start);
  if (end > start) return token('operator', start, end, text.slice(start, end));
  return token('symbol', start, start + 1, text[start]!);
}

/** The tokens of `text`, without blanks and comments. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = skipBlanks(text, 0); at < text.length; at = skipBlanks(text, at)) {
    const next = nextToken(text, at);
    tokens.push(next);
    at = next.end;
  }
  return tokens;
}

/** The statements of a token list: cut at semicolons outside parentheses; empty ones are left out. */
export function splitStatements(tokens: readonly Token[]): Token[][] {
  const statements: Token[][] = [];
  let current: Token[] = [];
  let depth = 0;
  for (const next of tokens) {
    if (next.type === 'symbol' && next.text === '(') depth++;
    if (next.type === 'symbol' && next.text === ')') depth--;
    if (next.type === 'symbol' && next.text === ';' && depth <= 0) {
      if (current.length > 0) statements.push(current);
      current = [];
      depth = 0;
    } else current.push(next);
  }
  if (current.length > 0) statements.push(current);
  return statements;
}
