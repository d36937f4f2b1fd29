/** `npm run bench -- NAME [options]`: measures the real server process; see docs/performance.md for how to read it. */

import { readArguments, UsageError, type Values } from './arguments.ts';
import { benchCreateView, CREATE_VIEW_DEFAULTS } from './create-view.ts';
import { benchFormats, FORMATS_DEFAULTS } from './formats.ts';
import { benchFreshness, FRESHNESS_DEFAULTS } from './freshness.ts';
import { benchNexmark, NEXMARK_DEFAULTS } from './nexmark.ts';
import { benchPointReads, POINT_READS_DEFAULTS } from './point-reads.ts';
import { benchPoison, POISON_DEFAULTS } from './poison.ts';
import { benchPostgresSink, POSTGRES_SINK_DEFAULTS } from './postgres-sink.ts';
import { benchRestart, RESTART_DEFAULTS } from './restart.ts';

interface Bench {
  readonly defaults: Readonly<Record<string, string>>;
  readonly run: (values: Values) => Promise<void>;
}

const BENCHES: Readonly<Record<string, Bench>> = {
  nexmark: { defaults: NEXMARK_DEFAULTS, run: benchNexmark },
  freshness: { defaults: FRESHNESS_DEFAULTS, run: benchFreshness },
  'point-reads': { defaults: POINT_READS_DEFAULTS, run: benchPointReads },
  restart: { defaults: RESTART_DEFAULTS, run: benchRestart },
  poison: { defaults: POISON_DEFAULTS, run: benchPoison },
  formats: { defaults: FORMATS_DEFAULTS, run: benchFormats },
  'postgres-sink': { defaults: POSTGRES_SINK_DEFAULTS, run: benchPostgresSink },
  'create-view': { defaults: CREATE_VIEW_DEFAULTS, run: benchCreateView },
};

function usage(): string {
  const lines = Object.entries(BENCHES).map(([name, { defaults }]) => {
    const options = Object.entries(defaults).map(([key, value]) => `--${key} ${value || 'FILE'}`);
    return `  ${name.padEnd(12)} ${options.join(' ')}`;
  });
  return `Usage: npm run bench -- NAME [options]\n\n${lines.join('\n')}\n`;
}

async function main(args: readonly string[]): Promise<void> {
  const [name = '', ...rest] = args;
  const bench = Object.hasOwn(BENCHES, name) ? BENCHES[name] : undefined;
  if (bench === undefined) {
    process.stderr.write(usage());
    process.exitCode = name === '' || name === '--help' ? 0 : 2;
    return;
  }
  try {
    await bench.run(readArguments(rest, bench.defaults));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  }
}

await main(process.argv.slice(2));
