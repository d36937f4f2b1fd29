/** Which topics a source reads: named ones, or all whose names match a pattern, also those that come later. */

import { RE2JS, RE2JSSyntaxException } from 're2js';
import type { KafkaClient, TopicMetadata } from './client.ts';
import type { TopicSelection } from './io-port.ts';

export class TopicFilter {
  readonly #topics: readonly string[];
  readonly #pattern: RE2JS | null;

  constructor({ topics, pattern }: TopicSelection) {
    this.#topics = topics;
    this.#pattern = pattern === null ? null : RE2JS.compile(pattern);
  }

  /** Whether a topic of this name is, or would be, among them. */
  includes(name: string): boolean {
    return this.#pattern?.matches(name) ?? this.#topics.includes(name);
  }

  /** Their metadata; a named topic that is not there has its error code. */
  async topics(client: KafkaClient): Promise<TopicMetadata[]> {
    if (this.#pattern === null) return client.metadata(this.#topics);
    const all = await client.metadata(null);
    return all.filter(({ name, errorCode }) => errorCode === 0 && this.includes(name));
  }
}

/** Whether a text can be `TopicSelection.pattern`. */
export function isPattern(text: string): boolean {
  try {
    RE2JS.compile(text);
    return true;
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return false;
    throw error;
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
