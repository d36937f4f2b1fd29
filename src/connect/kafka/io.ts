/**
 * The synchronous side of the thread that talks to the brokers: readers get what was fetched without waiting, and a recovery
 * waits for a range. One thread serves all sources and sinks of the calling thread; it starts with the first.
 */

import {
  type AwaitableThread,
  entry,
  fromPortError,
  spawnAwaitableThread,
} from '../../base/threads.ts';
import type { RegistryConfig } from '../schema-registry/registry-client.ts';
import type { SchemaAnswer } from '../source.ts';
import type { SpoolPosition } from '../spool/spool.ts';
import { isPooled } from './buffer-pool.ts';
import type { PartitionOffset } from './client.ts';
import type {
  FromKafkaIo,
  RangeOptions,
  ReaderOptions,
  ToKafkaIo,
  WriterOptions,
} from './io-port.ts';
import type { KafkaConfig } from './kafka-config.ts';

export type IoListener = (message: FromKafkaIo) => void;

class KafkaIo {
  readonly #thread: AwaitableThread<ToKafkaIo, FromKafkaIo>;
  readonly #listeners = new Map<number, IoListener>();
  #nextId = 1;

  constructor() {
    this.#thread = spawnAwaitableThread(entry(import.meta.url, './io-thread.ts'), {
      name: 'kafka',
      data: null,
    });
    this.#thread.onMessage((message) => this.#listeners.get(message.id)?.(message));
    this.#thread.setRef(false);
  }

  openReader(options: ReaderOptions, listener: IoListener): number {
    return this.#open(listener, (id) => ({ kind: 'open_reader', id, options }));
  }

  openRange(options: RangeOptions, listener: IoListener): number {
    return this.#open(listener, (id) => ({ kind: 'open_range', id, options }));
  }

  openWriter(options: WriterOptions, listener: IoListener): number {
    return this.#open(listener, (id) => ({ kind: 'open_writer', id, options }));
  }

  /** What a schema registry has under these ids. Throws a SqlError where it does not answer. */
  askSchemas(
    registry: RegistryConfig,
    schemaIds: readonly number[],
  ): Promise<readonly SchemaAnswer[]> {
    return this.#ask(
      (id) => ({ kind: 'ask_schemas', id, registry, schemaIds }),
      (message) => (message.kind === 'schemas' ? message.answers : []),
    );
  }

  /** Notes offsets under a group of consumers. Throws where they cannot be. */
  commitOffsets(
    config: KafkaConfig,
    group: string,
    offsets: readonly PartitionOffset[],
  ): Promise<void> {
    return this.#ask(
      (id) => ({ kind: 'commit_offsets', id, config, group, offsets }),
      () => undefined,
    );
  }

  /** A writer's spool holds whole epochs up to `end`. */
  spooled(id: number, end: SpoolPosition): void {
    this.#thread.post({ kind: 'spooled', id, end });
  }

  /** These bytes, which were fetched, are not needed any more: they are gone afterwards. */
  taken(id: number, bytes: Uint8Array<SharedArrayBuffer> | null): void {
    const byteCount = bytes?.length ?? 0;
    const buffer = bytes !== null && isPooled(bytes.buffer) ? bytes.buffer : null;
    this.#thread.post({ kind: 'taken', id, byteCount, buffer });
  }

  close(id: number): void {
    this.#listeners.delete(id);
    this.#thread.post({ kind: 'close', id });
  }

  /** Stands still until a message came, for whomever; false: none came in time. */
  receive(timeoutMs: number): boolean {
    return this.#thread.receive(timeoutMs);
  }

  /** Of the one message that comes back: 'failed' rejects. */
  #ask<T>(message: (id: number) => ToKafkaIo, answer: (message: FromKafkaIo) => T): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const id = this.#open((reply) => {
      this.#listeners.delete(id);
      if (reply.kind === 'failed') reject(fromPortError(reply.error));
      else resolve(answer(reply));
    }, message);
    return promise;
  }

  #open(listener: IoListener, message: (id: number) => ToKafkaIo): number {
    const id = this.#nextId++;
    this.#listeners.set(id, listener);
    this.#thread.post(message(id));
    return id;
  }
}

let io: KafkaIo | null = null;

/** This thread's connection to the brokers. */
export function kafkaIo(): KafkaIo {
  io ??= new KafkaIo();
  return io;
}
