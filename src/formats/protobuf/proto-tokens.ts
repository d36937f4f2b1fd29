/** The tokens of .proto text: words, numbers, strings and single signs; spaces and comments are left out. */

import { SqlError } from '../../base/sql-error.ts';

const SPACE = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const TOKEN =
  /([A-Za-z_]\w*)|(0[xX][\da-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|([{}[\]()<>=;,.:+-])/y;

const ESCAPE = /\\(?:x([\da-fA-F]{1,2})|([0-7]{1,3})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(.))/g;
const ESCAPED: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  a: '\x07',
  b: '\b',
  f: '\f',
  v: '\v',
};

interface Token {
  readonly text: string;
  readonly kind: 'word' | 'number' | 'string' | 'sign';
  readonly at: number;
}

export class ProtoTokens {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = this.#split();
  }

  get isAtEnd(): boolean {
    return this.#next === this.#tokens.length;
  }

  /** '' at the end. */
  peek(): string {
    return this.peekBehind(0);
  }

  /** The token so many behind the next one. */
  peekBehind(count = 1): string {
    return this.#tokens[this.#next + count]?.text ?? '';
  }

  take(): string {
    return this.#take().text;
  }

  takeIf(text: string): boolean {
    if (this.peek() !== text) return false;
    this.#next += 1;
    return true;
  }

  expect(text: string): void {
    const token = this.#take();
    if (token.text !== text || token.kind === 'string') {
      throw this.failed(`"${text}" is expected, not "${token.text}"`);
    }
  }

  identifier(): string {
    const { text, kind } = this.#take();
    if (kind !== 'word') throw this.failed(`a name is expected, not "${text}"`);
    return text;
  }

  integer(): number {
    const isNegative = this.takeIf('-');
    const { text, kind } = this.#take();
    const isOctal = /^0[0-7]+$/.test(text);
    const value = isOctal ? Number.parseInt(text, 8) : Number(text);
    if (kind !== 'number' || !Number.isSafeInteger(value)) {
      throw this.failed(`a whole number is expected, not "${text}"`);
    }
    return isNegative ? 0 - value : value;
  }

  /** A string's text; strings side by side are one. */
  string(): string {
    let text = '';
    do {
      const token = this.#take();
      if (token.kind !== 'string') throw this.failed(`a string is expected, not "${token.text}"`);
      text += unescaped(token.text);
    } while (this.#tokens[this.#next]?.kind === 'string');
    return text;
  }

  /** The value of an option: its text; of a message in braces nothing. */
  constant(): string {
    if (this.#tokens[this.#next]?.kind === 'string') return this.string();
    if (this.peek() === '{') {
      this.skipBlock();
      return '';
    }
    const sign = this.takeIf('-') ? '-' : this.takeIf('+') ? '' : '';
    let text = sign + this.take();
    while (this.peek() === '.') text += this.take() + this.take();
    return text;
  }

  /** Moves behind the next `;` that is not inside of braces. */
  skipStatement(): void {
    for (let depth = 0; ; ) {
      const { text, kind } = this.#take();
      if (kind !== 'sign') continue;
      if (text === '{') depth += 1;
      else if (text === '}') depth -= 1;
      else if (text === ';' && depth === 0) return;
    }
  }

  /** Moves behind the next braces. */
  skipBlock(): void {
    for (let depth = 0; ; ) {
      const { text, kind } = this.#take();
      if (kind !== 'sign') continue;
      if (text === '{') depth += 1;
      else if (text === '}') {
        depth -= 1;
        if (depth === 0) return;
      }
    }
  }

  unexpected(what: string): SqlError {
    return this.failed(`${what} is not expected`);
  }

  /** 22023 with the line of the token that was taken last. */
  failed(reason: string): SqlError {
    const at = this.#tokens[this.#next - 1]?.at ?? 0;
    return this.#failedAt(at, reason);
  }

  #failedAt(at: number, reason: string): SqlError {
    const line = this.#text.slice(0, at).split('\n').length;
    return new SqlError('22023', `invalid Protobuf schema: line ${line}: ${reason}`);
  }

  #take(): Token {
    const token = this.#tokens[this.#next];
    if (token === undefined) throw this.#failedAt(this.#text.length, 'it ends too early');
    this.#next += 1;
    return token;
  }

  #split(): Token[] {
    const text = this.#text;
    const tokens: Token[] = [];
    for (let at = spaceEnd(text, 0); at < text.length; at = spaceEnd(text, TOKEN.lastIndex)) {
      TOKEN.lastIndex = at;
      const match = TOKEN.exec(text);
      if (match === null) throw this.#failedAt(at, `"${text[at]}" is not expected`);
      const kind = KINDS.find((_, i) => match[i + 1] !== undefined)!;
      tokens.push({ text: match[0], kind, at });
    }
    return tokens;
  }
}

/** In the order of TOKEN's groups. */
const KINDS: readonly Token['kind'][] = ['word', 'number', 'string', 'sign'];

/** Behind spaces and comments. */
function spaceEnd(text: string, at: number): number {
  SPACE.lastIndex = at;
  SPACE.exec(text);
  return SPACE.lastIndex;
}

function unescaped(literal: string): string {
  return literal.slice(1, -1).replace(ESCAPE, (_, hex, octal, four, eight, other: string) => {
    if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
    if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 0xff);
    if (four !== undefined) return String.fromCharCode(Number.parseInt(four, 16));
    if (eight !== undefined) return String.fromCodePoint(Number.parseInt(eight, 16));
    return ESCAPED[other] ?? other;
  });
}
