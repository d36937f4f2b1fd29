/** sql-tests/: a seeded sample of the files under other configurations (every file: MILLRACE_TEST_SLT=all). */

import { Random, systemRandom } from '../base/random.ts';
import { otherConfigurations, sampledConfigurations } from './slt/configurations.ts';
import { describeFiles, SLT_FILES } from './slt/describe-files.ts';

/** Files per sampled configuration in `npm test`. */
const SAMPLED_FILES = 8;

const seed = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const random = new Random(seed);

if (process.env.MILLRACE_TEST_SLT === 'all') {
  for (const configuration of otherConfigurations()) describeFiles(configuration, SLT_FILES);
} else {
  for (const configuration of sampledConfigurations(random)) {
    const sample = random
      .shuffle([...SLT_FILES])
      .slice(0, SAMPLED_FILES)
      .sort();
    describeFiles({ ...configuration, name: `${configuration.name}, seed ${seed}` }, sample);
  }
}
