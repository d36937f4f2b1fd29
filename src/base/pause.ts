/** Waiting between two attempts of something that goes on for ever. */

import { setTimeout as delay } from 'node:timers/promises';

/** Resolves after `ms`, or as soon as `signal` says so; it keeps no thread alive. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal, ref: false }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
