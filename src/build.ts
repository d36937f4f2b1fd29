/**
 * What is made from the sources. `buildGenerated` makes what a checkout needs to run (idempotent, by content hash);
 * `node src/build.ts dist` makes the published package: plain JavaScript in dist/, the launcher, the data files, the kernels'
 * .wasm and the parser of grammar/ where the code in dist/ finds them.
 */

import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildKernels } from './kernels/build.ts';
import { buildStreamingParser } from './sql/build.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');

/** Files and folders under src/ that dist/ needs as they are. */
const COPIED = ['launch.mjs', 'catalog/system/postgres15.jsonl.gz', 'demo/data'];

/** Never published: tests, what only tests use, and what only builds. */
const EXCLUDED = [
  '../src/**/*.test.ts',
  '../src/**/*.e2e.ts',
  '../src/**/*.test-support.ts',
  '../src/**/*.as.ts',
  '../src/testing',
  '../src/build.ts',
  '../src/kernels/build.ts',
  '../src/sql/build.ts',
  '../src/plan/scripted-catalog.ts',
  '../src/state/batch-fixture.ts',
  '../src/state/concurrent-reader.ts',
];

/** Makes the generated files of a checkout; nothing to do when they are there. */
export async function buildGenerated(): Promise<void> {
  buildKernels();
  await buildStreamingParser();
}

/** Makes dist/ from nothing. Throws when the sources don't type-check. */
export async function buildDist(): Promise<void> {
  const kernels = buildKernels();
  const parser = await buildStreamingParser();
  rmSync(DIST, { recursive: true, force: true });
  compile();
  for (const path of COPIED) {
    mkdirSync(dirname(join(DIST, path)), { recursive: true });
    cpSync(join(ROOT, 'src', path), join(DIST, path), { recursive: true });
  }
  copyFileSync(kernels, join(DIST, 'kernels/kernels.wasm'));
  copyFileSync(parser, join(DIST, 'sql/streaming-parser.js'));
}

function compile(): void {
  const project = join(ROOT, 'build/tsconfig.dist.json');
  const settings = {
    extends: '../tsconfig.json',
    compilerOptions: { noEmit: false, noEmitOnError: true, outDir: '../dist', rootDir: '../src' },
    include: ['../src'],
    exclude: EXCLUDED,
  };
  mkdirSync(dirname(project), { recursive: true });
  writeFileSync(project, `${JSON.stringify(settings, null, 2)}\n`);
  const require = createRequire(import.meta.url);
  const compiler = join(dirname(require.resolve('typescript/package.json')), 'bin/tsc');
  execFileSync(process.execPath, [compiler, '--project', project], { stdio: 'inherit', cwd: ROOT });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === 'dist') await buildDist();
  else await buildGenerated();
}
