/**
 * The view fuzzer by hand: `node src/testing/view-fuzz.ts [options]`. Random tables, views and changes; every view must equal
 * its query at every step, and PostgreSQL. Prints the seed of each failing case, cut down, and keeps it as an .slt file.
 *   --url URL         a server that runs already; else one is started (and killed, with --kills)
 *   --postgres URL    PostgreSQL as the reference; else PGlite; `none`: no reference
 *   --seed N --cases N --views N --changes N --kills --batch N --kernels ts|auto --keep DIR --all (goes on after a failure)
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../base/random.ts';
import { closeOracle, oracle } from './oracle.ts';
import { type ServerOptions, ServerProcess } from './server-process.ts';
import { SqlClient } from './sql-client.ts';
import { caseFile } from './view-fuzz/case-file.ts';
import { reduceCase } from './view-fuzz/reduce.ts';
import {
  type CaseOutcome,
  type CaseTarget,
  type Reference,
  runCase,
} from './view-fuzz/run-case.ts';
import { type CaseShape, type FuzzCase, randomCase } from './view-fuzz/steps.ts';

export interface FuzzOptions extends CaseShape {
  readonly url: string | null;
  readonly server: ServerOptions;
  readonly postgres: string | null;
  readonly firstSeed: number;
  readonly caseCount: number;
  /** No new case begins after it. */
  readonly timeMs: number;
  /** Directory for failing cases; null: they are not kept. */
  readonly keep: string | null;
  readonly goesOn: boolean;
}

export interface FuzzOutcome {
  readonly caseCount: number;
  readonly comparisonCount: number;
  readonly failures: readonly string[];
  /** 0A000 messages with their counts. */
  readonly unsupported: ReadonlyMap<string, number>;
}

/** Runs cases until one fails, the number is reached or the time is over. */
export async function fuzzViews(options: FuzzOptions): Promise<FuzzOutcome> {
  const server = options.url === null ? await ServerProcess.start(options.server) : null;
  const postgres = isUrl(options.postgres) ? await SqlClient.connect(options.postgres) : null;
  const fuzzer = new Fuzzer(options, server, await referenceFor(options, postgres));
  try {
    return await fuzzer.run();
  } finally {
    await fuzzer.close();
    await postgres?.close();
    await server?.dispose();
  }
}

function isUrl(postgres: string | null): postgres is string {
  return postgres !== null && postgres !== 'none';
}

async function referenceFor(
  options: FuzzOptions,
  postgres: SqlClient | null,
): Promise<Reference | null> {
  if (options.postgres === 'none') return null;
  if (postgres === null) return oracle();
  return {
    exec: async (sql) => void (await postgres.query(sql)),
    query: (sql) => postgres.query(sql),
  };
}

class Fuzzer {
  readonly #options: FuzzOptions;
  readonly #server: ServerProcess | null;
  readonly #target: CaseTarget;
  readonly #failures: string[] = [];
  readonly #unsupported = new Map<string, number>();
  #client: SqlClient | null = null;
  #comparisonCount = 0;
  #schemaCount = 0;

  constructor(options: FuzzOptions, server: ServerProcess | null, reference: Reference | null) {
    this.#options = options;
    this.#server = server;
    this.#target = {
      client: () => this.#connected(),
      kill9: server !== null && options.hasKills ? () => this.#kill9(server) : null,
      reference,
    };
  }

  async run(): Promise<FuzzOutcome> {
    const { firstSeed, timeMs, goesOn } = this.#options;
    const deadline = performance.now() + timeMs;
    let caseCount = 0;
    while (caseCount < this.#options.caseCount && performance.now() < deadline) {
      await this.#one(firstSeed + caseCount++);
      if (this.#failures.length > 0 && !goesOn) break;
    }
    return {
      caseCount,
      comparisonCount: this.#comparisonCount,
      failures: this.#failures,
      unsupported: this.#unsupported,
    };
  }

  async close(): Promise<void> {
    await this.#client?.close();
  }

  async #one(seed: number): Promise<void> {
    const fuzzCase = randomCase(new Random(seed), this.#options);
    const { failure, comparisonCount, unsupported } = await this.#run(fuzzCase);
    this.#comparisonCount += comparisonCount;
    for (const text of unsupported) {
      this.#unsupported.set(text, (this.#unsupported.get(text) ?? 0) + 1);
    }
    if (failure === null) return;
    const reduced = await reduceCase(fuzzCase, failure, (candidate) => this.#run(candidate));
    const last = (await this.#run(reduced)).failure ?? failure;
    const file = caseFile(reduced, last);
    this.#failures.push(`seed ${seed}:\n${file}`);
    const { keep } = this.#options;
    if (keep === null) return;
    mkdirSync(keep, { recursive: true });
    writeFileSync(join(keep, `fuzz-${seed}.slt`), file);
  }

  #run(fuzzCase: FuzzCase): Promise<CaseOutcome> {
    this.#schemaCount++;
    return runCase(fuzzCase, this.#target, `fuzz_${fuzzCase.seed}_${this.#schemaCount}`);
  }

  async #connected(): Promise<SqlClient> {
    if (this.#client === null || this.#client.isLost) {
      const url = this.#options.url ?? this.#server?.url;
      this.#client = await SqlClient.connect(url ?? '');
    }
    return this.#client;
  }

  async #kill9(server: ServerProcess): Promise<void> {
    await server.kill();
    await this.#client?.close();
    this.#client = null;
    await server.restart();
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    options: {
      ...{ url: text, postgres: text, seed: text, cases: text, views: text, changes: text },
      ...{ batch: text, kernels: text, keep: text, seconds: text, kills: flag, all: flag },
    },
  });
  const outcome = await fuzzViews({
    url: values.url ?? null,
    server: {
      args: values.kernels === undefined ? [] : ['--kernels', values.kernels],
      ...(values.batch === undefined ? {} : { tuning: { batchRowsMax: Number(values.batch) } }),
      ...(values.kills === true ? {} : { dataDir: ':memory:' }),
    },
    postgres: values.postgres ?? null,
    firstSeed: Number(values.seed ?? 1),
    caseCount: Number(values.cases ?? 100),
    timeMs: Number(values.seconds ?? 3600) * 1000,
    keep: values.keep ?? null,
    goesOn: values.all === true,
    viewCount: Number(values.views ?? 3),
    changeCount: Number(values.changes ?? 6),
    hasKills: values.kills === true,
  });
  for (const failure of outcome.failures) console.log(failure);
  for (const [message, count] of outcome.unsupported)
    console.log(`unsupported ${count}x: ${message}`);
  console.log(
    `${outcome.caseCount} cases, ${outcome.comparisonCount} comparisons, ${outcome.failures.length} failures`,
  );
  process.exitCode = outcome.failures.length === 0 ? 0 : 1;
}

if (import.meta.main) {
  await main();
  await closeOracle();
}
