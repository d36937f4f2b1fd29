/** What the tests share that kill the server while a producer writes: the kills, and writing until it is enough. */

import { setTimeout as delay } from 'node:timers/promises';
import type { Random } from '../../base/random.ts';
import type { ServerProcess } from '../server-process.ts';

export const KILLS = Number(process.env.MILLRACE_TEST_KAFKA_KILLS ?? 6);
const UP_MS_MAX = 1500;

/** Kills the server at random moments, while it starts or when it runs; the last start is waited for. */
export async function killOften(server: ServerProcess, random: Random): Promise<void> {
  for (let kill = 1; kill <= KILLS; kill += 1) {
    if (random.below(3) > 0) await server.ready();
    await delay(random.below(UP_MS_MAX));
    await server.kill();
    server.spawn();
  }
  await server.ready();
}

/** Writes batch after batch until it is stopped. */
export class Writing {
  #isStopped = false;
  readonly #run: Promise<void>;

  /** `writeBatch` also waits until the next batch is due. */
  constructor(writeBatch: () => Promise<void>) {
    this.#run = this.#write(writeBatch);
  }

  /** Resolves after the last batch; throws what a batch has failed with. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#run;
  }

  async #write(writeBatch: () => Promise<void>): Promise<void> {
    while (!this.#isStopped) await writeBatch();
  }
}
