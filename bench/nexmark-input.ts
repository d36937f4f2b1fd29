/**
 * Where a Nexmark run's events come from: the built-in generator, or the same events as JSON in a file or in a Kafka topic,
 * made before anything is timed. Events that come as JSON are one source; `bid` is a view of it.
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
import { jsonEvents } from './nexmark-events.ts';

export type InputKind = 'generator' | 'ndjson' | 'kafka';

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
  return kind === 'ndjson' ? new LinesInput(directory) : await KafkaInput.start(directory);
}

const GENERATOR: NexmarkInput = {
  kind: 'generator',
  serverArgs: [],
  source: null,
  schema: (volume) => Promise.resolve(schemaStatements(volume)),
  dispose: () => Promise.resolve(),
};

const BID = ['auction', 'bidder', 'price', 'channel', 'url', 'date_time', 'extra'];
const PATHS = BID.map((name) => `json.path.${name} = 'bid.${name}'`).join(', ');

function eventStatements(connector: string, volume: Volume): string[] {
  const sideInput = schemaStatements(volume).find((text) => text.includes('side_input'))!;
  return [
    `CREATE SOURCE event (event_type INT, auction BIGINT, bidder BIGINT, price BIGINT, channel TEXT, url TEXT,
       date_time TIMESTAMP, extra TEXT, WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')
     WITH (${connector}) FORMAT PLAIN ENCODE JSON (${PATHS})`,
    `CREATE VIEW bid AS SELECT ${BID.join(', ')} FROM event WHERE event_type = 2`,
    sideInput,
  ];
}

class LinesInput implements NexmarkInput {
  readonly kind = 'ndjson';
  readonly source = 'event';
  readonly #directory: string;
  readonly #made = new Set<string>();

  constructor(directory: string) {
    this.#directory = directory;
  }

  get serverArgs(): string[] {
    return ['--file-root', this.#directory];
  }

  async schema(volume: Volume): Promise<readonly string[]> {
    const path = join(this.#directory, `events-${volume.events}-${volume.rate}.ndjson`);
    if (!this.#made.has(path)) await writeLines(createWriteStream(path), volume);
    this.#made.add(path);
    return eventStatements(`connector = 'file', path = '${path}'`, volume);
  }

  dispose(): Promise<void> {
    rmSync(this.#directory, { recursive: true, force: true });
    return Promise.resolve();
  }
}

async function writeLines(file: Writable, volume: Volume): Promise<void> {
  let lines: string[] = [];
  const flush = async (): Promise<void> => {
    const text = lines.map((line) => `${line}\n`).join('');
    lines = [];
    await new Promise<void>((resolve, reject) =>
      file.write(text, (error) => (error ? reject(error) : resolve())),
    );
  };
  for (const event of jsonEvents(volume)) if (lines.push(event) === BATCH_EVENTS) await flush();
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
    const topic = `events-${volume.events}-${volume.rate}`;
    if (!this.#made.has(topic)) await this.#fill(topic, volume);
    this.#made.add(topic);
    const options = `connector = 'kafka', topic = '${topic}', properties.bootstrap.server = '${this.#cluster.bootstrap()}'`;
    return eventStatements(options, volume);
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
    for (const event of jsonEvents(volume)) {
      writer.append(Date.now(), null, Buffer.from(event));
      if (writer.recordCount === BATCH_EVENTS) await flush();
    }
    await flush();
  }
}
