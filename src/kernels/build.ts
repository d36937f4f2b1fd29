/** Builds the kernels' .wasm from its AssemblyScript sources, by content hash: nothing to do when it is there. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildDirectory, KERNEL_SOURCES, kernelBinaryName } from './wasm-path.ts';

/** Makes sure that the .wasm exists; returns its path. Idempotent; several processes may do it at once. */
export function buildKernels(): string {
  const target = join(buildDirectory(), kernelBinaryName());
  if (existsSync(target)) return target;
  mkdirSync(buildDirectory(), { recursive: true });
  const require = createRequire(import.meta.url);
  const compiler = join(dirname(require.resolve('assemblyscript/package.json')), 'bin/asc.js');
  const partial = `${target}.${process.pid}.partial`;
  const sources = KERNEL_SOURCES.map((name) => fileURLToPath(new URL(name, import.meta.url)));
  const options = ['--optimizeLevel', '3', '--shrinkLevel', '0', '--noAssert', '--runtime', 'stub'];
  const memory = [
    '--importMemory',
    '--sharedMemory',
    '--initialMemory',
    '2',
    '--maximumMemory',
    '65536',
  ];
  const features = ['--enable', 'threads', '--enable', 'simd'];
  const args = [compiler, ...sources, '--outFile', partial, ...options, ...memory, ...features];
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  renameSync(partial, target);
  return target;
}
