/** The servers that .slt files run on: one for all files of a configuration, and one of its own for a file that restarts it. */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ServerOptions, ServerProcess } from '../server-process.ts';
import { SqlClient } from '../sql-client.ts';
import type { Configuration } from './configurations.ts';
import { parseSlt, type SltFile } from './parse.ts';
import { runSlt, type SltOutcome, type SltTarget } from './runner.ts';

/** Schemas that are the system's own. */
const USER_SCHEMAS = `SELECT quote_ident(nspname) FROM pg_namespace
  WHERE nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'millrace')`;

/** Everything that earlier files made goes; `public` is empty again. */
export async function emptyDatabase(url: string): Promise<void> {
  const client = await SqlClient.connect(url);
  try {
    const { rows } = await client.query(USER_SCHEMAS);
    for (const [schema] of rows) await client.query(`DROP SCHEMA ${schema} CASCADE`);
    await client.query('CREATE SCHEMA public');
  } finally {
    await client.close();
  }
}

/** Runs files under one configuration. */
export class SltServers {
  readonly #configuration: Configuration;
  /** Where `file` records write, and what --file-root allows. */
  readonly #filesDirectory = mkdtempSync(join(tmpdir(), 'millrace-slt-'));

  #shared: ServerProcess | null = null;

  constructor(configuration: Configuration) {
    this.#configuration = configuration;
  }

  async run(path: string): Promise<SltOutcome> {
    const file = parseSlt(path, readFileSync(path, 'utf8'));
    if (!file.isDurable && file.serverArgs.length === 0) return this.#runShared(file);
    const server = await ServerProcess.start(this.#serverOptions(file));
    try {
      return await this.#runOn(file, server);
    } finally {
      await server.dispose();
    }
  }

  async close(): Promise<void> {
    await this.#shared?.dispose();
    rmSync(this.#filesDirectory, { recursive: true, force: true });
  }

  /** A server that died under one file is replaced for the next. */
  async #runShared(file: SltFile): Promise<SltOutcome> {
    if (this.#shared?.isRunning !== true) {
      await this.#shared?.dispose();
      this.#shared = await ServerProcess.start(this.#serverOptions(file));
    }
    await emptyDatabase(this.#shared.url);
    return this.#runOn(file, this.#shared);
  }

  #serverOptions(file: SltFile): ServerOptions {
    const { server } = this.#configuration;
    const flags = ['--file-root', this.#filesDirectory, '--log-level', 'warn'];
    return {
      ...server,
      args: [...(server.args ?? []), ...flags, ...file.serverArgs],
      ...(file.isDurable ? {} : { dataDir: ':memory:' }),
    };
  }

  #runOn(file: SltFile, server: ServerProcess): Promise<SltOutcome> {
    return runSlt(file, targetOf(server), {
      labels: new Set(['millrace', ...this.#configuration.labels]),
      setup: this.#configuration.setup,
      filesDirectory: this.#filesDirectory,
    });
  }
}

function targetOf(server: ServerProcess): SltTarget {
  return {
    url: () => server.url,
    log: () => server.log,
    isAlive: () => server.isRunning,
    restart: async () => {
      await server.stop();
      await server.restart();
    },
    kill9: async () => {
      await server.kill();
      await server.restart();
    },
  };
}
