/** Where the events of `bench freshness` come from: a generator in the server beside a table, or a Kafka topic. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import type { KafkaClient } from '../src/connect/kafka/client.ts';
import { RecordBatchWriter } from '../src/connect/kafka/record-batch-writer.ts';
import { KafkaCluster } from '../src/testing/services/kafka.ts';
import { benchClient, KafkaTopic } from './kafka-topic.ts';
import { textRows } from './measured-server.ts';

/** The group that only probes fall into. */
export const PROBE_KEY = '-1';

/** Events for a view `fresh (auction, last_probe, events)`, and probes among them. */
export interface FreshnessFeed {
  /** Makes the view, and begins with the events. */
  start(client: pg.Client, rate: number): Promise<void>;
  /** Sends a probe; ends when whoever takes it has answered. */
  send(id: number): Promise<void>;
  /** Events that the server has read. */
  eventsRead(): Promise<number>;
  stop(): Promise<void>;
}

export class GeneratorFeed implements FreshnessFeed {
  #client: pg.Client | null = null;

  async start(client: pg.Client, rate: number): Promise<void> {
    this.#client = client;
    const bounds =
      rate === 0
        ? 'nexmark.max.events = 1'
        : `nexmark.event.rate = ${rate}, nexmark.pace = 'realtime'`;
    await client.query(
      `CREATE SOURCE bid (auction BIGINT) WITH (connector = 'nexmark', nexmark.table.type = 'bid', ${bounds})`,
    );
    await client.query('CREATE TABLE probes (auction bigint, id bigint)');
    await client.query(`CREATE MATERIALIZED VIEW fresh AS
      SELECT auction, max(probe) AS last_probe, count(*) AS events FROM (
        SELECT auction, NULL::bigint AS probe FROM bid UNION ALL SELECT auction, id FROM probes) e
      GROUP BY auction`);
    await this.send(0);
  }

  async send(id: number): Promise<void> {
    await this.#client!.query({
      name: 'insert-probe',
      text: `INSERT INTO probes VALUES (${PROBE_KEY}, $1)`,
      values: [id],
    });
  }

  eventsRead(): Promise<number> {
    return eventsOf(this.#client!);
  }

  stop(): Promise<void> {
    return Promise.resolve();
  }
}

const PARTITION_COUNT = 4;
const BATCH_MS = 5;
const AUCTIONS = 1000;

/** A broker and a producer of our own; probes go over a connection of their own. */
export class KafkaFeed implements FreshnessFeed {
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
  #cluster: KafkaCluster | null = null;
  #clients: KafkaClient[] = [];
  #probes: KafkaTopic | null = null;
  #sql: pg.Client | null = null;
  #isStopped = false;
  #producing: Promise<void> = Promise.resolve();

  async start(sql: pg.Client, rate: number): Promise<void> {
    this.#sql = sql;
    this.#cluster = await KafkaCluster.start(this.#directory);
    const bootstrap = this.#cluster.bootstrap();
    this.#clients = [benchClient(bootstrap), benchClient(bootstrap)];
    const [forEvents, forProbes] = this.#clients;
    const events = await KafkaTopic.open(forEvents!, 'bid', PARTITION_COUNT);
    this.#probes = await KafkaTopic.open(forProbes!, 'bid', PARTITION_COUNT);
    await sql.query(
      `CREATE SOURCE bid (auction BIGINT, probe BIGINT)
       WITH (connector = 'kafka', topic = 'bid', properties.bootstrap.server = '${bootstrap}') FORMAT PLAIN ENCODE JSON`,
    );
    await sql.query(`CREATE MATERIALIZED VIEW fresh AS
      SELECT auction, max(probe) AS last_probe, count(*) AS events FROM bid GROUP BY auction`);
    await this.send(0);
    if (rate > 0) this.#producing = this.#produce(events, rate);
  }

  async send(id: number): Promise<void> {
    const writer = new RecordBatchWriter();
    const value = JSON.stringify({ auction: Number(PROBE_KEY), probe: id });
    writer.append(Date.now(), null, Buffer.from(value));
    await this.#probes!.send(id % PARTITION_COUNT, writer);
  }

  eventsRead(): Promise<number> {
    return eventsOf(this.#sql!);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#producing;
    for (const client of this.#clients) await client.close();
    await this.#cluster?.dispose();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  /** A batch every few milliseconds, as large as the rate wants it. */
  async #produce(topic: KafkaTopic, rate: number): Promise<void> {
    const writer = new RecordBatchWriter();
    const started = performance.now();
    let count = 0;
    for (let batch = 0; !this.#isStopped; batch += 1) {
      const due = ((performance.now() - started) / 1000) * rate;
      for (; count < due; count += 1) {
        const value = JSON.stringify({ auction: count % AUCTIONS, price: count });
        writer.append(Date.now(), null, Buffer.from(value));
      }
      if (writer.recordCount > 0) await topic.send(batch % PARTITION_COUNT, writer);
      await new Promise((resolve) => setTimeout(resolve, BATCH_MS));
    }
  }
}

/** Events that the source has read; every split tells the sum. */
async function eventsOf(client: pg.Client): Promise<number> {
  const [row] = await textRows(
    client,
    "SELECT max(rows_read) FROM millrace.sources WHERE name = 'bid'",
  );
  return Number(row?.[0] ?? 0);
}
