/** The command line: reads arguments, starts what they ask for, prints what scripts wait for. */

import { readFileSync } from 'node:fs';
import {
  type Config,
  ConfigError,
  helpText,
  isLoopback,
  MEMORY_DATA_DIR,
  parseCommand,
} from './base/config.ts';
import { STOP_DEADLINE_MS, stopOnSignals } from './base/lifecycle.ts';
import { createLog, type Log } from './base/log.ts';
import { SqlError } from './base/sql-error.ts';
import { parseShellArguments, runSqlShell } from './client/sql-shell.ts';
import { DEMO_DATA_DIR, runDemo } from './demo/demo.ts';
import { type RunningServer, readyLine, startServer } from './server.ts';

function packageVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function warn(config: Config, log: Log): void {
  if (process.getuid?.() === 0) log.warn({}, 'running as root: an ordinary user is enough');
  if (config.dataDir === MEMORY_DATA_DIR)
    log.warn({}, 'data directory :memory: keeps nothing: all is gone when the server stops');
  if (config.isInsecure && !isLoopback(config.host)) {
    log.warn({ host: config.host }, '--insecure: anyone who reaches this address may do anything');
  }
}

async function serve(config: Config): Promise<RunningServer> {
  const log = createLog(config.logLevel);
  warn(config, log);
  const server = await startServer(config, log);
  stopOnSignals(server.lifecycle, log);
  process.stdout.write(`${readyLine(config, server, process.pid)}\n`);
  return server;
}

async function demo(config: Config, brokers: string | null): Promise<void> {
  const fileRoots = [DEMO_DATA_DIR, ...config.fileRoots];
  const server = await serve({ ...config, fileRoots });
  const address = isLoopback(config.host) ? config.host : '127.0.0.1';
  const { password } = config;
  try {
    await runDemo({ host: address, port: server.sqlPort, password }, brokers, process.stdout);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    await server.lifecycle.stop(STOP_DEADLINE_MS);
    const { hint } = error.fields;
    throw new ConfigError(`millrace: ${error.message}${hint === undefined ? '' : `: ${hint}`}`, 1);
  }
}

async function main(): Promise<void> {
  const command = parseCommand(process.argv.slice(2), process.env);
  switch (command.kind) {
    case 'help':
      process.stdout.write(helpText());
      return;
    case 'version':
      process.stdout.write(`millrace ${packageVersion()}\n`);
      return;
    case 'sql':
      process.exitCode = await runSqlShell(parseShellArguments(command.args));
      return;
    case 'demo':
      await demo(command.config, command.brokers);
      return;
    case 'serve':
      await serve(command.config);
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof ConfigError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exit(error.exitCode);
}
