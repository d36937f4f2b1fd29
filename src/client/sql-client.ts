/** A plain SQL client for what this project runs on its own server: texts in, rows of texts out. */

import pg from 'pg';
import { formatTable } from './result-table.ts';

const NUMERIC_OIDS = new Set([20, 21, 23, 26, 700, 701, 1700]);

export interface SqlResult {
  readonly columns: readonly { readonly name: string; readonly isNumeric: boolean }[];
  readonly rows: (string | null)[][];
}

export class SqlClient {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  static async connect(url: string): Promise<SqlClient> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return new SqlClient(client);
  }

  /** Runs one statement. */
  async query(text: string): Promise<SqlResult> {
    const { fields, rows } = await this.#client.query<(string | null)[]>({
      text,
      rowMode: 'array',
      types: { getTypeParser: () => (value: string) => value },
    });
    const columns = fields.map(({ name, dataTypeID }) => ({
      name,
      isNumeric: NUMERIC_OIDS.has(dataTypeID),
    }));
    return { columns, rows };
  }

  /** The result as psql shows it. */
  async table(text: string): Promise<string> {
    const { columns, rows } = await this.query(text);
    return formatTable(columns, rows);
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
