/**
 * A view equals its query at every epoch: a bounded number of random cases against the real server, PGlite as reference. By
 * environment: MILLRACE_TEST_SEED (repeats a run), MILLRACE_TEST_FUZZ_SECONDS (per configuration). A failing case is kept in
 * sql-tests/regress/. More by hand: src/testing/view-fuzz.ts.
 */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { systemRandom } from '../base/random.ts';
import { closeOracle } from './oracle.ts';
import type { ServerOptions } from './server-process.ts';
import { type FuzzOptions, fuzzViews } from './view-fuzz.ts';

const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const SECONDS = Number(process.env.MILLRACE_TEST_FUZZ_SECONDS ?? 8);
const KEEP = join(import.meta.dirname, '../../sql-tests/regress');
const CASES_MAX = 1_000_000;

async function assertNoFailure(server: ServerOptions, shape: Partial<FuzzOptions>): Promise<void> {
  const outcome = await fuzzViews({
    ...{ url: null, postgres: null, keep: KEEP, goesOn: false },
    ...{ viewCount: 3, changeCount: 6, hasKills: false },
    ...{ firstSeed: SEED, caseCount: CASES_MAX, timeMs: SECONDS * 1000 },
    server,
    ...shape,
  });
  assert.equal(outcome.failures.length, 0, `MILLRACE_TEST_SEED=${SEED}\n${outcome.failures[0]}`);
  assert.ok(outcome.comparisonCount > 0, 'nothing was compared');
}

const IN_MEMORY = { dataDir: ':memory:' };

after(() => closeOracle());

test(`random views, batches of 1024 (seed ${SEED})`, () => assertNoFailure(IN_MEMORY, {}));

test(`random views, batches of 1, kernels ts (seed ${SEED})`, () =>
  assertNoFailure({ ...IN_MEMORY, args: ['--kernels', 'ts'], tuning: { batchRowsMax: 1 } }, {}));

test(`random views, batches of 7 (seed ${SEED})`, () =>
  assertNoFailure({ ...IN_MEMORY, tuning: { batchRowsMax: 7 } }, {}));

test(`random views with kill -9 in the middle (seed ${SEED})`, () =>
  assertNoFailure({}, { hasKills: true }));
