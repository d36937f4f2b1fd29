/**
 * Which of V8's two WebAssembly compilers a function gets: Liftoff (fast, little memory) at its first call, TurboFan once it
 * is called often. TurboFan's memory grows faster than the function: a generated parser's main function of 100 KB takes it
 * 600 MB and 1.5 CPU seconds, for nothing that can be measured.
 */

import { setFlagsFromString } from 'node:v8';

const OFF = ['--no-wasm-dynamic-tiering', '--no-wasm-tier-up'];
const ON = ['--wasm-dynamic-tiering', '--wasm-tier-up'];

/**
 * Runs `call`; WebAssembly functions that are called in it for the first time are never optimized. The switch is the
 * whole process's, so nothing that is to be fast may meet its first call meanwhile on another thread.
 */
export function keepUnoptimized(call: () => void): void {
  for (const flag of OFF) setFlagsFromString(flag);
  try {
    call();
  } finally {
    for (const flag of ON) setFlagsFromString(flag);
  }
}
