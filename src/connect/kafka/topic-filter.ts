/** Which topics a source reads: named ones, or all whose names match a pattern, also those that come later. */

import { RE2JS } from 're2js';
import type { KafkaClient, TopicMetadata } from './client.ts';
import type { TopicSelection } from './io-port.ts';

export class TopicFilter {
  readonly #topics: readonly string[];
  readonly #pattern: RE2JS | null;

  constructor({ topics, pattern }: TopicSelection) {
    this.#topics = topics;
    this.#pattern = pattern === null ? null : RE2JS.compile(pattern);
  }

  /** Their metadata; a named topic that is not there has its error code. */
  async topics(client: KafkaClient): Promise<TopicMetadata[]> {
    const pattern = this.#pattern;
    if (pattern === null) return client.metadata(this.#topics);
    const all = await client.metadata(null);
    return all.filter(({ name, errorCode }) => errorCode === 0 && pattern.matches(name));
  }
}

/** A split's name: topic and partition, as Kafka writes them. */
export function splitName(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}

export function parseSplitName(split: string): {
  readonly topic: string;
  readonly partition: number;
} {
  const dash = split.lastIndexOf('-');
  return { topic: split.slice(0, dash), partition: Number(split.slice(dash + 1)) };
}
