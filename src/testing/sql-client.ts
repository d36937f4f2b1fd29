/** A connection for tests: `pg` with every value as the text that the server sent, errors with SQLSTATE and position. */

import assert from 'node:assert/strict';
import pg from 'pg';
import { copyIn } from './copy-in.ts';
import { polled } from './polled.ts';

const AS_TEXT = { getTypeParser: () => (value: unknown) => value };

export type TextRow = readonly (string | null)[];

export interface TextResult {
  readonly command: string;
  /** Type OIDs of the columns; empty for a statement without rows. */
  readonly oids: readonly number[];
  readonly columns: readonly string[];
  readonly rows: readonly TextRow[];
  readonly rowCount: number | null;
}

/** What an ErrorResponse said. */
export interface ServerError {
  readonly code: string;
  readonly message: string;
  readonly position: number | null;
  readonly detail: string | null;
  readonly hint: string | null;
}

/** The error that the server sent, or null when `error` is another one (a lost connection, say). */
export function serverError(error: unknown): ServerError | null {
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return null;
  const { code, message, position, detail, hint } = error;
  return {
    code,
    message,
    position: position === undefined ? null : Number(position),
    detail: detail ?? null,
    hint: hint ?? null,
  };
}

/** Without a hint it has an empty one. */
export interface Notice {
  readonly message: string;
  readonly hint: string;
}

export class SqlClient {
  readonly #timeoutMs: number;
  readonly #notices: Notice[] = [];
  #client: pg.Client;
  #isLost = false;

  private constructor(url: string, timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
    this.#client = this.#made(url);
  }

  static async connect(url: string, timeoutMs = 30_000): Promise<SqlClient> {
    const made = new SqlClient(url, timeoutMs);
    await made.#client.connect();
    return made;
  }

  /** A new connection in the place of one that was closed or whose server has ended. */
  async reconnect(url: string): Promise<void> {
    this.#client = this.#made(url);
    this.#isLost = false;
    await this.#client.connect();
  }

  #made(url: string): pg.Client {
    const client = new pg.Client({
      connectionString: url,
      query_timeout: this.#timeoutMs,
      connectionTimeoutMillis: 10_000,
    });
    client.on('notice', ({ message = '', hint = '' }) => this.#notices.push({ message, hint }));
    client.on('error', () => {
      if (client === this.#client) this.#isLost = true;
    });
    return client;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** NOTICEs since the last call. */
  takeNotices(): Notice[] {
    return this.#notices.splice(0);
  }

  /** The messages of NOTICEs since the last call. */
  takeNoticeTexts(): string[] {
    return this.takeNotices().map(({ message }) => message);
  }

  /** Runs a text (simple query protocol); the result is that of its last statement. */
  async query(text: string): Promise<TextResult> {
    const answer = await this.#client.query({ text, rowMode: 'array', types: AS_TEXT });
    const last = (Array.isArray(answer) ? answer.at(-1) : answer) as pg.QueryArrayResult<
      (string | null)[]
    >;
    return {
      command: last.command,
      oids: last.fields.map((field) => field.dataTypeID),
      columns: last.fields.map((field) => field.name),
      rows: last.rows,
      rowCount: last.rowCount,
    };
  }

  /** COPY ... FROM STDIN; the number of rows. */
  copyIn(sql: string, data: string): Promise<number> {
    return copyIn(this.#client, sql, data);
  }

  /** One value. */
  async value(text: string): Promise<string | null> {
    const { rows } = await this.query(text);
    return rows[0]?.[0] ?? null;
  }

  /** Asks until these are the rows; fails with the difference when they are not after `withinMs` (polled.ts). */
  async awaitRows(query: string, expected: readonly TextRow[], withinMs?: number): Promise<void> {
    const wanted = JSON.stringify(expected);
    const ask = async () => (await this.query(query)).rows;
    const rows = await polled(ask, (answer) => JSON.stringify(answer) === wanted, withinMs);
    assert.deepEqual({ query, rows }, { query, rows: expected });
  }

  /** Asks until the one value is this one, as `awaitRows` does. */
  async awaitValue(query: string, expected: string, withinMs?: number): Promise<void> {
    const value = await polled(
      () => this.value(query),
      (answer) => answer === expected,
      withinMs,
    );
    assert.deepEqual({ query, value }, { query, value: expected });
  }

  /** The error that the statement is refused with. */
  async refused(statement: string): Promise<ServerError> {
    const error = await this.query(statement).then(
      () => null,
      (reason: unknown) => serverError(reason) ?? Promise.reject(reason),
    );
    assert.ok(error, `${statement} was not refused`);
    return error;
  }

  async close(): Promise<void> {
    if (this.#isLost) return;
    await this.#client.end().catch(() => undefined);
  }
}
