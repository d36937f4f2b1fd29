/** Topics that a program of ours begins with (the demo): made where none of them is there, and waited for. */

import { setTimeout as delay } from 'node:timers/promises';
import { SqlError } from '../../base/sql-error.ts';
import { checkOptions } from '../options.ts';
import type { KafkaClient } from './client.ts';
import { KafkaError } from './kafka-error.ts';
import { CONNECTION_SCHEMA, checkConnection } from './kafka-options.ts';
import { askBrokers } from './probes.ts';

const LEADERS_WITHIN_MS = 30_000;
const POLL_MS = 20;

/**
 * Makes the topics at `brokers` (host:port, several separated by commas), with as many copies as the brokers make. 42710 where
 * one of them is there already, 08001 where nobody answers, 58000 with Kafka's reason where one cannot be made.
 */
export function makeTopics(
  brokers: string,
  names: readonly string[],
  partitionCount: number,
): Promise<void> {
  const given = new Map([['properties.bootstrap.server', brokers]]);
  const config = checkConnection(checkOptions('connector "kafka"', CONNECTION_SCHEMA, given));
  return askBrokers(config, async (client) => {
    const there = (await client.metadata(names)).find(({ errorCode }) => errorCode === 0);
    if (there !== undefined) {
      throw new SqlError('42710', `Kafka at ${brokers} has a topic "${there.name}" already`, {
        hint: `Delete ${names.map((name) => `"${name}"`).join(' and ')} first, or use another cluster.`,
      });
    }
    for (const name of names) {
      const code = await client.createTopic(name, partitionCount, {});
      if (code !== 0) throw new KafkaError(`topic "${name}" could not be made`, code, 'TOPIC');
    }
    await untilLed(client, names);
  });
}

/** Brokers answer CREATE TOPIC before they have all heard of it. */
async function untilLed(client: KafkaClient, names: readonly string[]): Promise<void> {
  const deadline = performance.now() + LEADERS_WITHIN_MS;
  for (;;) {
    const topics = await client.metadata(names);
    const waiting = topics.find(
      ({ errorCode, partitions }) => errorCode !== 0 || partitions.some(({ leader }) => leader < 0),
    );
    if (waiting === undefined) return;
    if (performance.now() > deadline) {
      throw new KafkaError(`topic "${waiting.name}" has no leader`, waiting.errorCode, 'TOPIC');
    }
    await delay(POLL_MS);
  }
}
