/**
 * A real PostgreSQL 15 (Debian's), with logical decoding, on a Unix socket's folder and a free port of loopback. Where the
 * user is root the server runs as `postgres`, because it refuses root.
 */

import { execFileSync } from 'node:child_process';
import { chownSync, existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { installPackages } from './debian.ts';
import { freePorts } from './free-ports.ts';
import { remembered } from './remembered.ts';
import { type Program, ServiceProcess } from './service-process.ts';

const BINARIES = '/usr/lib/postgresql/15/bin';
const USER = 'postgres';

/** Why no PostgreSQL can be started here; null: it can. Installs it where this is CI and the user is root. */
export function postgresProblem(): string | null {
  if (existsSync(join(BINARIES, 'postgres'))) return null;
  if (process.env.CI === 'true' && process.getuid?.() === 0) installPackages(['postgresql-15']);
  return existsSync(join(BINARIES, 'postgres')) ? null : `${BINARIES} is missing`;
}

export class PostgresServer {
  readonly #directory: string;
  readonly #process: ServiceProcess;
  readonly port: number;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#process = new ServiceProcess(directory);
    this.port = port;
  }

  static async at(directory: string): Promise<PostgresServer> {
    const port = await remembered(directory, 'port', async () => (await freePorts(1))[0]!);
    return new PostgresServer(directory, port);
  }

  static async start(directory: string): Promise<PostgresServer> {
    const server = await PostgresServer.at(directory);
    await server.start();
    return server;
  }

  get url(): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/postgres`;
  }

  async start(): Promise<void> {
    const data = join(this.#directory, 'data');
    const uid = process.getuid?.() === 0 ? userId(USER) : null;
    if (!existsSync(join(data, 'PG_VERSION'))) {
      mkdirSync(data, { recursive: true, mode: 0o700 });
      if (uid !== null) for (const path of [this.#directory, data]) chownSync(path, uid, uid);
      const settings = ['-D', data, '-U', USER, '-A', 'trust', '--no-sync', '-E', 'UTF8'];
      execFileSync(join(BINARIES, 'initdb'), [...settings, '--locale=C'], {
        stdio: ['ignore', 'ignore', 'pipe'],
        ...(uid === null ? {} : { uid, gid: uid }),
      });
    }
    const program: Program = {
      name: 'PostgreSQL',
      command: join(BINARIES, 'postgres'),
      args: [
        ...['-D', data, '-p', String(this.port), '-h', '127.0.0.1', '-k', this.#directory],
        ...['-c', 'wal_level=logical'],
      ],
      ready: 'database system is ready to accept connections',
      ...(uid === null ? {} : { uid }),
    };
    await this.#process.start(program);
  }

  /** A fast shutdown: clients are disconnected. */
  async stop(): Promise<void> {
    await this.#process.end('SIGINT');
  }

  async kill(): Promise<void> {
    await this.#process.end('SIGKILL');
  }
}

function userId(name: string): number {
  return Number(execFileSync('id', ['-u', name], { encoding: 'utf8' }));
}
