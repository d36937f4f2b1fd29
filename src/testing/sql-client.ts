/** A connection for tests: `pg` with every value as the text that the server sent, errors with SQLSTATE and position. */

import pg from 'pg';
import { copyIn } from './copy-in.ts';

const AS_TEXT = { getTypeParser: () => (value: unknown) => value };

export interface TextResult {
  readonly command: string;
  /** Type OIDs of the columns; empty for a statement without rows. */
  readonly oids: readonly number[];
  readonly columns: readonly string[];
  readonly rows: readonly (readonly (string | null)[])[];
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

export class SqlClient {
  readonly #client: pg.Client;
  readonly #notices: string[] = [];
  #isLost = false;

  private constructor(client: pg.Client) {
    this.#client = client;
    client.on('notice', (notice) => this.#notices.push(notice.message ?? ''));
    client.on('error', () => {
      this.#isLost = true;
    });
  }

  static async connect(url: string, timeoutMs = 30_000): Promise<SqlClient> {
    const client = new pg.Client({
      connectionString: url,
      query_timeout: timeoutMs,
      connectionTimeoutMillis: 10_000,
    });
    const made = new SqlClient(client);
    await client.connect();
    return made;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Messages of NOTICEs since the last call. */
  takeNotices(): string[] {
    return this.#notices.splice(0);
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

  async close(): Promise<void> {
    if (this.#isLost) return;
    await this.#client.end().catch(() => undefined);
  }
}
