/**
 * Which server settings sql-tests run under. The default runs every file; of the others `npm test` runs a sample drawn from a
 * printed seed, and MILLRACE_TEST_SLT=all everything.
 */

import type { Random } from '../../base/random.ts';
import type { ServerOptions } from '../server-process.ts';

export interface Configuration {
  readonly name: string;
  /** Names for `onlyif` and `skipif`. */
  readonly labels: readonly string[];
  readonly server: ServerOptions;
  /** Sent on every connection. */
  readonly setup: readonly string[];
}

export const DEFAULT_CONFIGURATION: Configuration = {
  name: 'default',
  labels: ['batch-1024', 'kernels-auto', 'optimizer-on'],
  server: {},
  setup: [],
};

const BATCH_ROWS = [1, 7, 1024] as const;
const KERNELS = ['ts', 'auto'] as const;
const OPTIMIZER = ['on', 'off'] as const;

/** Every combination but the default one. */
export function otherConfigurations(): Configuration[] {
  return BATCH_ROWS.flatMap((rows) =>
    KERNELS.flatMap((kernels) =>
      OPTIMIZER.map((optimizer) => combination(rows, kernels, optimizer)),
    ),
  ).filter(({ labels }) => labels.some((label) => !DEFAULT_CONFIGURATION.labels.includes(label)));
}

function combination(
  rows: (typeof BATCH_ROWS)[number],
  kernels: (typeof KERNELS)[number],
  optimizer: (typeof OPTIMIZER)[number],
): Configuration {
  return {
    name: `batches of ${rows}, kernels ${kernels}, optimizer ${optimizer}`,
    labels: [`batch-${rows}`, `kernels-${kernels}`, `optimizer-${optimizer}`],
    server: {
      args: ['--kernels', kernels],
      ...(rows === 1024 ? {} : { tuning: { batchRowsMax: rows } }),
    },
    setup: optimizer === 'off' ? ['SET optimizer = off'] : [],
  };
}

/** Three combinations in which every value of every setting occurs, so that no setting goes untried in a run. */
export function sampledConfigurations(random: Random): Configuration[] {
  const all = otherConfigurations();
  const named = (name: string): Configuration => all.find((entry) => entry.name === name)!;
  const [first, second] = random.below(2) === 0 ? ['on', 'off'] : ['off', 'on'];
  const [ts, auto] = random.below(2) === 0 ? ['ts', 'auto'] : ['auto', 'ts'];
  return [
    named(`batches of 1, kernels ${ts}, optimizer ${first}`),
    named(`batches of 7, kernels ${auto}, optimizer ${second}`),
    named('batches of 1024, kernels ts, optimizer off'),
  ];
}
