/**
 * Runs the records of an .slt file against a server, in order. A record that fails is noted and the rest goes on, so that one
 * run shows everything that is wrong; a lost server ends the file. With `complete`, results are taken from the server and the
 * file's new text is returned instead.
 */

import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import {
  type Notice,
  type ServerError,
  SqlClient,
  serverError,
  type TextResult,
} from '../sql-client.ts';
import {
  type Expectation,
  type ExpectedError,
  type FileRecord,
  parseSlt,
  type QueryRecord,
  type SltFile,
  type SltRecord,
  type StatementRecord,
  type ViewRecord,
} from './parse.ts';
import { difference, resultLines, typeLetters } from './results.ts';

/** The server that a file runs on. */
export interface SltTarget {
  url(): string;
  restart(): Promise<void>;
  kill9(): Promise<void>;
  /** The end of the server's log, for reports. */
  log(): string;
  isAlive(): boolean;
}

export interface SltOptions {
  /** What `onlyif` and `skipif` may name. */
  readonly labels: ReadonlySet<string>;
  /** Sent on each new connection. */
  readonly setup: readonly string[];
  /** Directory of the files that `file` writes; `${files}` in SQL. */
  readonly filesDirectory: string;
  readonly isCompleting?: boolean;
}

export interface SltOutcome {
  readonly recordCount: number;
  readonly failures: readonly string[];
  /** The file with the server's results; only when completing. */
  readonly completed: string | null;
}

/** Failures after which a file is given up: what follows depends on what failed. */
const FAILURES_MAX = 25;
const RETRY_MS = 20;

export async function runSlt(
  file: SltFile,
  target: SltTarget,
  options: SltOptions,
): Promise<SltOutcome> {
  const run = new SltRun(file, target, options);
  try {
    return await run.run();
  } finally {
    await run.close();
  }
}

class SltRun {
  readonly #file: SltFile;
  readonly #target: SltTarget;
  readonly #options: SltOptions;
  readonly #connections = new Map<string, SqlClient>();
  readonly #background = new Map<string, Promise<void>>();
  readonly #labels = new Map<string, string>();
  readonly #views = new Map<string, string>();
  readonly #variables: Map<string, string>;
  readonly #failures: string[] = [];
  /** Lines that `--complete` puts in place of [from, to). */
  readonly #edits: { readonly from: number; readonly to: number; readonly lines: string[] }[] = [];
  #recordCount = 0;

  constructor(file: SltFile, target: SltTarget, options: SltOptions) {
    this.#file = file;
    this.#target = target;
    this.#options = options;
    this.#variables = new Map([['files', options.filesDirectory]]);
  }

  async run(): Promise<SltOutcome> {
    await this.#records(this.#file);
    for (const pending of this.#background.values()) await pending;
    const completed = this.#options.isCompleting === true ? this.#completedText() : null;
    return { recordCount: this.#recordCount, failures: this.#failures, completed };
  }

  async close(): Promise<void> {
    for (const client of this.#connections.values()) await client.close();
    this.#connections.clear();
  }

  async #records(file: SltFile): Promise<void> {
    for (const record of file.records) {
      if (record.kind === 'halt') return;
      if (!this.#applies(record)) continue;
      if (this.#failures.length >= FAILURES_MAX) {
        this.#failures.push(`${file.path}:${record.line}: given up after ${FAILURES_MAX} failures`);
        return;
      }
      await this.#checked(file, record);
      if (!this.#target.isAlive()) {
        this.#failures.push(`${file.path}:${record.line}: the server died:\n${this.#target.log()}`);
        return;
      }
    }
  }

  #applies(record: SltRecord): boolean {
    const { labels } = this.#options;
    return (
      record.skipIf.every((label) => !labels.has(label)) &&
      record.onlyIf.every((label) => labels.has(label))
    );
  }

  async #checked(file: SltFile, record: SltRecord): Promise<void> {
    this.#recordCount++;
    const note = (problem: string): void => {
      const sql = 'sql' in record ? `\n${record.sql}` : '';
      this.#failures.push(`${file.path}:${record.line}: ${problem}${sql}`);
    };
    const check = async (): Promise<void> => {
      const deadline = performance.now() + record.awaitMs;
      for (;;) {
        const problem = await this.#attempt(record).catch((error) => String(error));
        if (problem === null) return;
        if (performance.now() >= deadline) return note(problem);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    };
    await this.#background.get(record.connection);
    if (record.isBackground) this.#background.set(record.connection, check());
    else await check();
  }

  /** Runs a record once; null: as expected. */
  async #attempt(record: SltRecord): Promise<string | null> {
    switch (record.kind) {
      case 'statement':
        return this.#statement(record);
      case 'query':
        return this.#query(record);
      case 'view':
        return this.#view(record);
      case 'check_views':
        return this.#checkViews(record.connection);
      case 'file':
        return this.#writeFile(record);
      case 'restart':
      case 'kill9':
        return this.#newServer(record.kind);
      case 'reconnect':
        return this.#reconnect(record.connection);
      case 'set':
        this.#variables.set(record.name, this.#substituted(record.value));
        return null;
      case 'include':
        return this.#include(record.path);
      case 'halt':
        return null;
    }
  }

  async #client(name: string): Promise<SqlClient> {
    const known = this.#connections.get(name);
    if (known !== undefined && !known.isLost) return known;
    const client = await SqlClient.connect(this.#target.url());
    this.#connections.set(name, client);
    for (const sql of this.#options.setup) await client.query(sql);
    return client;
  }

  #substituted(sql: string): string {
    return sql.replace(/\$\{(\w+)\}/g, (whole, name: string) => this.#variables.get(name) ?? whole);
  }

  async #statement(record: StatementRecord): Promise<string | null> {
    const client = await this.#client(record.connection);
    client.takeNotices();
    let result: TextResult;
    try {
      result = await client.query(this.#substituted(record.sql));
    } catch (error) {
      const hint = serverError(error)?.hint ?? '';
      return errorProblem(record.expected, error) ?? hintProblem(record.hint, [hint]);
    }
    const notices = client.takeNotices();
    const hints = notices.map((notice) => notice.hint);
    return successProblem(record.expected, result, notices) ?? hintProblem(record.hint, hints);
  }

  async #query(record: QueryRecord): Promise<string | null> {
    const client = await this.#client(record.connection);
    let result: TextResult;
    try {
      result = await client.query(this.#substituted(record.sql));
    } catch (error) {
      return `expected rows, got ${described(error)}`;
    }
    const got = resultLines(result, record.sort);
    const letters = typeLetters(result);
    if (this.#options.isCompleting === true) {
      this.#complete(record, letters, got);
      return null;
    }
    if (letters !== record.types) return `expected types ${record.types}, got ${letters}`;
    return this.#resultProblem(record, got);
  }

  #resultProblem(record: QueryRecord, got: readonly string[]): string | null {
    if (record.label !== null) {
      const before = this.#labels.get(record.label);
      if (before === undefined) this.#labels.set(record.label, got.join('\n'));
      else if (before !== got.join('\n')) {
        return `not what label ${record.label} gave before:\n${difference(before.split('\n'), got, record.sort)}`;
      }
    }
    return record.results === null ? null : difference(record.results, got, record.sort);
  }

  #complete(record: QueryRecord, letters: string, got: string[]): void {
    const sort = record.sort === 'nosort' ? '' : ` ${record.sort}`;
    const label = record.label === null ? '' : ` ${record.label}`;
    const header = `query ${letters}${sort}${label}`;
    this.#edits.push({ from: record.line - 1, to: record.line, lines: [header] });
    this.#edits.push({ from: record.resultsLine, to: record.endLine, lines: ['----', ...got] });
  }

  #completedText(): string {
    const lines = [...this.#file.lines];
    for (const { from, to, lines: fresh } of [...this.#edits].sort((a, b) => b.from - a.from)) {
      lines.splice(from, to - from, ...fresh);
    }
    return lines.join('\n');
  }

  async #view(record: ViewRecord): Promise<string | null> {
    const client = await this.#client(record.connection);
    const query = this.#substituted(record.query);
    try {
      await client.query(`CREATE MATERIALIZED VIEW ${record.name} AS ${query}`);
    } catch (error) {
      return `CREATE MATERIALIZED VIEW ${record.name}: ${described(error)}\n${query}`;
    }
    this.#views.set(record.name, query);
    return this.#viewProblem(client, record.name, query);
  }

  /** Every view of the file equals its query. */
  async #checkViews(connection: string): Promise<string | null> {
    const client = await this.#client(connection);
    const problems: string[] = [];
    for (const [name, query] of this.#views) {
      this.#recordCount++;
      const problem = await this.#viewProblem(client, name, query);
      if (problem !== null) problems.push(problem);
    }
    return problems.length === 0 ? null : problems.join('\n');
  }

  async #viewProblem(client: SqlClient, name: string, query: string): Promise<string | null> {
    try {
      const direct = resultLines(await client.query(query), 'rowsort');
      const kept = resultLines(await client.query(`SELECT * FROM ${name}`), 'rowsort');
      const problem = difference(direct, kept, 'rowsort');
      return problem === null ? null : `view ${name} is not its query (${query}):\n${problem}`;
    } catch (error) {
      return `view ${name}: ${described(error)}`;
    }
  }

  #writeFile(record: FileRecord): null {
    const path = join(this.#options.filesDirectory, record.name);
    const text = record.lines.map((line) => `${line}\n`).join('');
    if (record.mode === 'write') writeFileSync(path, text);
    else if (record.mode === 'append') appendFileSync(path, text);
    else if (record.mode === 'remove') rmSync(path, { force: true });
    else renameSync(path, join(this.#options.filesDirectory, record.target));
    return null;
  }

  async #newServer(how: 'restart' | 'kill9'): Promise<string | null> {
    if (how === 'restart') await this.close();
    await (how === 'restart' ? this.#target.restart() : this.#target.kill9());
    await this.close();
    return null;
  }

  async #reconnect(name: string): Promise<null> {
    await this.#connections.get(name)?.close();
    this.#connections.delete(name);
    return null;
  }

  async #include(path: string): Promise<null> {
    const full = join(dirname(this.#file.path), path);
    await this.#records(parseSlt(full, readFileSync(full, 'utf8')));
    return null;
  }
}

function described(error: unknown): string {
  const server = serverError(error);
  if (server === null) return String(error);
  const position = server.position === null ? '' : ` at ${server.position}`;
  return `${server.code}${position}: ${server.message}`;
}

function errorProblem(expected: Expectation, error: unknown): string | null {
  const got = serverError(error);
  if (expected.kind !== 'error' || got === null) {
    return `expected ${shortly(expected)}, got ${described(error)}`;
  }
  return isAsExpected(expected, got)
    ? null
    : `expected ${shortly(expected)}\n     got ${described(error)}`;
}

/** `hints`: of the error, or of all notices. */
function hintProblem(expected: RegExp | null, hints: readonly string[]): string | null {
  if (expected === null || hints.some((hint) => expected.test(hint))) return null;
  return `expected the hint ${expected.source}, got ${JSON.stringify(hints)}`;
}

function isAsExpected(expected: ExpectedError, got: ServerError): boolean {
  return (
    expected.code === got.code &&
    expected.pattern.test(got.message) &&
    (expected.position === null || expected.position === got.position)
  );
}

function successProblem(
  expected: Expectation,
  result: TextResult,
  notices: readonly Notice[],
): string | null {
  switch (expected.kind) {
    case 'ok':
      return null;
    case 'count':
      return result.rowCount === expected.count
        ? null
        : `expected count ${expected.count}, got ${result.rowCount}`;
    case 'notice':
      return notices.some(({ message }) => expected.pattern.test(message))
        ? null
        : `expected a notice ${expected.pattern}, got ${JSON.stringify(notices)}`;
    case 'error': {
      const rows = result.rows.length === 0 ? '' : ` ${JSON.stringify(result.rows.slice(0, 3))}`;
      return `expected ${shortly(expected)}, got ${result.command}${rows}`;
    }
  }
}

function shortly(expected: Expectation): string {
  if (expected.kind !== 'error') return expected.kind;
  const position = expected.position === null ? '' : ` at ${expected.position}`;
  return `${expected.code}${position}: ${expected.pattern.source}`;
}
