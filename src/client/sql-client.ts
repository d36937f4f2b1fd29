/** A plain SQL client for what this project runs on its own server: texts in, rows of texts out. */

import pg from 'pg';
import { formatTable } from './result-table.ts';

const NUMERIC_OIDS = new Set([20, 21, 23, 26, 700, 701, 1700]);

export interface SqlResult {
  readonly columns: readonly { readonly name: string; readonly isNumeric: boolean }[];
  readonly rows: (string | null)[][];
  /** The command tag as far as the driver keeps it: `INSERT 0 3`, `CREATE`. */
  readonly tag: string;
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
    const { fields, rows, command, rowCount } = await this.#client.query<(string | null)[]>({
      text,
      rowMode: 'array',
      types: { getTypeParser: () => (value: string) => value },
    });
    const columns = fields.map(({ name, dataTypeID }) => ({
      name,
      isNumeric: NUMERIC_OIDS.has(dataTypeID),
    }));
    const count = rowCount === null ? '' : `${command === 'INSERT' ? ' 0' : ''} ${rowCount}`;
    return { columns, rows, tag: `${command}${count}` };
  }

  /** The result as psql shows it. */
  async table(text: string): Promise<string> {
    const { columns, rows } = await this.query(text);
    return formatTable(columns, rows);
  }

  /** What psql prints as the answer: the table, or the tag. */
  async answer(text: string): Promise<string> {
    const { columns, rows, tag } = await this.query(text);
    return columns.length > 0 ? formatTable(columns, rows).trimEnd() : tag;
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
