/** The files of sql-tests/ as tests of node:test, under one configuration. */

import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Configuration } from './configurations.ts';
import { SltServers } from './servers.ts';

const ROOT = join(import.meta.dirname, '../../..');

export const SLT_FILES: readonly string[] = globSync('sql-tests/**/*.slt', { cwd: ROOT }).sort();

export function describeFiles(configuration: Configuration, paths: readonly string[]): void {
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
