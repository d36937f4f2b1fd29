/** The server under measurement: a real process on a data directory of its own, with clients and what it has used. */

import pg from 'pg';
import { ServerProcess } from '../src/testing/server-process.ts';
import { threadsOf, type Usage, usageOf } from './process-usage.ts';

export interface MeasuredServerOptions {
  /** false: `--data-dir :memory:`. */
  readonly isDurable: boolean;
  readonly workers?: number;
  /** Further flags. */
  readonly args?: readonly string[];
}

/** What is waited for takes seconds; a question takes the server about 2 ms of CPU. */
const POLL_MS = 50;
const WAIT_SECONDS_MAX = 1800;

export class MeasuredServer {
  readonly process: ServerProcess;
  readonly #clients: pg.Client[] = [];

  private constructor(process: ServerProcess) {
    this.process = process;
  }

  static async start(given: MeasuredServerOptions): Promise<MeasuredServer> {
    const { isDurable, workers = 1 } = given;
    const args = ['--workers', String(workers), '--log-level', 'warn', ...(given.args ?? [])];
    const options = isDurable ? { args } : { args, dataDir: ':memory:' };
    return new MeasuredServer(await ServerProcess.start(options));
  }

  get usage(): Usage {
    return usageOf(this.process.pid);
  }

  /** CPU seconds of each thread, by name and number. */
  get threads(): ReadonlyMap<string, number> {
    return threadsOf(this.process.pid);
  }

  /** A new connection; closed by `stop`. */
  async connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.process.url });
    client.on('error', () => undefined);
    await client.connect();
    this.#clients.push(client);
    return client;
  }

  /** Ends the process and removes its directory. */
  async stop(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 300));
    if (!this.process.isRunning) process.stderr.write(`the server ended:\n${this.process.log}\n`);
    await Promise.all(this.#clients.map((client) => client.end().catch(() => undefined)));
    await this.process.dispose();
  }
}

/** Resolves when `query` answers with one true value; throws with its last answer after too long. */
export async function waitUntil(
  client: pg.Client,
  query: string,
  secondsMax: number = WAIT_SECONDS_MAX,
): Promise<void> {
  const deadline = performance.now() + secondsMax * 1000;
  for (;;) {
    const { rows } = await client.query<unknown[]>({ text: query, rowMode: 'array' });
    if (rows[0]?.[0] === true) return;
    if (performance.now() > deadline) {
      throw new Error(`not true within ${secondsMax} s: ${query}: ${JSON.stringify(rows[0])}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The rows of a query, every value as the text that came over the wire. */
export async function textRows(client: pg.Client, text: string): Promise<(string | null)[][]> {
  const { rows } = await client.query<(string | null)[]>({
    text,
    rowMode: 'array',
    types: { getTypeParser: () => (value: string) => value },
  });
  return rows;
}
