/**
 * The server put together: engine, catalog, sessions, the SQL port, the HTTP port. Starting it resolves when both ports
 * answer; stopping runs backwards. It composes and holds no logic.
 */

import * as path from 'node:path';
import { AssertionError } from './base/assert.ts';
import { SystemClock } from './base/clock.ts';
import { type Config, ConfigError, MEMORY_DATA_DIR } from './base/config.ts';
import { Lifecycle } from './base/lifecycle.ts';
import type { Log } from './base/log.ts';
import { formatMemorySize } from './base/memory-size.ts';
import { Metrics } from './base/metrics.ts';
import { systemRandom } from './base/random.ts';
import { newSecretKey, SecretBox, type SecretKeySource } from './base/secret-box.ts';
import { MILLRACE_RELATIONS } from './catalog/system/millrace-relations.ts';
import { postgresRelations } from './catalog/system/postgres15.ts';
import { startEngine } from './dataflow/client.ts';
import { DEFAULT_ENGINE_OPTIONS } from './dataflow/port.ts';
import { startHttpServer } from './ops/http-server.ts';
import { QueryService } from './serve/query-service.ts';
import { Database } from './session/database.ts';
import { EngineGauges } from './session/engine-gauges.ts';
import { ingestPort } from './session/ingest.ts';
import { SqlSessionFactory } from './session/session-factory.ts';
import { loadParser } from './sql/parse.ts';
import { createAuthentication } from './wire/authentication.ts';
import { startWireServer } from './wire/server.ts';

/** Settings that only tests and benchmarks change. */
export interface ServerTuning {
  readonly epochRowsMax?: number;
  readonly batchRowsMax?: number;
  readonly checkpointIntervalMs?: number;
}

export interface RunningServer {
  readonly lifecycle: Lifecycle;
  readonly sqlPort: number;
  /** null: no HTTP. */
  readonly httpPort: number | null;
}

const CLOSE_GRACE_MS = 2000;

/** Starts everything; a refusal is a ConfigError with its one line. */
export async function startServer(
  config: Config,
  log: Log,
  tuning: ServerTuning = {},
): Promise<RunningServer> {
  const lifecycle = new Lifecycle(log);
  const clock = new SystemClock();
  const random = systemRandom();
  const metrics = new Metrics(true);
  await loadParser();
  const secretKey = secretKeyOf(config);
  const engine = await refusable(
    startEngine(engineOptions(config, secretKey, tuning), {
      log: (level, text) => log[level]({ part: 'dataflow' }, text),
      onDeath: (error) => {
        log.fatal({ err: error }, 'the dataflow worker died; start again to recover');
        process.exit(1);
      },
    }),
    log,
  );
  lifecycle.onStop('engine', () => engine.close());
  const batchRowsMax = tuning.batchRowsMax ?? DEFAULT_ENGINE_OPTIONS.batchRowsMax;
  const queries = new QueryService({
    engine,
    log,
    kernels: config.kernels,
    queryMemoryBytes: config.queryMemoryBytes,
    batchRowsMax,
  });
  lifecycle.onStop('query pool', () => queries.close());
  const database = new Database({
    engine,
    queries,
    systemRelations: [...postgresRelations(), ...MILLRACE_RELATIONS],
    clock,
    random,
    log,
    metrics,
    fileRoots: config.fileRoots,
    dataDir: config.dataDir,
    secrets: new SecretBox(secretKey),
    batchRowsMax,
    fixedSettings: {
      dead_letter_size: formatMemorySize(config.deadLetterBytesMax),
      dead_letter_age: String(config.deadLetterAgeMsMax),
      dead_letter_record_size: formatMemorySize(config.deadLetterRecordBytesMax),
    },
  });
  await refusable(database.bootstrap(), log);
  const sessions = new SqlSessionFactory(database, {
    isPasswordSet: config.password !== null,
    port: config.port,
  });
  const wire = await startWireServer({
    host: config.host,
    port: config.port,
    sessions,
    authentication: createAuthentication(config.password),
    tls: config.tls,
    log,
    metrics,
    busyPollUs: config.busyPollUs,
  });
  lifecycle.onStop('SQL port', () => wire.close(CLOSE_GRACE_MS));
  const httpPort = await startHttp(config, log, database, () => wire.waitedSeconds, lifecycle);
  lifecycle.running();
  return { lifecycle, sqlPort: wire.port, httpPort };
}

/** A data directory that cannot be used is one line and exit code 1; a broken belief keeps its stack in the log. */
async function refusable<T>(work: Promise<T>, log: Log): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    if (error instanceof AssertionError) log.fatal({ err: error }, 'recovery failed');
    throw new ConfigError(`millrace: ${error.message.split('\n')[0]}`, 1);
  }
}

/** Without a data directory the key goes with the process. */
function secretKeyOf({ dataDir, secretKeyFile }: Config): SecretKeySource {
  if (secretKeyFile !== null) return { file: secretKeyFile };
  if (dataDir === MEMORY_DATA_DIR) return { hex: newSecretKey() };
  return { file: path.join(dataDir, 'secret.key') };
}

function engineOptions(config: Config, secretKey: SecretKeySource, tuning: ServerTuning) {
  return {
    ...DEFAULT_ENGINE_OPTIONS,
    dataDir: config.dataDir,
    kernels: config.kernels,
    fileRoots: config.fileRoots,
    secretKey,
    stateBytesMax: config.memoryLimitBytes,
    deadLetterBytesMax: config.deadLetterBytesMax,
    deadLetterAgeMsMax: config.deadLetterAgeMsMax,
    deadLetterRecordBytesMax: config.deadLetterRecordBytesMax,
    ...tuning,
  };
}

async function startHttp(
  config: Config,
  log: Log,
  database: Database,
  socketSeconds: () => number,
  lifecycle: Lifecycle,
): Promise<number | null> {
  if (config.httpPort === null) return null;
  const gauges = new EngineGauges(database, socketSeconds);
  lifecycle.onStop('metrics', async () => gauges.close());
  try {
    const http = await startHttpServer(config.host, config.httpPort, {
      notReadyReason: () => (lifecycle.phase === 'running' ? null : lifecycle.phase),
      metrics: () => gauges.render(),
      ingest: ingestPort(database, config.password !== null),
      failed: (err) => log.error({ part: 'http', err }, 'a request failed'),
    });
    lifecycle.onStop('HTTP port', () => http.close());
    return http.port;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    throw new ConfigError(
      `millrace: HTTP port ${config.httpPort} is taken: stop what uses it, or choose another with --http-port (off = none)`,
      1,
    );
  }
}

/** The line on stdout that says both ports answer; scripts wait for it. */
export function readyLine(config: Config, server: RunningServer, pid: number): string {
  const host =
    config.host.includes(':') && !config.host.startsWith('[') ? `[${config.host}]` : config.host;
  const dataDir =
    config.dataDir === MEMORY_DATA_DIR || !/\s/.test(config.dataDir)
      ? config.dataDir
      : JSON.stringify(config.dataDir);
  const http = server.httpPort === null ? '' : ` http://${host}:${server.httpPort}`;
  return `millrace ready: postgres://millrace@${host}:${server.sqlPort}/millrace${http} data=${dataDir} pid=${pid}`;
}
