/**
 * The Postgres port: takes connections, counts them, finds them again for CancelRequest, and sends
 * them away at the end.
 */

import { timingSafeEqual } from 'node:crypto';
import { createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ConfigError, type TlsFiles } from '../base/config.ts';
import type { Log } from '../base/log.ts';
import type { Metrics } from '../base/metrics.ts';
import { systemRandomBytes } from '../base/random.ts';
import { SqlError } from '../base/sql-error.ts';
import type { SessionFactory } from '../session/port.ts';
import type { Authentication } from './authentication.ts';
import { BusyPoll } from './busy-poll.ts';
import { Connection } from './connection.ts';
import type { BackendKey } from './login.ts';

export interface WireServerOptions {
  readonly host: string;
  /** 0 = any free one. */
  readonly port: number;
  readonly sessions: SessionFactory;
  readonly authentication: Authentication;
  /** null: TLS is not offered. */
  readonly tls: TlsFiles | null;
  readonly log: Log;
  readonly metrics?: Metrics | undefined;
  /** Logged-in clients at most. */
  readonly connectionsMax?: number | undefined;
  readonly loginTimeoutMs?: number | undefined;
  /** How long the thread polls for a quick client's next request; 0 or undefined = not at all. */
  readonly busyPollUs?: number | undefined;
}

const CONNECTIONS_MAX = 200;
const LOGIN_TIMEOUT_MS = 10_000;
/** Sockets beyond the logged-in ones: logins under way and cancel requests. */
const LOGINS_MAX = 100;

const CANCELED = 'canceling statement due to user request';
const SHUTTING_DOWN = 'terminating connection due to administrator command';

/**
 * Starts listening. Throws a ConfigError where the address cannot be had or the TLS files are bad.
 */
export async function startWireServer(options: WireServerOptions): Promise<WireServer> {
  const server = new WireServer(options, secureContext(options.tls));
  await server.listen();
  return server;
}

function secureContext(tls: TlsFiles | null): SecureContext | null {
  if (tls === null) return null;
  try {
    return createSecureContext({ cert: tls.certPem, key: tls.keyPem, minVersion: 'TLSv1.2' });
  } catch (error) {
    throw new ConfigError(`millrace: bad TLS certificate or key: ${(error as Error).message}`);
  }
}

export class WireServer {
  readonly #options: WireServerOptions;
  readonly #secureContext: SecureContext | null;
  readonly #server: Server;
  /** Every open socket. */
  readonly #connections = new Set<Connection>();
  /** Those that are past the start-up message, by process id. */
  readonly #backends = new Map<number, { connection: Connection; key: number }>();
  readonly #busyPoll: BusyPoll;
  #nextProcessId = 1;
  #waitedUs = 0n;
  #isClosing = false;

  constructor(options: WireServerOptions, context: SecureContext | null) {
    this.#options = options;
    this.#secureContext = context;
    this.#busyPoll = new BusyPoll(options.busyPollUs ?? 0);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#accept(socket),
    );
  }

  /** The port that is listened on. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : this.#options.port;
  }

  /** Clients that are logged in or logging in. */
  get connectionCount(): number {
    return this.#backends.size;
  }

  /** How long results have waited for clients to read, all clients together. */
  get waitedSeconds(): number {
    return Number(this.#waitedUs) / 1e6;
  }

  async listen(): Promise<void> {
    const { host, port } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const onError = (error: NodeJS.ErrnoException) => reject(listenError(error, host, port));
    this.#server.once('error', onError);
    this.#server.listen({ host, port, backlog: 511 }, resolve);
    await promise;
    this.#server.off('error', onError);
    this.#server.on('error', (err) => this.#options.log.error({ err }, 'the SQL port failed'));
  }

  /**
   * Cancels what the connection runs, as pg_cancel_backend does; false where there is no such
   * connection.
   */
  cancelBackend(processId: number): boolean {
    const backend = this.#backends.get(processId);
    backend?.connection.cancel(CANCELED);
    return backend !== undefined;
  }

  /** Ends the connection, as pg_terminate_backend does; false where there is no such connection. */
  terminateBackend(processId: number): boolean {
    const backend = this.#backends.get(processId);
    backend?.connection.terminate(adminShutdown());
    return backend !== undefined;
  }

  /**
   * Takes no more connections and sends the open ones away (57P01); those still there after
   * `graceMs` are cut.
   */
  async close(graceMs: number): Promise<void> {
    this.#isClosing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const done = Promise.all([...this.#connections].map((connection) => connection.done));
    for (const connection of this.#connections) connection.terminate(adminShutdown());
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, graceMs);
    await Promise.race([done, late]);
    clearTimeout(timer);
    for (const connection of this.#connections) connection.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const { sessions, authentication, log, metrics } = this.#options;
    const connectionsMax = this.#options.connectionsMax ?? CONNECTIONS_MAX;
    if (this.#isClosing || this.#connections.size >= connectionsMax + LOGINS_MAX) {
      socket.destroy();
      return;
    }
    const connection: Connection = new Connection(socket, {
      log,
      loginTimeoutMs: this.#options.loginTimeoutMs ?? LOGIN_TIMEOUT_MS,
      onWait: (us) => {
        this.#waitedUs += us;
      },
      rhythm: this.#busyPoll.rhythm(),
      login: {
        sessions,
        authentication,
        secureContext: this.#secureContext,
        onCancelRequest: (processId, key) => this.#cancelRequest(processId, key),
        terminate: (error) => connection.terminate(error),
        admit: () => this.#admit(connection, connectionsMax),
      },
    });
    this.#connections.add(connection);
    void connection.done.then(() => this.#forget(connection));
    metrics?.connectionsTotal.inc({ outcome: 'accepted' });
  }

  #admit(connection: Connection, connectionsMax: number): BackendKey {
    const { metrics } = this.#options;
    if (this.#backends.size >= connectionsMax) {
      metrics?.connectionsTotal.inc({ outcome: 'refused' });
      throw new SqlError('53300', 'sorry, too many clients already', { severity: 'FATAL' });
    }
    while (this.#backends.has(this.#nextProcessId)) this.#nextProcessId++;
    const processId = this.#nextProcessId;
    this.#nextProcessId = (processId % 0x7fff_ffff) + 1;
    const key = Buffer.from(systemRandomBytes(4)).readInt32BE(0);
    this.#backends.set(processId, { connection, key });
    connection.processId = processId;
    metrics?.connections.set(this.#backends.size);
    return { processId, key };
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    if (connection.processId !== null) this.#backends.delete(connection.processId);
    this.#options.metrics?.connections.set(this.#backends.size);
  }

  #cancelRequest(processId: number, key: number): void {
    const backend = this.#backends.get(processId);
    if (backend === undefined || !isSameKey(backend.key, key)) return;
    backend.connection.cancel(CANCELED);
  }
}

function isSameKey(a: number, b: number): boolean {
  return timingSafeEqual(new Int32Array([a]), new Int32Array([b]));
}

function adminShutdown(): SqlError {
  return new SqlError('57P01', SHUTTING_DOWN, { severity: 'FATAL' });
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): Error {
  const where = `${host}:${port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new ConfigError(
        `millrace: ${where} is in use: stop the other server or choose another --port`,
        1,
      );
    case 'EACCES':
      return new ConfigError(
        `millrace: not allowed to listen on ${where}: choose a --port above 1023`,
        1,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new ConfigError(
        `millrace: ${host} is not an address of this machine: check --host`,
        1,
      );
    default:
      return new ConfigError(`millrace: cannot listen on ${where}: ${error.message}`, 1);
  }
}
