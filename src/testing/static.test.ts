/** Types and lint as tests, so that one run says everything. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { test } from 'node:test';

const ROOT = join(import.meta.dirname, '../..');
const require = createRequire(import.meta.url);

/** Runs a package's command; its output when it fails, else null. */
function problemsOf(command: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    const options = { cwd: ROOT, maxBuffer: 64 * 1024 * 1024 };
    execFile(process.execPath, [command, ...args], options, (error, stdout, stderr) => {
      resolve(error === null ? null : `${stdout}${stderr}`);
    });
  });
}

function commandOf(packageName: string, path: string): string {
  return join(dirname(require.resolve(`${packageName}/package.json`)), path);
}

test('types: tsc --noEmit', async () => {
  const problems = await problemsOf(commandOf('typescript', 'bin/tsc'), ['--noEmit']);
  assert.equal(problems, null, `\n${problems}`);
});

test('lint and format: biome check', async () => {
  const problems = await problemsOf(commandOf('@biomejs/biome', 'bin/biome'), ['check']);
  assert.equal(problems, null, `\n${problems}`);
});
