/** A place in a statement's tokens, with the small steps that the streaming grammar is made of. */

import { SqlError } from '../base/sql-error.ts';
import { node } from './adapt-context.ts';
import type { QualifiedName } from './ast.ts';
import type { Token } from './lexer.ts';
import type { Span } from './lift.ts';

export class TokenCursor {
  readonly text: string;
  readonly tokens: readonly Token[];
  index = 0;

  constructor(text: string, tokens: readonly Token[]) {
    this.text = text;
    this.tokens = tokens;
  }

  get isAtEnd(): boolean {
    return this.index >= this.tokens.length;
  }

  /** Where the next token stands, or the statement ends. */
  get position(): number {
    return this.tokens[this.index]?.start ?? this.tokens.at(-1)?.end ?? 0;
  }

  /** Whether these words (or symbols) come next. */
  sees(...words: string[]): boolean {
    return words.every((word, i) => {
      const token = this.tokens[this.index + i];
      return token !== undefined && token.text === word && token.type !== 'quoted';
    });
  }

  /** Takes these words if they come next. */
  take(...words: string[]): boolean {
    if (!this.sees(...words)) return false;
    this.index += words.length;
    return true;
  }

  expect(...words: string[]): void {
    for (const word of words) if (!this.take(word)) throw this.error();
  }

  /** PostgreSQL's syntax error at the next token. */
  error(): SqlError {
    const token = this.tokens[this.index];
    if (token === undefined) {
      return new SqlError('42601', 'syntax error at end of input', { position: this.position });
    }
    const word = this.text.slice(token.start, token.end);
    return new SqlError('42601', `syntax error at or near "${word}"`, { position: token.start });
  }

  expectEnd(): void {
    if (!this.isAtEnd) throw this.error();
  }

  identifier(): string {
    const token = this.tokens[this.index];
    if (token?.type !== 'word' && token?.type !== 'quoted') throw this.error();
    this.index++;
    if (token.type === 'word') return token.text;
    return this.text.slice(token.start + 1, token.end - 1).replaceAll('""', '"');
  }

  qualifiedName(): QualifiedName {
    const position = this.position;
    const parts = [this.identifier()];
    while (this.take('.')) parts.push(this.identifier());
    return node({ kind: 'qualified_name', position, parts });
  }

  names(): string[] {
    const names = [this.identifier()];
    while (this.take(',')) names.push(this.identifier());
    return names;
  }

  /** A plain string's value. */
  string(): string {
    const token = this.tokens[this.index];
    if (token?.type !== 'string') throw this.error();
    this.index++;
    return stringValue(this.text.slice(token.start, token.end)) ?? this.#refuse(token);
  }

  #refuse(token: Token): never {
    throw new SqlError('42601', 'a plain string is expected here', { position: token.start });
  }

  /** The index of the parenthesis that closes the one at `open`. */
  closing(open: number): number {
    let depth = 0;
    for (let i = open; i < this.tokens.length; i++) {
      if (this.tokens[i]!.text === '(') depth++;
      if (this.tokens[i]!.text === ')' && --depth === 0) return i;
    }
    this.index = this.tokens.length;
    throw this.error();
  }

  /** Takes tokens up to the first one outside parentheses where `stops` is true; at least one. */
  span(stops: (index: number) => boolean): Span {
    const from = this.index;
    while (!this.isAtEnd && !stops(this.index)) {
      const text = this.tokens[this.index]!.text;
      if (text === ')') break;
      this.index = text === '(' ? this.closing(this.index) + 1 : this.index + 1;
    }
    if (this.index === from) throw this.error();
    return { start: this.tokens[from]!.start, end: this.tokens[this.index - 1]!.end };
  }
}

/** The value of a string constant's text; null where it needs PostgreSQL's parser (E'', U&''). */
export function stringValue(text: string): string | null {
  if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
  if (!text.startsWith('$')) return null;
  const tag = text.indexOf('$', 1) + 1;
  return text.slice(tag, text.length - tag);
}
