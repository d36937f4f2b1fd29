/**
 * Lifting: streaming clauses inside queries are taken out of the token stream and replaced by blanks of equal length, so
 * that PostgreSQL's parser takes the rest and every position still points at what the user typed. What was lifted is
 * remembered by place; the adapter puts it back (`take...`), and what nobody took is a syntax error.
 *
 * - `TABLE(TUMBLE(TABLE t, DESCRIPTOR(c), ...))`: `TABLE(`, its `)` and the inner `TABLE` become blanks.
 * - `SESSION(t PARTITION BY a, b, ts, gap)`: the PARTITION BY list (all but the last two arguments).
 * - `ASOF` before [LEFT [OUTER] | INNER] JOIN.
 * - `FOR SYSTEM_TIME AS OF operand [(+|-) operand ...]` after a table name (and its alias).
 * - `SESSION WITH GAP expr` at the end of a window's parentheses.
 */

import { notSupported } from '../base/sql-error.ts';
import type { Token } from './lexer.ts';

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Lifted {
  /** The text with blanks in the place of the clauses. */
  readonly text: string;
  /** Places of lifted ASOF words. */
  readonly asOfJoins: Set<number>;
  /** Expression of FOR SYSTEM_TIME AS OF, by the place of the table's name. */
  readonly systemTimes: Map<number, Span>;
  /** PARTITION BY list of SESSION(...), by the place of the word SESSION. */
  readonly sessionPartitions: Map<number, Span>;
  /** Gap expression, by the place of the window's opening parenthesis. */
  readonly sessionGaps: Map<number, Span>;
  /** Places of the words TUMBLE, HOP, CUMULATE, SESSION that are window functions. */
  readonly windowFunctions: Set<number>;
}

const WINDOW_FUNCTIONS = new Set(['tumble', 'hop', 'cumulate', 'session']);

/** Words that can't be the end of a table reference. */
const NOT_A_NAME = new Set([
  'from',
  'join',
  'as',
  'on',
  'where',
  'select',
  'update',
  'using',
  'left',
  'right',
  'full',
  'inner',
  'cross',
  'natural',
  'outer',
  'lateral',
  'only',
  'and',
  'or',
  'not',
  'into',
  'in',
]);

class Lifting {
  readonly tokens: readonly Token[];
  readonly blanks: Span[] = [];
  readonly #closing: Int32Array;
  readonly #opening: Int32Array;
  readonly asOfJoins = new Set<number>();
  readonly systemTimes = new Map<number, Span>();
  readonly sessionPartitions = new Map<number, Span>();
  readonly sessionGaps = new Map<number, Span>();
  readonly windowFunctions = new Set<number>();

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
    this.#closing = new Int32Array(tokens.length).fill(-1);
    this.#opening = new Int32Array(tokens.length).fill(-1);
    const open: number[] = [];
    for (let i = 0; i < tokens.length; i++) {
      this.#opening[i] = open.at(-1) ?? -1;
      if (this.isSymbol(i, '(')) open.push(i);
      else if (this.isSymbol(i, ')')) {
        const at = open.pop();
        if (at !== undefined) this.#closing[at] = i;
      }
    }
  }

  isWord(index: number, ...words: string[]): boolean {
    const token = this.tokens[index];
    return token !== undefined && token.type === 'word' && words.includes(token.text);
  }

  isSymbol(index: number, text: string): boolean {
    const token = this.tokens[index];
    return token !== undefined && token.type === 'symbol' && token.text === text;
  }

  /** Whether token `index` can end a table reference: a name or `)`. */
  endsTableRef(index: number): boolean {
    const token = this.tokens[index];
    if (token === undefined) return false;
    if (token.type === 'quoted') return true;
    return token.type === 'word' ? !NOT_A_NAME.has(token.text) : this.isSymbol(index, ')');
  }

  blank(first: number, last: number): void {
    this.blanks.push({ start: this.tokens[first]!.start, end: this.tokens[last]!.end });
  }

  run(): void {
    for (let i = 0; i < this.tokens.length; i++) {
      if (this.tokens[i]!.type !== 'word') continue;
      if (this.isWord(i, 'match_recognize')) this.#refusePatterns(i);
      else if (this.isWord(i, 'asof')) this.#asOf(i);
      else if (this.isWord(i, 'for') && this.isWord(i + 1, 'system_time')) this.#systemTime(i);
      else if (this.isWord(i, 'session') && this.isWord(i + 1, 'with')) this.#gap(i);
      else if (WINDOW_FUNCTIONS.has(this.tokens[i]!.text) && this.isSymbol(i + 1, '('))
        this.#window(i);
    }
  }

  /** MATCH_RECOGNIZE behind a table; as an alias with column names it is plain SQL. */
  #refusePatterns(at: number): void {
    const opens = this.isSymbol(at + 1, '(') && this.endsTableRef(at - 1);
    if (!opens || !this.isWord(at + 2, 'partition', 'order', 'measures', 'pattern')) return;
    throw notSupported('MATCH_RECOGNIZE', { position: this.tokens[at]!.start });
  }

  #asOf(at: number): void {
    let join = at + 1;
    if (this.isWord(join, 'left')) join++;
    if (this.isWord(join, 'outer', 'inner')) join++;
    if (!this.isWord(join, 'join') || !this.endsTableRef(at - 1)) return;
    this.asOfJoins.add(this.tokens[at]!.start);
    this.blank(at, at);
  }

  #systemTime(at: number): void {
    if (!this.isWord(at + 2, 'as') || !this.isWord(at + 3, 'of')) return;
    const last = this.#timeExpressionEnd(at + 4);
    if (last < at + 4) return;
    const key = this.#tableNameBefore(at - 1);
    if (key < 0) return;
    this.systemTimes.set(this.tokens[key]!.start, {
      start: this.tokens[at + 4]!.start,
      end: this.tokens[last]!.end,
    });
    this.blank(at, last);
  }

  /** The first token of the table name that ends at `index`, an alias between passed over. */
  #tableNameBefore(index: number): number {
    if (!this.endsTableRef(index) || this.isSymbol(index, ')')) return -1;
    let last = index;
    if (this.isWord(last - 1, 'as')) last -= 2;
    else if (!this.isSymbol(last - 1, '.') && this.endsTableRef(last - 1)) last -= 1;
    if (last < 0 || this.isSymbol(last, ')')) return -1;
    while (this.isSymbol(last - 1, '.')) last -= 2;
    return last;
  }

  /** The last token of `operand [(+|-) operand ...]`. */
  #timeExpressionEnd(from: number): number {
    let last = this.#operandEnd(from);
    while (last >= from && ['+', '-'].includes(this.tokens[last + 1]?.text ?? '')) {
      const next = this.#operandEnd(last + 2);
      if (next < last + 2) return last;
      last = next;
    }
    return last;
  }

  #operandEnd(at: number): number {
    const token = this.tokens[at];
    if (token === undefined) return -1;
    if (this.isSymbol(at, '(')) return this.#closing[at]!;
    if (token.type === 'string' || token.type === 'number' || token.type === 'parameter') return at;
    if (token.type !== 'word' && token.type !== 'quoted') return -1;
    if (this.tokens[at + 1]?.type === 'string') {
      const unit = ['second', 'minute', 'hour', 'day', 'month', 'year'];
      return this.isWord(at + 2, ...unit) ? at + 2 : at + 1;
    }
    let last = at;
    while (this.isSymbol(last + 1, '.')) last += 2;
    return this.isSymbol(last + 1, '(') ? this.#closing[last + 1]! : last;
  }

  #gap(at: number): void {
    const open = this.#opening[at]!;
    if (!this.isWord(at + 2, 'gap') || open < 0 || this.isSymbol(at - 1, '.')) return;
    const close = this.#closing[open]!;
    if (close < at + 4) return;
    this.sessionGaps.set(this.tokens[open]!.start, {
      start: this.tokens[at + 3]!.start,
      end: this.tokens[close - 1]!.end,
    });
    this.blank(at, close - 1);
  }

  #window(at: number): void {
    if (this.isSymbol(at - 1, '.')) return;
    const open = at + 1;
    const close = this.#closing[open]!;
    if (close < 0) return;
    const isTableCall =
      this.isSymbol(at - 1, '(') && this.isWord(at - 2, 'table') && this.isSymbol(close + 1, ')');
    if (
      !isTableCall &&
      !this.isWord(at - 1, 'from', 'join', 'lateral') &&
      !this.isSymbol(at - 1, ',') &&
      !this.isSymbol(at - 1, '(')
    )
      return;
    this.windowFunctions.add(this.tokens[at]!.start);
    if (isTableCall) {
      this.blank(at - 2, at - 1);
      this.blank(close + 1, close + 1);
    }
    if (this.isWord(open + 1, 'table') && !this.isSymbol(open + 2, '('))
      this.blank(open + 1, open + 1);
    if (this.isWord(at, 'session')) this.#partition(at, open, close);
  }

  #partition(at: number, open: number, close: number): void {
    const commas: number[] = [];
    let partition = -1;
    for (let i = open + 1; i < close; i++) {
      if (this.#opening[i] !== open) continue;
      if (this.isSymbol(i, ',')) commas.push(i);
      if (partition < 0 && this.isWord(i, 'partition') && this.isWord(i + 1, 'by')) partition = i;
    }
    const end = commas.at(-2);
    if (partition < 0 || end === undefined || end <= partition + 2) return;
    this.sessionPartitions.set(this.tokens[at]!.start, {
      start: this.tokens[partition + 2]!.start,
      end: this.tokens[end - 1]!.end,
    });
    this.blank(partition, end - 1);
  }
}

/** `text` with the spans made blank. Line ends stay, so that a line comment's end does. */
export function blankOut(text: string, spans: readonly Span[]): string {
  if (spans.length === 0) return text;
  const sorted = [...spans].sort((a, b) => a.start - b.start);
  let result = '';
  let at = 0;
  for (const { start, end } of sorted) {
    if (end <= at) continue;
    result += text.slice(at, start) + ' '.repeat(end - Math.max(start, at));
    at = end;
  }
  return result + text.slice(at);
}

/** Lifts the streaming clauses out of `text`, whose tokens these are. */
export function lift(text: string, tokens: readonly Token[]): Lifted {
  const lifting = new Lifting(tokens);
  lifting.run();
  const { asOfJoins, systemTimes, sessionPartitions, sessionGaps, windowFunctions } = lifting;
  return {
    text: blankOut(text, lifting.blanks),
    asOfJoins,
    systemTimes,
    sessionPartitions,
    sessionGaps,
    windowFunctions,
  };
}
