/**
 * Text of an .slt file -> records. The format is sqllogictest's, with directives for streams (await), durability (restart,
 * kill9) and materialized views (view, check views); sql-tests/README.md describes it. A record keeps its lines, so that
 * `--complete` can write the file again with new results.
 */

export const SORT_MODES = ['nosort', 'rowsort', 'valuesort'] as const;
export type SortMode = (typeof SORT_MODES)[number];

/** What a statement must do. */
export type Expectation =
  | { readonly kind: 'ok' }
  | { readonly kind: 'count'; readonly count: number }
  | { readonly kind: 'notice'; readonly pattern: RegExp }
  | ExpectedError;

export interface ExpectedError {
  readonly kind: 'error';
  readonly code: string;
  /** 1-based, in characters; null: not checked. */
  readonly position: number | null;
  readonly pattern: RegExp;
}

/** Prefix directives, in force for the one record that follows. */
export interface Modifiers {
  readonly connection: string;
  readonly awaitMs: number;
  readonly isBackground: boolean;
  readonly skipIf: readonly string[];
  readonly onlyIf: readonly string[];
  /** What the HINT of the expected error, or notice, must match; null: not checked. */
  readonly hint: RegExp | null;
}

interface Placed {
  /** 1-based line of the record's own first line. */
  readonly line: number;
  /** The record's source lines: [firstLine, endLine), 0-based. */
  readonly endLine: number;
}

export interface StatementRecord extends Placed, Modifiers {
  readonly kind: 'statement';
  readonly sql: string;
  readonly expected: Expectation;
}

export interface QueryRecord extends Placed, Modifiers {
  readonly kind: 'query';
  readonly sql: string;
  readonly types: string;
  readonly sort: SortMode;
  readonly label: string | null;
  /** null: no `----`, checked by its label alone. */
  readonly results: readonly string[] | null;
  /** 0-based line of `----`. */
  readonly resultsLine: number;
}

/** A materialized view and the query that it must equal; later `check views` compare them. */
export interface ViewRecord extends Placed, Modifiers {
  readonly kind: 'view';
  readonly name: string;
  readonly query: string;
}

export interface FileRecord extends Placed, Modifiers {
  readonly kind: 'file';
  readonly mode: 'write' | 'append' | 'remove' | 'rename';
  readonly name: string;
  readonly target: string;
  readonly lines: readonly string[];
}

export interface ControlRecord extends Placed, Modifiers {
  readonly kind: 'restart' | 'kill9' | 'check_views' | 'halt' | 'reconnect';
}

export interface SetRecord extends Placed, Modifiers {
  readonly kind: 'set';
  readonly name: string;
  readonly value: string;
}

export interface IncludeRecord extends Placed, Modifiers {
  readonly kind: 'include';
  readonly path: string;
}

export type SltRecord =
  | StatementRecord
  | QueryRecord
  | ViewRecord
  | FileRecord
  | ControlRecord
  | SetRecord
  | IncludeRecord;

export interface SltFile {
  readonly path: string;
  readonly lines: readonly string[];
  /** Flags of the server that the file needs: `server --flag value`. Such a file has a server of its own. */
  readonly serverArgs: readonly string[];
  /** Whether it needs a data directory that outlives the process. */
  readonly isDurable: boolean;
  readonly records: readonly SltRecord[];
}

export class SltSyntaxError extends Error {
  override readonly name = 'SltSyntaxError';
}

const NO_MODIFIERS: Modifiers = {
  connection: 'default',
  awaitMs: 0,
  isBackground: false,
  skipIf: [],
  onlyIf: [],
  hint: null,
};

const RESULTS = '----';

/** Parses a file; throws SltSyntaxError with path and line. */
export function parseSlt(path: string, text: string): SltFile {
  return new SltParser(path, text.split('\n')).parse();
}

class SltParser {
  readonly #path: string;
  readonly #lines: readonly string[];
  #at = 0;
  #modifiers: Modifiers = NO_MODIFIERS;
  readonly #records: SltRecord[] = [];
  #serverArgs: string[] = [];
  #isDurable = false;

  constructor(path: string, lines: readonly string[]) {
    this.#path = path;
    this.#lines = lines;
  }

  parse(): SltFile {
    while (this.#at < this.#lines.length) this.#line();
    return {
      path: this.#path,
      lines: this.#lines,
      serverArgs: this.#serverArgs,
      isDurable: this.#isDurable,
      records: this.#records,
    };
  }

  #line(): void {
    const line = this.#lines[this.#at]!;
    if (line.trim() === '' || line.startsWith('#')) {
      this.#at++;
      return;
    }
    const words = line.trim().split(/\s+/);
    if (this.#modifier(words, line)) {
      this.#at++;
      return;
    }
    const record = this.#record(words, line);
    if (record !== null) this.#records.push(record);
    this.#modifiers = NO_MODIFIERS;
  }

  /** Takes a prefix directive; false: it is a record. */
  #modifier(words: readonly string[], line: string): boolean {
    const before = this.#modifiers;
    const word = words[1] ?? '';
    switch (words[0]) {
      case 'connection':
        this.#modifiers = { ...before, connection: word };
        return true;
      case 'await':
        this.#modifiers = { ...before, awaitMs: this.#number(word) };
        return true;
      case 'background':
        this.#modifiers = { ...before, isBackground: true };
        return true;
      case 'skipif':
        this.#modifiers = { ...before, skipIf: [...before.skipIf, word] };
        return true;
      case 'onlyif':
        this.#modifiers = { ...before, onlyIf: [...before.onlyIf, word] };
        return true;
      case 'hint':
        this.#modifiers = { ...before, hint: this.#pattern(line, /^\s*\S+\s*/, this.#at) };
        return true;
      default:
        return false;
    }
  }

  #record(words: readonly string[], line: string): SltRecord | null {
    const start = this.#at++;
    const placed = { ...this.#modifiers, line: start + 1 };
    switch (words[0]) {
      case 'statement':
        return this.#statement(words, line, placed);
      case 'query':
        return this.#query(words, line, placed);
      case 'view':
        return {
          ...placed,
          kind: 'view',
          name: words[1]!,
          query: this.#block(),
          endLine: this.#at,
        };
      case 'file':
        return this.#file(words, placed);
      case 'check':
        return { ...placed, kind: 'check_views', endLine: this.#at };
      case 'restart':
      case 'kill9':
        this.#isDurable = true;
        return { ...placed, kind: words[0], endLine: this.#at };
      case 'reconnect':
      case 'halt':
        return { ...placed, kind: words[0], endLine: this.#at };
      case 'set':
        return {
          ...placed,
          kind: 'set',
          name: words[1]!,
          value: words.slice(2).join(' '),
          endLine: this.#at,
        };
      case 'include':
        return { ...placed, kind: 'include', path: words[1]!, endLine: this.#at };
      case 'server':
        this.#serverArgs = [...this.#serverArgs, ...words.slice(1)];
        return null;
      case 'durable':
        this.#isDurable = true;
        return null;
      default:
        return this.#fail(start, `unknown directive ${JSON.stringify(words[0])}`);
    }
  }

  #statement(
    words: readonly string[],
    line: string,
    placed: Modifiers & { line: number },
  ): StatementRecord {
    const expected = this.#expectation(words, line, placed.line - 1);
    const sql = this.#block();
    return { ...placed, kind: 'statement', sql, expected, endLine: this.#at };
  }

  #expectation(words: readonly string[], line: string, at: number): Expectation {
    switch (words[1]) {
      case 'ok':
        return { kind: 'ok' };
      case 'count':
        return { kind: 'count', count: this.#number(words[2] ?? '') };
      case 'notice':
        return { kind: 'notice', pattern: this.#pattern(line, /^\s*\S+\s+\S+\s*/, at) };
      case 'error':
        return this.#error(words[2] ?? '', line, at);
      default:
        return this.#fail(at, 'statement ok | count N | error SQLSTATE regexp | notice regexp');
    }
  }

  #error(word: string, line: string, at: number): ExpectedError {
    const parts = /^([0-9A-Z]{5})(?:@(\d+))?$/.exec(word);
    if (parts === null) return this.#fail(at, `${word} is not SQLSTATE or SQLSTATE@position`);
    return {
      kind: 'error',
      code: parts[1]!,
      position: parts[2] === undefined ? null : Number(parts[2]),
      pattern: this.#pattern(line, /^\s*\S+\s+\S+\s+\S+\s*/, at),
    };
  }

  #query(
    words: readonly string[],
    line: string,
    placed: Modifiers & { line: number },
  ): QueryRecord | StatementRecord {
    if (words[1] === 'error') return this.#statement(words, line, placed);
    const types = words[1] ?? '';
    if (!/^[BIRT]+$/.test(types)) this.#fail(placed.line - 1, 'query types are of B, I, R, T');
    const hasSort = SORT_MODES.some((mode) => mode === words[2]);
    const sort = hasSort ? (words[2] as SortMode) : 'nosort';
    const label = words[hasSort ? 3 : 2] ?? null;
    const sql = this.#block();
    const resultsLine = this.#at;
    const results = this.#results();
    return {
      ...placed,
      kind: 'query',
      sql,
      types,
      sort,
      label,
      results,
      resultsLine,
      endLine: this.#at,
    };
  }

  #file(words: readonly string[], placed: Modifiers & { line: number }): FileRecord {
    const mode = words[1];
    if (mode === 'remove' || mode === 'rename') {
      const target = words[3] ?? '';
      return {
        ...placed,
        kind: 'file',
        mode,
        name: words[2]!,
        target,
        lines: [],
        endLine: this.#at,
      };
    }
    if (mode !== 'write' && mode !== 'append') {
      return this.#fail(placed.line - 1, 'file write | append | remove | rename NAME');
    }
    const lines: string[] = [];
    while (this.#at < this.#lines.length && this.#lines[this.#at] !== RESULTS) {
      lines.push(this.#lines[this.#at++]!);
    }
    this.#at++;
    return { ...placed, kind: 'file', mode, name: words[2]!, target: '', lines, endLine: this.#at };
  }

  /** SQL up to `----` or an empty line. */
  #block(): string {
    const lines: string[] = [];
    while (this.#at < this.#lines.length) {
      const line = this.#lines[this.#at]!;
      if (line === '' || line === RESULTS) break;
      lines.push(line);
      this.#at++;
    }
    return lines.join('\n');
  }

  #results(): readonly string[] | null {
    if (this.#lines[this.#at] !== RESULTS) return null;
    const lines: string[] = [];
    this.#at++;
    while (this.#at < this.#lines.length && this.#lines[this.#at] !== '') {
      lines.push(this.#lines[this.#at++]!);
    }
    return lines;
  }

  #pattern(line: string, before: RegExp, at: number): RegExp {
    try {
      return new RegExp(line.replace(before, ''), 'u');
    } catch (error) {
      return this.#fail(at, (error as Error).message);
    }
  }

  #number(word: string): number {
    if (!/^\d+$/.test(word)) this.#fail(this.#at, `${JSON.stringify(word)} is not a number`);
    return Number(word);
  }

  #fail(at: number, reason: string): never {
    throw new SltSyntaxError(`${this.#path}:${at + 1}: ${reason}`);
  }
}
