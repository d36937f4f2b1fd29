/**
 * TopicReader: fetches the partitions of a source, one request at a time from each broker, and hands on what a read_committed
 * reader sees. Runs on the thread that talks to the brokers.
 *
 * State: for each partition the next offset to fetch and its leader. What was handed on and not yet taken is bounded
 * (`queueBytesMax`): a partition's fetches wait. Trouble with brokers is retried for ever, with a growing pause; what cannot
 * be mended by waiting (an offset that is gone, another topic under the same name) ends the reader with an error.
 */

import { must } from '../../base/assert.ts';
import { pause } from '../../base/pause.ts';
import { EARLIEST, type KafkaClient, LATEST, type TopicMetadata } from './client.ts';
import type { FetchLane } from './connections.ts';
import { Credit } from './credit.ts';
import { type FetchedPartition, releaseAnswer } from './fetch.ts';
import {
  type BegunSplit,
  type FetchedRecords,
  type ReaderOptions,
  recordLimits,
} from './io-port.ts';
import { isStaleMetadata, KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { outOfRange, recreated } from './lost-records.ts';
import { visibleRecords } from './record-batch.ts';
import { RECORD_CODECS } from './record-codecs.ts';
import { splitName, type TopicFilter } from './topic-filter.ts';

const RETRY_MS_MIN = 50;
const RETRY_MS_MAX = 5000;

interface Partition {
  readonly split: string;
  readonly topic: string;
  readonly topicId: string;
  readonly partition: number;
  leader: number;
  leaderEpoch: number;
  offset: number;
  /** The last end that was told, so that it is told again when it is reached. */
  toldEnd: number;
}

export interface TopicReaderEvents {
  onSplits(splits: readonly BegunSplit[]): void;
  onRecords(records: FetchedRecords): void;
  /** null: it is over. */
  onTrouble(reason: string | null): void;
  onFailed(error: unknown): void;
}

export class TopicReader {
  readonly #client: KafkaClient;
  readonly #lane: FetchLane;
  readonly #options: ReaderOptions;
  readonly #filter: TopicFilter;
  readonly #events: TopicReaderEvents;
  readonly #partitions = new Map<string, Partition>();
  /** Leaders that a loop fetches from. */
  readonly #loops = new Set<number>();
  readonly #closing = new AbortController();
  readonly #credit: Credit;
  #isInTrouble = false;
  /** The partitions of the start are known: those that come from now on are new. */
  #isBegun = false;
  #refreshing: Promise<void> | null = null;

  constructor(
    client: KafkaClient,
    options: ReaderOptions,
    filter: TopicFilter,
    events: TopicReaderEvents,
  ) {
    this.#client = client;
    this.#lane = client.openLane();
    this.#options = options;
    this.#filter = filter;
    this.#events = events;
    this.#credit = new Credit(options.fetch.queueBytesMax);
  }

  /** Reads until it is closed or fails. */
  run(): void {
    this.#keepMetadata().catch((error: unknown) => this.#fail(error));
  }

  /** The other side has taken so much. */
  taken(byteCount: number): void {
    this.#credit.giveBack(byteCount);
  }

  close(): void {
    this.#closing.abort();
    this.#credit.release();
    this.#client.closeLane(this.#lane);
  }

  get #isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    this.close();
    this.#events.onFailed(error);
  }

  async #keepMetadata(): Promise<void> {
    while (!this.#isClosed) {
      await this.#refresh();
      await pause(this.#options.fetch.metadataMaxAgeMs, this.#closing.signal);
    }
  }

  /** Asks for the partitions and their leaders until the brokers answer; several callers share one asking. */
  #refresh(): Promise<void> {
    this.#refreshing ??= this.#askPartitions().finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  async #askPartitions(): Promise<void> {
    for (let retryMs = RETRY_MS_MIN; !this.#isClosed; retryMs = longer(retryMs)) {
      try {
        const topics = await this.#filter.topics(this.#client);
        await this.#begin(topics.flatMap((topic) => this.#learn(topic)));
        this.#isBegun = true;
        this.#calm();
        this.#startLoops();
        return;
      } catch (error) {
        this.#trouble(error);
        await pause(retryMs, this.#closing.signal);
      }
    }
  }

  /** What is known of a topic from now on; the partitions that are new. */
  #learn(topic: TopicMetadata): Partition[] {
    if (topic.errorCode !== 0) {
      throw new KafkaError(`topic "${topic.name}" is not there`, topic.errorCode, 'TOPIC');
    }
    const added: Partition[] = [];
    for (const { partition, leader, leaderEpoch } of topic.partitions) {
      const split = splitName(topic.name, partition);
      const known = this.#partitions.get(split);
      if (known === undefined) {
        const base = { split, topic: topic.name, topicId: topic.id, partition };
        added.push({ ...base, leader, leaderEpoch, offset: -1, toldEnd: -1 });
        continue;
      }
      if (known.topicId !== topic.id) throw recreated(topic.name);
      known.leader = leader;
      known.leaderEpoch = leaderEpoch;
    }
    return added;
  }

  /** Where new partitions begin: a kept position, else by the startup mode, else (they are new in the topic) at the start. */
  async #begin(added: readonly Partition[]): Promise<void> {
    if (added.length === 0) return;
    const { positions } = this.#options;
    const isFresh = Object.keys(positions).length === 0 && !this.#isBegun;
    const fresh: Partition[] = [];
    for (const one of added) {
      const kept = positions[one.split];
      if (kept === undefined) {
        fresh.push(one);
        continue;
      }
      if (kept.topicId !== one.topicId) throw recreated(one.topic);
      one.offset = kept.offset;
    }
    const ends = await this.#offsetsOf(added, LATEST);
    const starts = await this.#startsOf(fresh, isFresh);
    for (const one of fresh) one.offset = must(starts.get(one.split));
    const begun = added.map((one): BegunSplit => {
      this.#partitions.set(one.split, one);
      const { split: name, offset, topicId } = one;
      one.toldEnd = must(ends.get(name));
      return { name, position: { offset, topicId }, end: one.toldEnd };
    });
    this.#events.onSplits(begun);
  }

  async #startsOf(fresh: readonly Partition[], isFresh: boolean): Promise<Map<string, number>> {
    const { startup } = this.#options;
    if (!isFresh || startup.kind === 'earliest') return this.#offsetsOf(fresh, EARLIEST);
    if (startup.kind === 'latest') return this.#offsetsOf(fresh, LATEST);
    if (startup.kind === 'offsets') {
      const wanted = Object.entries(startup.offsets);
      return new Map([...(await this.#offsetsOf(fresh, EARLIEST)), ...wanted]);
    }
    const found = await this.#offsetsOf(fresh, BigInt(startup.ms));
    // -1: nothing is that young.
    const late = fresh.filter(({ split }) => found.get(split) === -1);
    return new Map([...found, ...(await this.#offsetsOf(late, LATEST))]);
  }

  async #offsetsOf(partitions: readonly Partition[], time: bigint): Promise<Map<string, number>> {
    const result = new Map<string, number>();
    const groups = Map.groupBy(partitions, ({ leader, topic }) => `${leader} ${topic}`);
    for (const group of groups.values()) {
      const { leader, topic } = group[0]!;
      const numbers = group.map(({ partition }) => partition);
      const offsets = await this.#client.offsets(leader, topic, numbers, time);
      for (const { split, partition } of group) {
        const { errorCode, offset } = must(offsets.get(partition));
        if (errorCode !== 0) {
          throw new KafkaError(`offsets of ${split} are not known`, errorCode, 'OFFSETS');
        }
        result.set(split, offset);
      }
    }
    return result;
  }

  #startLoops(): void {
    for (const { leader } of this.#partitions.values()) {
      if (leader < 0 || this.#loops.has(leader)) continue;
      this.#loops.add(leader);
      this.#fetchFrom(leader)
        .catch((error: unknown) => this.#fail(error))
        .finally(() => this.#loops.delete(leader));
    }
  }

  /** Fetches from a broker as long as it leads something. */
  async #fetchFrom(leader: number): Promise<void> {
    let retryMs = RETRY_MS_MIN;
    while (!this.#isClosed) {
      await this.#credit.room();
      const led = [...this.#partitions.values()].filter((one) => one.leader === leader);
      if (led.length === 0) return;
      try {
        const isStale = await this.#fetchOnce(leader, led);
        this.#calm();
        if (!isStale) {
          retryMs = RETRY_MS_MIN;
          continue;
        }
      } catch (error) {
        if (this.#isClosed) return;
        if (!(error instanceof KafkaError)) throw error;
        this.#trouble(error);
      }
      await pause(retryMs, this.#closing.signal);
      retryMs = longer(retryMs);
      await this.#refresh();
    }
  }

  /** True: the leaders have changed. */
  async #fetchOnce(leader: number, led: readonly Partition[]): Promise<boolean> {
    const { waitMsMax, bytesMin, bytesMax, partitionBytesMax } = this.#options.fetch;
    const topics = [...Map.groupBy(led, ({ topicId }) => topicId)].map(([topicId, group]) => ({
      topicId,
      partitions: group.map(({ partition, leaderEpoch, offset }) => ({
        partition,
        leaderEpoch,
        offset,
      })),
    }));
    const limits = { waitMsMax, bytesMin, bytesMax, partitionBytesMax };
    const answer = await this.#client.fetch(leader, this.#lane, { ...limits, topics });
    if (this.#isClosed) return false;
    let isStale = false;
    let hasTaken = false;
    for (const fetched of answer) {
      const one = led.find(
        ({ topicId, partition }) => topicId === fetched.topicId && partition === fetched.partition,
      );
      if (one === undefined) continue;
      // Decompressed records may be many times what was fetched: the others come once more.
      if (hasTaken && this.#credit.isOverdrawn) break;
      if (fetched.errorCode === KAFKA_CODES.offsetOutOfRange) {
        throw await outOfRange(this.#client, leader, one);
      }
      if (this.#take(one, fetched)) isStale = true;
      hasTaken ||= fetched.records.length > 0;
    }
    releaseAnswer(answer);
    return isStale;
  }

  /** Hands on what came of a partition. True: somebody else leads it now. */
  #take(one: Partition, fetched: FetchedPartition): boolean {
    const { errorCode, lastStableOffset } = fetched;
    if (errorCode !== 0) {
      if (isStaleMetadata(errorCode)) return true;
      throw new KafkaError(`${one.split} cannot be read`, errorCode, String(errorCode));
    }
    const limits = recordLimits(one.split, this.#options.fetch);
    const visible = visibleRecords(fetched.records, fetched.aborted, RECORD_CODECS, limits);
    const { nextOffset, bytes, recordCount } = visible;
    const from = one.offset;
    const isMoved = nextOffset !== null && nextOffset > from;
    if (isMoved) {
      one.offset = nextOffset;
      // Brokers fill an answer in the order that was asked: it has had its turn.
      this.#partitions.delete(one.split);
      this.#partitions.set(one.split, one);
    }
    if (!isMoved && lastStableOffset === one.toldEnd) return false;
    one.toldEnd = lastStableOffset;
    this.#credit.use(bytes?.length ?? 0);
    const { split, topicId, offset: to } = one;
    const end = lastStableOffset;
    this.#events.onRecords({ split, topicId, from, to, bytes, recordCount, end });
    return false;
  }

  #trouble(error: unknown): void {
    if (!(error instanceof KafkaError)) throw error;
    if (error.isAuthentication) throw error.toSqlError('Kafka refused the login');
    this.#isInTrouble = true;
    this.#events.onTrouble(error.message);
  }

  #calm(): void {
    if (!this.#isInTrouble) return;
    this.#isInTrouble = false;
    this.#events.onTrouble(null);
  }
}

function longer(retryMs: number): number {
  return Math.min(2 * retryMs, RETRY_MS_MAX);
}
