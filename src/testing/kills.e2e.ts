/**
 * kill -9 at random moments, 30 times, against a model. MILLRACE_TEST_KILLS=200 for more, MILLRACE_TEST_SEED to choose again
 * what a failed run chose.
 */

import { test } from 'node:test';
import { systemRandom } from '../base/random.ts';
import { runKills } from './kills/supervisor.ts';

const KILLS = Number(process.env.MILLRACE_TEST_KILLS ?? 30);

test(`${KILLS} kills lose nothing and double nothing`, {
  timeout: KILLS * 60_000,
}, async (context) => {
  const seed = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
  context.diagnostic(`MILLRACE_TEST_SEED=${seed}`);
  await runKills({ kills: KILLS, seed, report: (line) => context.diagnostic(line) });
});
