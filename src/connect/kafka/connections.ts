/**
 * BrokerConnections: a client's connections, by broker and purpose, opened when they are asked for; those that cannot be used
 * any more are forgotten. Where a broker limits how long a login is good for (a token's lifetime, connections.max.reauth.ms),
 * another connection takes the place of one before its time is over.
 */

import { Connection, type ConnectionOptions } from '@platformatic/kafka';
import { SystemClock } from '../../base/clock.ts';
import { FetchConnection } from './fetch-connection.ts';
import type { BrokerAddress, KafkaConfig, SaslConfig } from './kafka-config.ts';
import { KafkaError } from './kafka-error.ts';
import { asKafkaError } from './library-errors.ts';
import { loginOptions } from './login.ts';
import { TokenSource } from './token-source.ts';

/**
 * Who fetches, by connections of its own: a broker answers the requests of a connection one after the other, and each may wait
 * for records.
 */
export type FetchLane = number;

/** A coordinator of groups may answer late: nothing else waits for it. */
export type Purpose = `fetch ${FetchLane}` | 'group' | 'other';

/** The rest of a login's time, in which a connection is not used any more: a request may be long on its way. */
const SESSION_REST_FACTOR = 0.15;
const SESSION_REST_MS_MIN = 1000;
const TIMER_MS_MAX = 2 ** 31 - 1;

export class BrokerConnections {
  readonly #config: KafkaConfig;
  readonly #clock = new SystemClock();
  readonly #tokens: TokenSource | null;
  readonly #connections = new Map<string, Promise<Connection>>();
  readonly #fetchConnections = new Map<string, Promise<FetchConnection>>();
  /** Their last requests are under way. */
  readonly #retired = new Set<Connection>();
  #isClosed = false;

  constructor(config: KafkaConfig) {
    this.#config = config;
    const { sasl, connectTimeoutMs } = config;
    const endpoint = sasl?.endpoint;
    this.#tokens =
      sasl === null || endpoint === undefined
        ? null
        : new TokenSource(sasl, endpoint, connectTimeoutMs, this.#clock);
  }

  /** For one request, which is sent at once. */
  to(address: BrokerAddress, purpose: Purpose): Promise<Connection> {
    this.#checkOpen();
    const key = `${address.host}:${address.port} ${purpose}`;
    return kept(this.#connections, key, (forget) => this.#open(address, forget));
  }

  /** Without TLS and login. */
  toFetch({ host, port }: BrokerAddress, lane: FetchLane): Promise<FetchConnection> {
    this.#checkOpen();
    const { connectTimeoutMs, requestTimeoutMs } = this.#config;
    return kept(this.#fetchConnections, `${host}:${port} fetch ${lane}`, (onClosed) =>
      FetchConnection.connect({ host, port, connectTimeoutMs, requestTimeoutMs, onClosed }),
    );
  }

  /** What is fetched there fails. */
  closeLane(lane: FetchLane): void {
    const open: Promise<Connection | FetchConnection>[] = [];
    for (const connections of [this.#connections, this.#fetchConnections]) {
      for (const [key, connection] of connections) {
        if (!key.endsWith(` fetch ${lane}`)) continue;
        connections.delete(key);
        open.push(connection);
      }
    }
    // What goes wrong while connections are given up is of no interest.
    closeAll(open).catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const retired = [...this.#retired].map((connection) => Promise.resolve(connection));
    const open = [...this.#connections.values(), ...this.#fetchConnections.values(), ...retired];
    this.#connections.clear();
    this.#fetchConnections.clear();
    await closeAll(open);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new KafkaError('the client is closed', null, 'CLOSED');
  }

  async #open(address: BrokerAddress, forget: () => void): Promise<Connection> {
    const { sasl } = this.#config;
    if (this.#tokens === null || sasl === null) return this.#openAs(sasl, address, forget);
    const token = await this.#tokens.token();
    try {
      return await this.#openAs({ ...sasl, password: token.text }, address, forget);
    } catch (error) {
      if (!(error instanceof KafkaError) || !error.isAuthentication) throw error;
      this.#tokens.drop(token);
      if (!token.isUsed) throw error;
    }
    // Whoever gives tokens may have other keys than a while ago.
    const { text } = await this.#tokens.token();
    return this.#openAs({ ...sasl, password: text }, address, forget);
  }

  async #openAs(
    sasl: SaslConfig | null,
    { host, port }: BrokerAddress,
    forget: () => void,
  ): Promise<Connection> {
    let sessionMs: number | null = null;
    const login =
      sasl === null
        ? {}
        : {
            sasl: loginOptions(sasl, this.#clock, (lifetimeMs) => {
              sessionMs = lifetimeMs;
            }),
          };
    const options = { ...connectionOptions(this.#config), ...login };
    const connection = new Connection(this.#config.clientId, options);
    let isOpen = false;
    // While it is opened the caller hears of it, who may open another one in its place.
    const lose = (): void => {
      if (isOpen) forget();
    };
    // A listener of 'error' has to be there, or the process ends; the request that failed tells.
    connection.on('error', lose);
    connection.on('close', lose);
    await asKafkaError(Promise.resolve(connection.connect(host, port)), `${host}:${port}`);
    isOpen = true;
    if (sessionMs !== null) this.#retireAfter(usedMs(sessionMs), connection, forget);
    return connection;
  }

  #retireAfter(timeMs: number, connection: Connection, forget: () => void): void {
    const timer = setTimeout(
      () => {
        forget();
        this.#retired.add(connection);
        // By then its last requests are answered, or given up.
        setTimeout(() => this.#closeRetired(connection), this.#config.requestTimeoutMs).unref();
      },
      Math.min(timeMs, TIMER_MS_MAX),
    );
    timer.unref();
    connection.on('close', () => {
      clearTimeout(timer);
      this.#retired.delete(connection);
    });
  }

  #closeRetired(connection: Connection): void {
    this.#retired.delete(connection);
    closeAll([Promise.resolve(connection)]).catch(() => undefined);
  }
}

/** So long a connection is used whose login is good for `sessionMs`. */
function usedMs(sessionMs: number): number {
  const restMs = Math.max(SESSION_REST_FACTOR * sessionMs, SESSION_REST_MS_MIN);
  return Math.max(sessionMs - restMs, sessionMs / 2);
}

async function closeAll(open: readonly Promise<Connection | FetchConnection>[]): Promise<void> {
  for (const connection of await Promise.allSettled(open)) {
    if (connection.status === 'fulfilled') await connection.value.close();
  }
}

/** The connection of a key, opened where there is none; one that failed, or calls `forget`, is not used again. */
function kept<C>(
  connections: Map<string, Promise<C>>,
  key: string,
  open: (forget: () => void) => Promise<C>,
): Promise<C> {
  const found = connections.get(key);
  if (found !== undefined) return found;
  const forget = (): void => {
    if (connections.get(key) === made) connections.delete(key);
  };
  const made = open(forget);
  connections.set(key, made);
  made.catch(forget);
  return made;
}

function connectionOptions(config: KafkaConfig): ConnectionOptions {
  const { tls } = config;
  return {
    connectTimeout: config.connectTimeoutMs,
    requestTimeout: config.requestTimeoutMs,
    ...(tls === null
      ? {}
      : {
          tlsServerName: true,
          tls: {
            rejectUnauthorized: tls.isVerified,
            ...(tls.ca === null ? {} : { ca: tls.ca }),
            ...(tls.certificate === null ? {} : { cert: tls.certificate }),
            ...(tls.key === null ? {} : { key: tls.key }),
          },
        }),
  };
}
