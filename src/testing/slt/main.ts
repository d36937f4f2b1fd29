/**
 * Runs .slt files by hand: `node src/testing/slt/main.ts [options] [files]`.
 *   --url URL     a server that runs already (PostgreSQL too: records then see the label `postgresql`)
 *   --complete    writes the server's results into the files
 *   --all         every configuration; else the default one
 */

import { globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { DEFAULT_CONFIGURATION, otherConfigurations } from './configurations.ts';
import { parseSlt } from './parse.ts';
import { runSlt, type SltOutcome } from './runner.ts';
import { emptyDatabase, SltServers } from './servers.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    url: { type: 'string' },
    complete: { type: 'boolean', default: false },
    all: { type: 'boolean', default: false },
  },
});

const paths = positionals.length > 0 ? positionals : globSync('sql-tests/**/*.slt').sort();
const totals = { records: 0, failures: 0 };

if (values.url !== undefined) await runOnUrl(values.url);
else await runOnServers();
console.log(`${totals.records} records, ${totals.failures} failures`);
process.exitCode = totals.failures === 0 ? 0 : 1;

function report(path: string, outcome: SltOutcome): void {
  totals.records += outcome.recordCount;
  totals.failures += outcome.failures.length;
  const verdict = outcome.failures.length === 0 ? 'ok' : `${outcome.failures.length} FAILED`;
  console.log(`${path}: ${outcome.recordCount} records, ${verdict}`);
  for (const failure of outcome.failures) console.log(`${failure}\n`);
}

function failed(error: unknown): SltOutcome {
  return { recordCount: 0, failures: [String(error)], completed: null };
}

async function runOnServers(): Promise<void> {
  const others = values.all ? otherConfigurations() : [];
  for (const configuration of [DEFAULT_CONFIGURATION, ...others]) {
    console.log(`configuration ${configuration.name}`);
    const servers = new SltServers(configuration);
    try {
      for (const path of paths) report(path, await servers.run(path).catch(failed));
    } finally {
      await servers.close();
    }
  }
}

async function runOnUrl(url: string): Promise<void> {
  const isMillrace = new URL(url).pathname === '/millrace';
  const filesDirectory = mkdtempSync(join(tmpdir(), 'millrace-slt-'));
  const refused = async (): Promise<void> => {
    throw new Error('a server given by --url is not restarted');
  };
  for (const path of paths) {
    await emptyDatabase(url);
    const target = {
      url: () => url,
      log: () => '',
      isAlive: () => true,
      restart: refused,
      kill9: refused,
    };
    const outcome = await runSlt(parseSlt(path, readFileSync(path, 'utf8')), target, {
      labels: new Set([isMillrace ? 'millrace' : 'postgresql']),
      setup: [],
      filesDirectory,
      isCompleting: values.complete,
    });
    if (outcome.completed !== null) writeFileSync(path, outcome.completed);
    report(path, outcome);
  }
  rmSync(filesDirectory, { recursive: true, force: true });
}
