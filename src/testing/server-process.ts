/**
 * The real server as a process, for tests: started on free ports with a data directory of its own, waited for by its ready
 * line, killed, stopped and started again on the same directory. What it logged is kept for failures.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SqlClient } from './sql-client.ts';

/** Time that a start may take before the test fails; generous, because the machine may be busy. */
const START_TIMEOUT_MS = 60_000;
const STOP_TIMEOUT_MS = 15_000;
const LOG_BYTES_KEPT = 8 * 1024;

const LAUNCHER = fileURLToPath(new URL('../launch.mjs', import.meta.url));
const TUNED_SERVER = fileURLToPath(new URL('./tuned-server.ts', import.meta.url));
const READY_LINE =
  /^millrace ready: (postgres:\/\/\S+)(?: (http:\/\/\S+))? data=(?:"[^"]*"|\S+) pid=(\d+)$/m;

/** What only tests change (server.ts: ServerTuning), as JSON. */
export interface Tuning {
  readonly batchRowsMax?: number;
  readonly epochRowsMax?: number;
  readonly checkpointIntervalMs?: number;
}

export interface ServerOptions {
  /** Data directory; absent: a temporary one, removed by `dispose`. `:memory:` keeps nothing. */
  readonly dataDir?: string;
  /** Further flags. */
  readonly args?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly tuning?: Tuning;
  /** What to run instead of the checkout's launcher (an installed package, say). */
  readonly launcher?: string;
  readonly isHttpOn?: boolean;
}

/** How a server process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A server that tests start, kill and start again. At most one process at a time runs on its directory. */
export class ServerProcess {
  readonly dataDir: string;
  readonly #options: ServerOptions;
  readonly #isDirectoryOurs: boolean;
  #child: ChildProcess | null = null;
  #exited: Promise<Exit> = Promise.resolve({ code: 0, signal: null });
  #hasExited = true;
  #url = '';
  #httpUrl: string | null = null;
  #log = '';
  #output = '';

  private constructor(options: ServerOptions) {
    this.#options = options;
    this.#isDirectoryOurs = options.dataDir === undefined;
    this.dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'millrace-test-'));
  }

  /** Starts a server and waits until it is ready. */
  static async start(options: ServerOptions = {}): Promise<ServerProcess> {
    const server = new ServerProcess(options);
    try {
      await server.restart();
    } catch (error) {
      await server.dispose();
      throw error;
    }
    return server;
  }

  /** A server that is not running yet: `restart` starts it. */
  static prepare(options: ServerOptions = {}): ServerProcess {
    return new ServerProcess(options);
  }

  /** Where its SQL port answers. */
  get url(): string {
    return this.#url;
  }

  /** Where its HTTP port answers; null: it has none. */
  get httpUrl(): string | null {
    return this.#httpUrl;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  get isRunning(): boolean {
    return !this.#hasExited;
  }

  /** The end of what it wrote to stderr, over all its runs. */
  get log(): string {
    return this.#log;
  }

  /** What this run wrote to stdout. */
  get output(): string {
    return this.#output;
  }

  /** Starts it (again) on its directory; the ports are new ones. */
  async restart(): Promise<void> {
    this.spawn();
    await this.ready();
  }

  /** Starts the process without waiting; `ready` does that. */
  spawn(): void {
    if (this.isRunning) throw new Error('the server runs already');
    const { tuning, args = [], environment = {}, launcher, isHttpOn = false } = this.#options;
    const script = launcher ?? (tuning === undefined ? LAUNCHER : TUNED_SERVER);
    const flags = [
      ...['--port', '0', '--http-port', isHttpOn ? '0' : 'off', '--data-dir', this.dataDir],
      ...args,
    ];
    const child = spawn(process.execPath, [script, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        ...process.env,
        NODE_TEST_CONTEXT: undefined,
        ...environment,
        ...(tuning === undefined ? {} : { MILLRACE_TEST_TUNING: JSON.stringify(tuning) }),
      },
    });
    this.#child = child;
    this.#hasExited = false;
    this.#output = '';
    child.stdout?.on('data', (bytes: Buffer) => {
      this.#output += bytes.toString();
    });
    child.stderr?.on('data', (bytes: Buffer) => {
      this.#log = (this.#log + bytes.toString()).slice(-LOG_BYTES_KEPT);
    });
    this.#exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#hasExited = true;
        resolve({ code, signal });
      });
    });
  }

  /** Resolves at the ready line; throws with the log when the process ends or takes too long. */
  async ready(timeoutMs: number = START_TIMEOUT_MS): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const found = READY_LINE.exec(this.#output);
      if (found !== null) {
        this.#url = found[1]!;
        this.#httpUrl = found[2] ?? null;
        return;
      }
      if (this.#hasExited) throw new Error(`the server ended before it was ready:\n${this.#log}`);
      if (performance.now() > deadline) {
        await this.kill();
        throw new Error(`the server was not ready after ${timeoutMs} ms:\n${this.#log}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** kill -9: nothing of the process runs any more when this resolves. */
  async kill(): Promise<void> {
    if (this.isRunning) this.#child?.kill('SIGKILL');
    await this.#exited;
  }

  /** kill -9 and a start on its directory, with `sql` connected to it again. */
  async killAndRestart(sql: SqlClient): Promise<void> {
    await this.kill();
    await this.restart();
    await sql.reconnect(this.#url);
  }

  /** SIGTERM, as a service manager does; throws when it does not end in time or not with 0. */
  async stop(): Promise<void> {
    if (!this.isRunning) return;
    this.#child?.kill('SIGTERM');
    const exit = await this.exit(STOP_TIMEOUT_MS);
    if (exit.code !== 0) {
      throw new Error(
        `the server ended with ${exit.code ?? exit.signal} after SIGTERM:\n${this.#log}`,
      );
    }
  }

  /** Waits for the process's end; kills it and throws after `timeoutMs`. */
  async exit(timeoutMs: number = STOP_TIMEOUT_MS): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), timeoutMs);
    });
    const exit = await Promise.race([this.#exited, late]);
    clearTimeout(timer);
    if (exit !== null) return exit;
    await this.kill();
    throw new Error(`the server did not end within ${timeoutMs} ms:\n${this.#log}`);
  }

  /** Ends it however it is, and removes a directory that was made for it. */
  async dispose(): Promise<void> {
    await this.kill();
    if (this.#isDirectoryOurs) rmSync(this.dataDir, { recursive: true, force: true });
  }
}
