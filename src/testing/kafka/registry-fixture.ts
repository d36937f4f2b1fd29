/** A schema registry for the tests of one file, with a client that registers schemas there and reads them. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SystemClock } from '../../base/clock.ts';
import { SchemaRegistryClient } from '../../connect/schema-registry/registry-client.ts';
import { SchemaRegistry } from '../services/schema-registry.ts';

export class RegistryFixture {
  readonly url: string;
  readonly client: SchemaRegistryClient;
  readonly #registry: SchemaRegistry;
  readonly #directory: string;

  private constructor(registry: SchemaRegistry, directory: string) {
    this.url = registry.url;
    const config = { url: registry.url, authorization: null, timeoutMs: 10_000 };
    this.client = new SchemaRegistryClient(config, new SystemClock());
    this.#registry = registry;
    this.#directory = directory;
  }

  static async start(): Promise<RegistryFixture> {
    const directory = mkdtempSync(join(tmpdir(), 'millrace-registry-'));
    return new RegistryFixture(await SchemaRegistry.start(directory), directory);
  }

  async dispose(): Promise<void> {
    await this.#registry.stop();
    rmSync(this.#directory, { recursive: true });
  }
}

/** A message of a registered schema: 0, the schema's id, then the rest. */
export function framed(id: number, ...rest: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(5);
  head.writeInt32BE(id, 1);
  return Buffer.concat([head, ...rest]);
}
