/**
 * SchemaGate: lets fetched records through once the schemas that their values (and keys) name are known to the other side. Runs on the
 * thread that talks to the brokers.
 *
 * Correctness: records go through in the order in which they came; a schema goes before the first records that need it. A
 * registry that cannot be reached holds the records up, as a broker that is away does; an id that it does not know does not:
 * its records are rejected where they are decoded.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { WriterSchema } from '../../formats/message-decoder.ts';
import { hasFrame, schemaIdAt } from '../../formats/schema-frame.ts';
import { RegistryError, type SchemaRegistryClient } from '../schema-registry/registry-client.ts';
import type { FetchedRecords } from './io-port.ts';
import { RecordWalker } from './record-batch.ts';

const RETRY_MS_MIN = 200;
const RETRY_MS_MAX = 5000;

export interface SchemaGateEvents {
  onSchema(schemaId: number, schema: WriterSchema): void;
  onRecords(records: FetchedRecords): void;
  /** null: it is over. */
  onTrouble(reason: string | null): void;
}

export class SchemaGate {
  readonly #client: SchemaRegistryClient;
  readonly #areInKeys: boolean;
  readonly #events: SchemaGateEvents;
  readonly #closing = new AbortController();
  /** Ids whose schemas the other side has. */
  readonly #told = new Set<number>();
  #waitingCount = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(client: SchemaRegistryClient, areInKeys: boolean, events: SchemaGateEvents) {
    this.#client = client;
    this.#areInKeys = areInKeys;
    this.#events = events;
  }

  pass(records: FetchedRecords): void {
    const wanted = this.#newIds(records);
    if (wanted.size === 0 && this.#waitingCount === 0) {
      this.#events.onRecords(records);
      return;
    }
    this.#waitingCount += 1;
    this.#last = this.#last.then(async () => {
      for (const id of wanted) await this.#learn(id);
      this.#waitingCount -= 1;
      if (!this.#closing.signal.aborted) this.#events.onRecords(records);
    });
  }

  /** When all that came before has gone through; never, where it is closed until then. */
  after(work: () => void): void {
    if (this.#waitingCount === 0) {
      work();
      return;
    }
    this.#last = this.#last.then(() => {
      if (!this.#closing.signal.aborted) work();
    });
  }

  close(): void {
    this.#closing.abort();
  }

  #newIds({ bytes, from }: FetchedRecords): Set<number> {
    const ids = new Set<number>();
    if (bytes === null) return ids;
    const walker = new RecordWalker(bytes);
    let last = -1;
    const look = (start: number, length: number): void => {
      if (!hasFrame(walker.bytes, start, start + length)) return;
      const id = schemaIdAt(walker.bytes, start);
      if (id === last) return;
      last = id;
      if (!this.#told.has(id)) ids.add(id);
    };
    while (walker.next()) {
      if (walker.offset < from) continue;
      look(walker.valueStart, walker.valueLength);
      if (this.#areInKeys) look(walker.keyStart, walker.keyLength);
    }
    return ids;
  }

  /** Asks until the registry answers. */
  async #learn(id: number): Promise<void> {
    const { signal } = this.#closing;
    for (let retryMs = RETRY_MS_MIN; !signal.aborted && !this.#told.has(id); ) {
      try {
        const schema = await this.#client.schema(id);
        if (retryMs !== RETRY_MS_MIN) this.#events.onTrouble(null);
        if (schema === null || signal.aborted) return;
        this.#told.add(id);
        this.#events.onSchema(id, schema);
      } catch (error) {
        if (!(error instanceof RegistryError)) throw error;
        this.#events.onTrouble(error.message);
        await delay(retryMs, undefined, { signal, ref: false }).catch(() => {});
        retryMs = Math.min(2 * retryMs, RETRY_MS_MAX);
      }
    }
  }
}
