/** The thread that talks to Kafka's brokers for a thread that works synchronously (the dataflow worker). */

import { SystemClock } from '../../base/clock.ts';
import { awaitableThreadSelf, toPortError } from '../../base/threads.ts';
import {
  type RegistryConfig,
  RegistryError,
  SchemaRegistryClient,
} from '../schema-registry/registry-client.ts';
import type { SchemaAnswer } from '../source.ts';
import { postEvents } from '../spool/courier-events.ts';
import type { SpoolPosition } from '../spool/spool.ts';
import { SpoolDeliverer } from '../spool/spool-deliverer.ts';
import { recordBuffers } from './buffer-pool.ts';
import { ClientPool } from './client-pool.ts';
import { Credit } from './credit.ts';
import { commitToGroup } from './group-commit.ts';
import type {
  FetchedRecords,
  FromKafkaIo,
  RangeOptions,
  ReaderOptions,
  SchemaSource,
  ToKafkaIo,
  WriterOptions,
} from './io-port.ts';
import { readRange } from './range-reader.ts';
import { SchemaGate } from './schema-gate.ts';
import { TopicFilter } from './topic-filter.ts';
import { TopicReader } from './topic-reader.ts';
import { TopicWriter } from './topic-writer.ts';

/** What works under an id, and how it is ended. */
interface Work {
  taken?(byteCount: number): void;
  spooled?(end: SpoolPosition): void;
  close(): void;
}

const self = awaitableThreadSelf<ToKafkaIo, FromKafkaIo, null>();
const clients = new ClientPool();
const works = new Map<number, Work>();
/** By config as JSON; they hold no connection. */
const registries = new Map<string, SchemaRegistryClient>();
const clock = new SystemClock();

/** Where fetched records go: to the other side, with the schemas that they need before them. */
interface Outlet {
  pass(records: FetchedRecords): void;
  /** When all that came before has gone. */
  after(work: () => void): void;
  close(): void;
}

function registryClient(config: RegistryConfig): SchemaRegistryClient {
  const key = JSON.stringify(config);
  const client = registries.get(key) ?? new SchemaRegistryClient(config, clock);
  registries.set(key, client);
  return client;
}

function openOutlet(id: number, source: SchemaSource | null): Outlet {
  const onRecords = (records: FetchedRecords) => postRecords(id, records);
  if (source === null) return { pass: onRecords, after: (work) => work(), close: () => {} };
  const { areInKeys, ...config } = source;
  return new SchemaGate(registryClient(config), areInKeys, {
    onSchema: (schemaId, schema) => self.post({ kind: 'schema', id, schemaId, schema }),
    onRecords,
    onTrouble: (reason) => self.post({ kind: 'trouble', id, reason }),
  });
}

/** What was read before it is good. */
function postFailure(id: number, outlet: Outlet, error: unknown): void {
  outlet.after(() => self.post({ kind: 'failed', id, error: toPortError(error) }));
}

function openReader(id: number, options: ReaderOptions): Work {
  const client = clients.acquire(options.config);
  const outlet = openOutlet(id, options.registry);
  const reader = new TopicReader(client, options, new TopicFilter(options.selection), {
    onSplits: (splits) => self.post({ kind: 'splits', id, splits }),
    onRecords: (records) => outlet.pass(records),
    onTrouble: (reason) => self.post({ kind: 'trouble', id, reason }),
    onFailed: (error) => postFailure(id, outlet, error),
  });
  reader.run();
  return {
    taken: (byteCount) => reader.taken(byteCount),
    close: () => {
      reader.close();
      outlet.close();
      clients.release(options.config);
    },
  };
}

function openRange(id: number, options: RangeOptions): Work {
  const client = clients.acquire(options.config);
  const credit = new Credit(options.fetch.queueBytesMax);
  const ending = new AbortController();
  const outlet = openOutlet(id, options.registry);
  const events = {
    onRecords: (records: FetchedRecords) => outlet.pass(records),
    onTrouble: (reason: string | null) => self.post({ kind: 'trouble', id, reason }),
  };
  readRange(client, options, events, credit, ending.signal)
    .catch((error: unknown) => postFailure(id, outlet, error))
    .finally(() => clients.release(options.config));
  return {
    taken: (byteCount) => credit.giveBack(byteCount),
    close: () => {
      ending.abort();
      outlet.close();
      credit.release();
    },
  };
}

function openWriter(id: number, options: WriterOptions): Work {
  const client = clients.acquire(options.config);
  const events = postEvents((event) => self.post({ ...event, id }));
  const writer = new SpoolDeliverer(options, new TopicWriter(client, options, clock), events);
  writer.run();
  return {
    spooled: (end) => writer.spooled(end),
    close: () => {
      writer.close();
      clients.release(options.config);
    },
  };
}

async function askSchemas(id: number, registry: RegistryConfig, schemaIds: readonly number[]) {
  const client = registryClient(registry);
  try {
    const answers: SchemaAnswer[] = [];
    for (const one of schemaIds) answers.push({ id: one, schema: await client.schemaNow(one) });
    self.post({ kind: 'schemas', id, answers });
  } catch (error) {
    const known = error instanceof RegistryError ? error.toSqlError() : error;
    self.post({ kind: 'failed', id, error: toPortError(known) });
  }
}

async function commitOffsets(message: ToKafkaIo & { readonly kind: 'commit_offsets' }) {
  const { id, config, group, offsets } = message;
  const client = clients.acquire(config);
  try {
    await commitToGroup(client, group, offsets);
    self.post({ kind: 'offsets_committed', id });
  } catch (error) {
    self.post({ kind: 'failed', id, error: toPortError(error) });
  } finally {
    clients.release(config);
  }
}

function postRecords(id: number, records: FetchedRecords): void {
  self.post({ kind: 'records', id, records });
}

self.onMessage((message) => {
  switch (message.kind) {
    case 'open_reader':
      works.set(message.id, openReader(message.id, message.options));
      return;
    case 'open_range':
      works.set(message.id, openRange(message.id, message.options));
      return;
    case 'open_writer':
      works.set(message.id, openWriter(message.id, message.options));
      return;
    case 'ask_schemas':
      void askSchemas(message.id, message.registry, message.schemaIds);
      return;
    case 'commit_offsets':
      void commitOffsets(message);
      return;
    case 'spooled':
      works.get(message.id)?.spooled?.(message.end);
      return;
    case 'taken':
      works.get(message.id)?.taken?.(message.byteCount);
      if (message.buffer !== null) recordBuffers.give(message.buffer);
      return;
    case 'close':
      works.get(message.id)?.close();
      works.delete(message.id);
  }
});
