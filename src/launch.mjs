#!/usr/bin/env node
/**
 * The first thing that runs, in plain JavaScript so that an old Node can say what is missing: checks the version, then
 * starts dist/main.js (installed package) or src/main.ts (checkout, after building the generated files once).
 *
 * What Node makes of the sources is kept beside them (docs/decisions/020): where that folder cannot be written, nothing is kept.
 */

import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { fileURLToPath } from 'node:url';

const NODE_MAJOR = 24;

if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR) {
  process.stderr.write(
    `millrace: Node.js ${NODE_MAJOR} or newer is needed, this is ${process.versions.node}: install it from nodejs.org, or in a checkout run "npm ci" with optional dependencies\n`,
  );
  process.exit(1);
}

/** `demo --kafka` without the address of a broker: a checkout starts one. */
function needsOwnKafka() {
  const args = process.argv.slice(2);
  const at = args.indexOf('--kafka');
  return args[0] === 'demo' && at > 0 && (args[at + 1] ?? '-').startsWith('-');
}

const packaged = new URL('./main.js', import.meta.url);
const isPackaged = existsSync(packaged);

const cache = new URL(isPackaged ? './compile-cache' : '../build/compile-cache', import.meta.url);
// Worker threads find it in the environment.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(cache);
nodeModule.enableCompileCache(process.env.NODE_COMPILE_CACHE);

if (isPackaged) await import(packaged.href);
else {
  const { buildGenerated } = await import(new URL('./build.ts', import.meta.url).href);
  await buildGenerated();
  const main = needsOwnKafka() ? './testing/services/demo.ts' : './main.ts';
  await import(new URL(main, import.meta.url).href);
}
// A process that is killed would keep nothing.
nodeModule.flushCompileCache();
