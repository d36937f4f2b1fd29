/** sql-tests/: every file under the default configuration, a seeded sample under others (all: MILLRACE_TEST_SLT=all). */

import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { Random, systemRandom } from '../base/random.ts';
import {
  type Configuration,
  DEFAULT_CONFIGURATION,
  otherConfigurations,
  sampledConfigurations,
} from './slt/configurations.ts';
import { SltServers } from './slt/servers.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Files per sampled configuration in `npm test`. */
const SAMPLED_FILES = 8;

const files = globSync('sql-tests/**/*.slt', { cwd: ROOT }).sort();
const seed = Number(process.env.MILLRACE_TEST_SEED ?? systemRandom().u32());
const random = new Random(seed);

function describeFiles(configuration: Configuration, paths: readonly string[]): void {
  describe(`sql-tests, ${configuration.name}`, () => {
    const servers = new SltServers(configuration);
    after(() => servers.close());
    for (const path of paths) {
      test(path, async () => {
        const { failures } = await servers.run(join(ROOT, path));
        assert.equal(failures.length, 0, `\n${failures.join('\n\n')}`);
      });
    }
  });
}

describeFiles(DEFAULT_CONFIGURATION, files);
if (process.env.MILLRACE_TEST_SLT === 'all') {
  for (const configuration of otherConfigurations()) describeFiles(configuration, files);
} else {
  for (const configuration of sampledConfigurations(random)) {
    const sample = random
      .shuffle([...files])
      .slice(0, SAMPLED_FILES)
      .sort();
    describeFiles({ ...configuration, name: `${configuration.name}, seed ${seed}` }, sample);
  }
}
