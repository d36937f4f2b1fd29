/** Random tests against a running server: one run a seed until the time is over; what fails names its seed. */

import { Random, systemRandom } from '../../base/random.ts';

/** Of the first run. */
export const SEED = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());

export async function seededRuns(
  run: (random: Random) => Promise<void>,
  secondsDefault = 4,
): Promise<void> {
  const seconds = Number(process.env.MILLRACE_TEST_FUZZ_SECONDS ?? secondsDefault);
  const deadline = performance.now() + seconds * 1000;
  for (let seed = SEED; performance.now() < deadline; seed += 1) {
    await run(new Random(seed)).catch((error: Error) => {
      throw new Error(`MILLRACE_TEST_SEED=${seed}: ${error.message}`, { cause: error });
    });
  }
}
