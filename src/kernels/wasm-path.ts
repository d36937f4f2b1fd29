/** Where the kernels' .wasm is: built by content hash (build.ts) into build/ of a checkout, beside this file when published. */

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Sources of the .wasm, in order. */
export const KERNEL_SOURCES: readonly string[] = Object.freeze(['table.as.ts', 'json.as.ts']);

/** Name of the .wasm that the present sources give. */
export function kernelBinaryName(): string {
  const hash = createHash('sha256');
  for (const source of KERNEL_SOURCES) hash.update(readFileSync(new URL(source, import.meta.url)));
  return `kernels-${hash.digest('hex').slice(0, 16)}.wasm`;
}

/** Directory that builds write to, in a checkout. */
export function buildDirectory(): string {
  return fileURLToPath(new URL('../../build/', import.meta.url));
}

/** The .wasm that fits the sources; null when it was not built. */
export function kernelBinaryPath(): string | null {
  const published = fileURLToPath(new URL('./kernels.wasm', import.meta.url));
  if (existsSync(published)) return published;
  if (!existsSync(new URL(KERNEL_SOURCES[0]!, import.meta.url))) return null;
  const path = buildDirectory() + kernelBinaryName();
  return existsSync(path) ? path : null;
}
