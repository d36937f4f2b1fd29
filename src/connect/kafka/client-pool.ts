/** Clients that several readers and writers of one cluster share; kept a while after the last one has gone. */

import { KafkaClient } from './client.ts';
import type { KafkaConfig } from './kafka-config.ts';

const LINGER_MS = 10_000;

interface Shared {
  readonly client: KafkaClient;
  userCount: number;
  timer: NodeJS.Timeout | null;
}

export class ClientPool {
  readonly #shared = new Map<string, Shared>();

  /** Give it back with `release`. */
  acquire(config: KafkaConfig): KafkaClient {
    const key = JSON.stringify(config);
    const shared = this.#shared.get(key) ?? {
      client: new KafkaClient(config),
      userCount: 0,
      timer: null,
    };
    this.#shared.set(key, shared);
    if (shared.timer !== null) clearTimeout(shared.timer);
    shared.timer = null;
    shared.userCount += 1;
    return shared.client;
  }

  release(config: KafkaConfig): void {
    const key = JSON.stringify(config);
    const shared = this.#shared.get(key);
    if (shared === undefined) return;
    shared.userCount -= 1;
    if (shared.userCount > 0) return;
    shared.timer = setTimeout(() => {
      this.#shared.delete(key);
      // What goes wrong while a connection is given up is of no interest.
      shared.client.close().catch(() => undefined);
    }, LINGER_MS);
    shared.timer.unref();
  }
}
