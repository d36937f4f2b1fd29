/**
 * `npm run demo -- --kafka`: a Kafka of its own, for as long as the demo runs. The demo is a process of its own, told the
 * address; both keep their data in one temporary folder, which goes when the demo ends, however it ends.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { ConfigError, parseCommand } from '../../base/config.ts';
import { KafkaCluster } from './kafka.ts';
import { startProblem } from './start-problem.ts';

const LAUNCHER = join(import.meta.dirname, '../../launch.mjs');

/** What the demo takes besides. */
const flags = process.argv.slice(3).filter((flag) => flag !== '--kafka');

/** The demo on Kafka at `brokers`; its exit code. The user's flags win over ours. */
async function runDemo(directory: string, brokers: string, ending: AbortSignal): Promise<number> {
  const own = ['--data-dir', join(directory, 'data'), `--kafka=${brokers}`];
  // In a group of its own, so that Ctrl-C comes to it once: from here.
  const options = { stdio: 'inherit', detached: true } as const;
  const child = spawn(process.execPath, [LAUNCHER, 'demo', ...own, ...flags], options);
  ending.addEventListener('abort', () => child.kill('SIGINT'));
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? 1;
}

/** null: it serves; else the exit code, where it failed or the demo is not wanted any more. */
async function start(cluster: KafkaCluster, ending: AbortSignal): Promise<number | null> {
  const giveUp = (): void => void cluster.kill();
  ending.addEventListener('abort', giveUp);
  try {
    await cluster.start();
  } catch (error) {
    // A signal that came in the meantime is heard.
    await setImmediate();
    if (ending.aborted) return 0;
    console.error(`Kafka cannot be started here: ${(error as Error).message}`);
    return 1;
  }
  ending.removeEventListener('abort', giveUp);
  return ending.aborted ? 0 : null;
}

async function demoWithKafka(): Promise<number> {
  const problem = startProblem('kafka');
  if (problem !== null) {
    console.error(problem);
    return 1;
  }
  const ending = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => ending.abort());
  const directory = mkdtempSync(join(tmpdir(), 'millrace-demo-'));
  const cluster = await KafkaCluster.at(join(directory, 'kafka'));
  try {
    console.error('Kafka is starting; it and all data go when the demo ends.');
    const refused = await start(cluster, ending.signal);
    return refused ?? (await runDemo(directory, cluster.bootstrap(), ending.signal));
  } finally {
    await cluster.dispose();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A command line that is refused, or asks for help, starts nothing: its exit code; null: the demo is to run. */
async function answer(): Promise<number | null> {
  try {
    if (parseCommand(['demo', '--kafka=any:1', ...flags], process.env).kind === 'demo') return null;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    console.error(error.message);
    return error.exitCode;
  }
  await import('../../main.ts');
  return 0;
}

process.exitCode = (await answer()) ?? (await demoWithKafka());
