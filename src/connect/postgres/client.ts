/** PostgresClient: one connection to a PostgreSQL server; texts in, texts out. One call at a time. */

import { Socket } from 'node:net';
import pg from 'pg';
import { PostgresError, postgresErrorOf } from './postgres-error.ts';

/** JSON. */
export interface PostgresConfig {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | null;
  readonly database: string;
  /** null: without TLS. */
  readonly tls: {
    /** PEM; null: the system's authorities. */
    readonly ca: string | null;
    readonly isVerified: boolean;
    /** Whether the certificate has to name the host. */
    readonly namesHost: boolean;
  } | null;
}

const CONNECT_MS_MAX = 10_000;
const QUERY_MS_MAX = 120_000;
/** Texts mean the same whatever is configured there, and nobody waits for a dead client's locks for long. */
const SESSION = `SET datestyle = 'ISO, MDY'; SET intervalstyle = 'postgres'; SET timezone = 'UTC';
  SET standard_conforming_strings = on; SET lock_timeout = '10s';
  SET idle_in_transaction_session_timeout = '60s';
  SELECT set_config('synchronous_commit', 'on', false)
  WHERE current_setting('synchronous_commit') = 'off'`;

export class PostgresClient {
  readonly #client: pg.Client;
  readonly #socket: Socket;

  private constructor(client: pg.Client, socket: Socket) {
    this.#client = client;
    this.#socket = socket;
  }

  /** PostgresError where it cannot be reached, or refuses the login. */
  static async connect(config: PostgresConfig): Promise<PostgresClient> {
    const socket = new Socket();
    const { host, port, user, database, password } = config;
    const client = new pg.Client({
      ...{ host, port, user, database, stream: () => socket, ssl: tlsOf(config) },
      // Without one the library would look into the environment.
      password: password ?? '',
      application_name: 'millrace',
      keepAlive: true,
      connectionTimeoutMillis: CONNECT_MS_MAX,
      query_timeout: QUERY_MS_MAX,
    });
    // A lost connection also fails the next query, which is where it is dealt with.
    client.on('error', () => undefined);
    const connected = new PostgresClient(client, socket);
    try {
      await client.connect();
      await client.query(SESSION);
    } catch (error) {
      connected.close();
      throw postgresErrorOf(error);
    }
    return connected;
  }

  /** Runs one statement. */
  async query(text: string, parameters: readonly unknown[] = []): Promise<(string | null)[][]> {
    try {
      const { rows } = await this.#client.query<(string | null)[]>({
        text,
        values: [...parameters],
        rowMode: 'array',
        types: { getTypeParser: () => (value: string) => value },
      });
      return rows;
    } catch (error) {
      throw postgresErrorOf(error);
    }
  }

  /** At once; a running transaction is lost. */
  close(): void {
    this.#socket.destroy();
  }
}

function tlsOf({ tls }: PostgresConfig): pg.ClientConfig['ssl'] {
  if (tls === null) return false;
  const { ca, isVerified, namesHost } = tls;
  return {
    rejectUnauthorized: isVerified,
    ...(ca === null ? {} : { ca }),
    ...(namesHost ? {} : { checkServerIdentity: () => undefined }),
  };
}

/** A name as SQL text. */
export function quoted(name: string): string {
  if (name.includes('\0')) throw new PostgresError('a name holds a zero byte', '22021');
  return `"${name.replaceAll('"', '""')}"`;
}
