/**
 * Where a Nexmark run's events come from: the built-in generator, or the same events as text in a file (JSON or CSV) or in a
 * Kafka topic (JSON), made before anything is timed. Events that come as text are one source; `bid` is a view of it.
 */

import { createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import type { KafkaClient } from '../src/connect/kafka/client.ts';
import { RecordBatchWriter } from '../src/connect/kafka/record-batch-writer.ts';
import { KafkaCluster } from '../src/testing/services/kafka.ts';
import { benchClient, KafkaTopic } from './kafka-topic.ts';
import { schemaStatements, type Volume } from './nexmark-cases.ts';
import { BID_COLUMNS, CSV_HEADER, csvEvents, jsonEvents, poisoned } from './nexmark-events.ts';

export type InputKind = 'generator' | 'ndjson' | 'csv' | 'kafka';

export interface NexmarkInput {
  readonly kind: InputKind;
  /** Flags that the server needs. */
  readonly serverArgs: readonly string[];
  /** Statements that make the sources (and the side table) of so many events. */
  schema(volume: Volume): Promise<readonly string[]>;
  /** The source that is waited for, and its events; null: the streams that a query reads, to their end. */
  readonly source: string | null;
  dispose(): Promise<void>;
}

export async function openInput(kind: InputKind): Promise<NexmarkInput> {
  if (kind === 'generator') return GENERATOR;
  const directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  return kind === 'kafka' ? await KafkaInput.start(directory) : new LinesInput(directory, kind);
}

const GENERATOR: NexmarkInput = {
  kind: 'generator',
  serverArgs: [],
  source: null,
  schema: (volume) => Promise.resolve(schemaStatements(volume)),
  dispose: () => Promise.resolve(),
};

const PATHS = BID_COLUMNS.map((name) => `json.path.${name} = 'bid.${name}'`).join(', ');
const ENCODE_JSON = `ENCODE JSON (${PATHS})`;

function eventStatements(connector: string, encode: string, volume: Volume): string[] {
  const sideInput = schemaStatements(volume).find((text) => text.includes('side_input'))!;
  return [
    `CREATE SOURCE event (event_type INT, auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT,
       date_time TIMESTAMP, extra TEXT, WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
     WITH (${connector}) FORMAT PLAIN ${encode}`,
    `CREATE VIEW bid AS SELECT ${BID_COLUMNS.join(', ')} FROM event WHERE event_type = 2`,
    sideInput,
  ];
}

/** Names what `volume` gives. */
function nameOf({ events, rate, poisonEvery = 0 }: Volume): string {
  return `events-${events}-${rate}-${poisonEvery}`;
}

function* textEvents(kind: 'json' | 'csv', volume: Volume): Generator<string> {
  const events = kind === 'csv' ? csvEvents(volume) : jsonEvents(volume);
  const { poisonEvery } = volume;
  yield* poisonEvery === undefined ? events : poisoned(events, poisonEvery);
}

class LinesInput implements NexmarkInput {
  readonly kind: 'ndjson' | 'csv';
  readonly source = 'event';
  readonly #directory: string;
  readonly #made = new Set<string>();

  constructor(directory: string, kind: 'ndjson' | 'csv') {
    this.#directory = directory;
    this.kind = kind;
  }

  get serverArgs(): string[] {
    return ['--file-root', this.#directory];
  }

  async schema(volume: Volume): Promise<readonly string[]> {
    const { kind } = this;
    const path = join(this.#directory, `${nameOf(volume)}.${kind}`);
    const events = textEvents(kind === 'csv' ? 'csv' : 'json', volume);
    const header = kind === 'csv' ? `${CSV_HEADER}\n` : '';
    if (!this.#made.has(path)) await writeLines(createWriteStream(path), header, events);
    this.#made.add(path);
    const encode = kind === 'csv' ? 'ENCODE CSV' : ENCODE_JSON;
    return eventStatements(`connector = 'file', path = '${path}'`, encode, volume);
  }

  dispose(): Promise<void> {
    rmSync(this.#directory, { recursive: true, force: true });
    return Promise.resolve();
  }
}

async function writeLines(file: Writable, header: string, events: Iterable<string>): Promise<void> {
  let lines: string[] = [];
  const flush = async (): Promise<void> => {
    const text = lines.map((line) => `${line}\n`).join('');
    lines = [];
    await new Promise<void>((resolve, reject) =>
      file.write(text, (error) => (error ? reject(error) : resolve())),
    );
  };
  file.write(header);
  for (const event of events) if (lines.push(event) === BATCH_EVENTS) await flush();
  await flush();
  await new Promise<void>((resolve) => file.end(resolve));
}

const BATCH_EVENTS = 500;
const PARTITION_COUNT = 4;

class KafkaInput implements NexmarkInput {
  readonly kind = 'kafka';
  readonly source = 'event';
  readonly serverArgs = [];
  readonly #cluster: KafkaCluster;
  readonly #directory: string;
  readonly #client: KafkaClient;
  readonly #made = new Set<string>();

  private constructor(cluster: KafkaCluster, directory: string) {
    this.#cluster = cluster;
    this.#directory = directory;
    this.#client = benchClient(cluster.bootstrap());
  }

  static async start(directory: string): Promise<KafkaInput> {
    return new KafkaInput(await KafkaCluster.start(directory), directory);
  }

  async schema(volume: Volume): Promise<readonly string[]> {
    const topic = nameOf(volume);
    if (!this.#made.has(topic)) await this.#fill(topic, volume);
    this.#made.add(topic);
    const options = `connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${this.#cluster.bootstrap()}'`;
    return eventStatements(options, ENCODE_JSON, volume);
  }

  async dispose(): Promise<void> {
    await this.#client.close();
    await this.#cluster.dispose();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  async #fill(name: string, volume: Volume): Promise<void> {
    const topic = await KafkaTopic.open(this.#client, name, PARTITION_COUNT);
    const writer = new RecordBatchWriter();
    let partition = 0;
    const flush = async (): Promise<void> => {
      if (writer.recordCount > 0) await topic.send(partition, writer);
      partition = (partition + 1) % PARTITION_COUNT;
    };
    for (const event of textEvents('json', volume)) {
      writer.append(Date.now(), null, Buffer.from(event));
      if (writer.recordCount === BATCH_EVENTS) await flush();
    }
    await flush();
  }
}
