/**
 * Runs a case: after every step each view must equal its own query as a plain SELECT (to the byte), and what PostgreSQL answers
 * (numbers by value, floats at 1e-12). A statement must fail on both with the same SQLSTATE or on neither.
 */

import { type SqlClient, serverError } from '../sql-client.ts';
import type { FuzzCase, Step } from './steps.ts';
import { forMillrace, forPostgres } from './two-texts.ts';

/** PostgreSQL, however it is reached. Errors thrown carry `code`. */
export interface Reference {
  exec(sql: string): Promise<void>;
  query(sql: string): Promise<{ readonly rows: readonly (readonly (string | null)[])[] }>;
}

export interface CaseTarget {
  client(): Promise<SqlClient>;
  /** null: nothing kills this server. */
  readonly kill9: (() => Promise<void>) | null;
  readonly reference: Reference | null;
}

export type FailureKind =
  | 'view is not its query'
  | 'not what PostgreSQL says'
  | 'error'
  | 'PostgreSQL refuses';

export interface Failure {
  readonly kind: FailureKind;
  /** Index of the step after which it showed. */
  readonly step: number;
  readonly view: string | null;
  readonly detail: string;
}

export interface CaseOutcome {
  readonly failure: Failure | null;
  readonly comparisonCount: number;
  /** Messages of 0A000. */
  readonly unsupported: readonly string[];
}

const NOT_SUPPORTED = '0A000';
const UNDEFINED_TABLE = '42P01';
const NUMERIC_OID = 1700;
const FLOAT8_OID = 701;

export async function runCase(
  fuzzCase: FuzzCase,
  target: CaseTarget,
  schema: string,
): Promise<CaseOutcome> {
  const run = new CaseRun(fuzzCase, target, schema);
  try {
    await run.begin();
    return await run.run();
  } finally {
    await run.end();
  }
}

class CaseRun {
  readonly #case: FuzzCase;
  readonly #target: CaseTarget;
  readonly #schema: string;
  readonly #views = new Map<string, { readonly text: string; readonly hasReference: boolean }>();
  readonly #unsupported: string[] = [];
  #comparisonCount = 0;

  constructor(fuzzCase: FuzzCase, target: CaseTarget, schema: string) {
    this.#case = fuzzCase;
    this.#target = target;
    this.#schema = schema;
  }

  async begin(): Promise<void> {
    await this.end();
    const sql = `CREATE SCHEMA ${this.#schema}; SET search_path = ${this.#schema}`;
    await (await this.#target.client()).query(sql);
    await this.#target.reference?.exec(`${sql}; SET timezone = 'UTC'`);
  }

  async end(): Promise<void> {
    const sql = `DROP SCHEMA IF EXISTS ${this.#schema} CASCADE`;
    const client = await this.#target.client();
    // A case that failed may have left a transaction open.
    await client.query('ROLLBACK');
    await client.query(sql);
    await this.#target.reference?.exec('ROLLBACK');
    await this.#target.reference?.exec(sql);
  }

  async run(): Promise<CaseOutcome> {
    let failure: Failure | null = null;
    for (const [index, step] of this.#case.steps.entries()) {
      failure = await this.#step(index, step);
      failure ??= await this.#compare(index);
      if (failure !== null) break;
    }
    return { failure, comparisonCount: this.#comparisonCount, unsupported: this.#unsupported };
  }

  async #step(index: number, step: Step): Promise<Failure | null> {
    switch (step.kind) {
      case 'table':
        return this.#both(index, step.text);
      case 'view':
        return this.#createView(index, step.name, step.text);
      case 'change':
        return this.#change(index, step.statements, step.end);
      case 'kill': {
        if (this.#target.kill9 === null) return null;
        await this.#target.kill9();
        await (await this.#target.client()).query(`SET search_path = ${this.#schema}`);
        return null;
      }
    }
  }

  async #change(
    index: number,
    statements: readonly string[],
    end: string,
  ): Promise<Failure | null> {
    const isAlone = statements.length === 1 && end === 'COMMIT';
    const texts = isAlone ? statements : ['BEGIN', ...statements, end];
    for (const text of texts) {
      const failure = await this.#both(index, text);
      if (failure !== null) return failure;
    }
    return null;
  }

  /** Runs a statement on both: what one says the other must say. */
  async #both(index: number, text: string): Promise<Failure | null> {
    const ours = await codeOf(async () => (await this.#target.client()).query(forMillrace(text)));
    const { reference } = this.#target;
    if (reference === null) return null;
    const theirs = await codeOf(() => reference.exec(forPostgres(text)));
    if (ours.code === theirs.code) return null;
    const detail = `${forMillrace(text)}\nMillrace: ${ours.text}\nPostgreSQL: ${theirs.text}`;
    return { kind: 'error', step: index, view: null, detail };
  }

  async #createView(index: number, name: string, text: string): Promise<Failure | null> {
    const sql = `CREATE MATERIALIZED VIEW ${name} AS ${forMillrace(text)}`;
    const ours = await codeOf(async () => (await this.#target.client()).query(sql));
    if (ours.code === UNDEFINED_TABLE) return null;
    if (ours.code === NOT_SUPPORTED) {
      this.#unsupported.push(ours.text);
      return null;
    }
    if (ours.code !== '') {
      return { kind: 'error', step: index, view: name, detail: `${sql}\n${ours.text}` };
    }
    const hasReference = await this.#referenceView(name, text);
    if (typeof hasReference === 'string') {
      return { kind: 'PostgreSQL refuses', step: index, view: name, detail: hasReference };
    }
    this.#views.set(name, { text, hasReference });
    return null;
  }

  async #referenceView(name: string, text: string): Promise<boolean | string> {
    const { reference } = this.#target;
    if (reference === null) return false;
    const sql = `CREATE VIEW ${name} AS ${forPostgres(text)}`;
    const theirs = await codeOf(() => reference.exec(sql));
    if (theirs.code === '') return true;
    return theirs.code === NOT_SUPPORTED || theirs.code === UNDEFINED_TABLE
      ? false
      : `${sql}\n${theirs.text}`;
  }

  async #compare(step: number): Promise<Failure | null> {
    for (const [name, { text, hasReference }] of this.#views) {
      const failure = await this.#compareView(step, name, forMillrace(text), hasReference);
      if (failure !== null) return failure;
    }
    return null;
  }

  async #compareView(
    step: number,
    view: string,
    query: string,
    hasReference: boolean,
  ): Promise<Failure | null> {
    const client = await this.#target.client();
    const kept = await rowsOf(() => client.query(`SELECT * FROM ${view}`));
    const direct = await rowsOf(() => client.query(query));
    const fail = (kind: FailureKind, text: string): Failure => ({
      ...{ kind, step, view },
      detail: `${query}\n${text}`,
    });
    // Where the query fails, the view fails too, or withholds rows (semantics.md rule 11).
    if (isDataError(direct) && (!isError(kept) || isDataError(kept))) return null;
    if (isError(direct)) return fail('error', `query: ${direct.text}`);
    if (isError(kept)) return fail('error', `view: ${kept.text}`);
    this.#comparisonCount++;
    const problem = difference(lines(kept.rows), lines(direct.rows), 'view', 'query');
    if (problem !== null) return fail('view is not its query', problem);
    if (!hasReference) return null;
    const theirs = await rowsOf(() => this.#target.reference!.query(`SELECT * FROM ${view}`));
    if (isDataError(theirs)) return null;
    if (isError(theirs)) return fail('PostgreSQL refuses', theirs.text);
    const ours = lines(byValue(kept.rows, direct.oids ?? []));
    const other = lines(byValue(theirs.rows, direct.oids ?? []));
    const unlike = difference(ours, other, 'Millrace', 'PostgreSQL');
    return unlike === null ? null : fail('not what PostgreSQL says', unlike);
  }
}

interface Answer {
  readonly rows: Rows;
  readonly oids?: readonly number[];
}

interface AnswerError {
  readonly code: string;
  readonly text: string;
}

async function rowsOf(run: () => Promise<Answer>): Promise<Answer | AnswerError> {
  let answer: Answer | null = null;
  const outcome = await codeOf(async () => {
    answer = await run();
  });
  return answer ?? outcome;
}

function isError(answer: Answer | AnswerError): answer is AnswerError {
  return 'code' in answer;
}

/** Class 22: a value that an expression cannot take. */
function isDataError(answer: Answer | AnswerError): answer is AnswerError {
  return isError(answer) && answer.code.startsWith('22');
}

type Rows = readonly (readonly (string | null)[])[];

/** Numbers by value: 1.0 and 1.00, 0 and -0 are one; floats to 12 digits. */
function byValue(rows: Rows, oids: readonly number[]): Rows {
  return rows.map((row) => row.map((value, i) => normalized(value, oids[i])));
}

function normalized(value: string | null, oid: number | undefined): string | null {
  if (value === null) return null;
  if (oid === NUMERIC_OID && value.includes('.'))
    return value.replace(/\.?0+$/, '').replace(/^-0$/, '0');
  if (oid !== FLOAT8_OID || !Number.isFinite(Number(value))) return value;
  const rounded = Number(Number(value).toPrecision(12));
  return String(rounded === 0 ? 0 : rounded);
}

function lines(rows: Rows): string[] {
  return rows.map((row) => row.map((value) => value ?? 'NULL').join('|')).sort();
}

const LINES_SHOWN = 6;

/** What one bag has and the other has not; null: equal. Both sorted. */
function difference(
  one: readonly string[],
  other: readonly string[],
  oneName: string,
  otherName: string,
): string | null {
  const onlyOne = without(one, other);
  const onlyOther = without(other, one);
  if (onlyOne.length === 0 && onlyOther.length === 0) return null;
  const shown = (name: string, all: readonly string[]): string =>
    `only ${name} (${all.length}):\n${all
      .slice(0, LINES_SHOWN)
      .map((line) => `  ${line}\n`)
      .join('')}`;
  return shown(oneName, onlyOne) + shown(otherName, onlyOther);
}

function without(all: readonly string[], taken: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const line of taken) counts.set(line, (counts.get(line) ?? 0) + 1);
  return all.filter((line) => {
    const count = counts.get(line) ?? 0;
    counts.set(line, count - 1);
    return count <= 0;
  });
}

async function codeOf(run: () => Promise<unknown>): Promise<{ code: string; text: string }> {
  try {
    await run();
    return { code: '', text: 'ok' };
  } catch (error) {
    const code = (error as { readonly code?: string }).code;
    if (code === undefined) throw error;
    return { code, text: described(error) };
  }
}

function described(error: unknown): string {
  const server = serverError(error);
  if (server !== null) return `${server.code}: ${server.message}`;
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  return `${code ?? ''}: ${message ?? String(error)}`;
}
