/**
 * A statement's tokens as the text that grammar/streaming.peggy reads: one after another, each with one blank behind it.
 * Words stand in lower case, symbols and operators as they are; a quoted name is `"`, a string `'`, a number `0`, a
 * parameter `$`. Offsets are places of that text, spans and positions places of what the user typed.
 * Cost: O(tokens) to make, O(log tokens) a look-up.
 */

import { SqlError } from '../base/sql-error.ts';
import type { Token } from './lexer.ts';
import type { Span } from './lift.ts';

const PLACEHOLDERS: Readonly<Partial<Record<Token['type'], string>>> = {
  quoted: '"',
  string: "'",
  number: '0',
  parameter: '$',
};

const END_OF_INPUT = 'syntax error at end of input';

/** An unterminated comment. */
const UNREADABLE = '/*';

export class TokenText {
  readonly input: string;
  readonly #text: string;
  readonly #tokens: readonly Token[];
  /** Where each token begins in `input`. */
  readonly #offsets: Int32Array;

  constructor(text: string, tokens: readonly Token[]) {
    this.#text = text;
    this.#tokens = tokens;
    this.#offsets = new Int32Array(tokens.length);
    let offset = 0;
    const shown = tokens.map((token, index) => {
      const word = PLACEHOLDERS[token.type] ?? (token.text || UNREADABLE);
      this.#offsets[index] = offset;
      offset += word.length + 1;
      return word;
    });
    this.input = shown.length === 0 ? '' : `${shown.join(' ')} `;
  }

  /** The position of the token at `offset`; at the end, of the statement's end. */
  place(offset: number): number {
    return this.#at(offset)?.start ?? this.#tokens.at(-1)?.end ?? 0;
  }

  /** From the token at `start` through the one before `end`, at least one. */
  span(start: number, end: number): Span {
    return { start: this.place(start), end: this.#tokens[this.#indexOf(end - 1)]!.end };
  }

  /** What the user typed there. */
  slice(span: Span): string {
    return this.#text.slice(span.start, span.end);
  }

  /** The word at `offset`. */
  word(offset: number): string {
    return this.#tokens[this.#indexOf(offset)]!.text;
  }

  /** The name that is quoted at `offset`; null where it needs PostgreSQL's parser (U&""). */
  quotedName(offset: number): string | null {
    const text = this.slice(this.#tokens[this.#indexOf(offset)]!);
    return text.startsWith('"') ? text.slice(1, -1).replaceAll('""', '"') : null;
  }

  /** The value of the string at `offset`; null where it needs PostgreSQL's parser (E'', U&''). */
  string(offset: number): string | null {
    const text = this.slice(this.#tokens[this.#indexOf(offset)]!);
    if (text.startsWith("'")) return text.slice(1, -1).replaceAll("''", "'");
    if (!text.startsWith('$')) return null;
    const tag = text.indexOf('$', 1) + 1;
    return text.slice(tag, text.length - tag);
  }

  /** PostgreSQL's syntax error at the token at `offset`. */
  error(offset: number): SqlError {
    return this.#errorAt(this.#at(offset));
  }

  /**
   * What PostgreSQL's parser said of a part. Where the part ended too early, the error is at the token that follows it,
   * not at the "end of input".
   */
  ofWhole(error: SqlError): SqlError {
    const position = error.fields.position ?? 0;
    if (error.message !== END_OF_INPUT) return error;
    return this.#errorAt(this.#tokens.find((token) => token.start >= position));
  }

  #errorAt(token: Token | undefined): SqlError {
    if (token === undefined) {
      return new SqlError('42601', END_OF_INPUT, { position: this.place(this.input.length) });
    }
    const message = `syntax error at or near "${this.slice(token)}"`;
    return new SqlError('42601', message, { position: token.start });
  }

  #at(offset: number): Token | undefined {
    return offset < this.input.length ? this.#tokens[this.#indexOf(offset)] : undefined;
  }

  /** The token whose text, with its blank, holds `offset`. */
  #indexOf(offset: number): number {
    let low = 0;
    let high = this.#offsets.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#offsets[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
