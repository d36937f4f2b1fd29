/**
 * TransactionalProducer: writes record batches, a transaction at a time, under a transactional id. One call at a time.
 *
 * `start` fences whoever used the id before and aborts what it left open; sequences of partitions begin again with it. After
 * any failure the outcome of the transaction is unknown: the caller starts again and looks at what was committed.
 *
 * Hanging transactions: brokers may lose the end of a transaction in some partitions. It is ended there as it has ended
 * elsewhere, by a transaction of those partitions. One that ends a commit must never be aborted: a crash amid it is seen at the
 * next start, which ends it under its own identity, by the note (outcome-note.ts), before it takes the id over.
 * Source: KIP-98, KIP-664.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { SqlError } from '../../base/sql-error.ts';
import type {
  KafkaClient,
  LastTransaction,
  ProducerIdentity,
  TransactionOutcome,
} from './client.ts';
import { BatchRefused, KAFKA_CODES, KafkaError } from './kafka-error.ts';
import type { OutcomeNote } from './outcome-note.ts';
import type { BatchOptions } from './record-batch-writer.ts';
import type { ProducedPartition } from './requests.ts';

const SEQUENCE_MAX = 0x7fff_ffff;
/**
 * What the coordinator answers while it is busy: with the transaction that has just ended, or with becoming the coordinator (a
 * cluster that sees its first transaction makes the coordinators' topic meanwhile).
 */
const BUSY: ReadonlySet<number | null> = new Set([
  KAFKA_CODES.concurrentTransactions,
  KAFKA_CODES.coordinatorLoadInProgress,
  KAFKA_CODES.coordinatorNotAvailable,
  KAFKA_CODES.notCoordinator,
]);
const BUSY_RETRY_MS_MIN = 5;
const BUSY_RETRY_MS_MAX = 100;
const BUSY_MS_MAX = 15_000;

export type Leaders = ReadonlyMap<string, readonly number[]>;

export class TransactionalProducer {
  readonly #client: KafkaClient;
  readonly #id: string;
  readonly #timeoutMs: number;
  readonly #note: OutcomeNote;
  #coordinator = -1;
  #identity: ProducerIdentity | null = null;
  /** Of the last transaction before the start; null: not known. */
  #lastOutcome: TransactionOutcome | null = null;
  readonly #sequences = new Map<string, number>();
  /** Partitions of the running transaction. */
  readonly #added = new Set<string>();

  constructor(client: KafkaClient, id: string, timeoutMs: number, note: OutcomeNote) {
    this.#client = client;
    this.#id = id;
    this.#timeoutMs = timeoutMs;
    this.#note = note;
  }

  async start(): Promise<void> {
    this.#sequences.clear();
    this.#added.clear();
    const started = await startProducer(
      this.#client,
      this.#id,
      this.#timeoutMs,
      (coordinator, last) => this.#settle(coordinator, last),
    );
    this.#coordinator = started.coordinator;
    this.#identity = started.identity;
  }

  /** Before a start that makes the coordinator forget: how the last transaction ended, which is noted. */
  async #settle(coordinator: number, last: LastTransaction | null): Promise<void> {
    this.#lastOutcome = await this.#outcomeOf(coordinator, last);
    if (this.#lastOutcome === null) return;
    this.#note.write({ outcome: this.#lastOutcome, ending: null });
  }

  async #outcomeOf(
    coordinator: number,
    last: LastTransaction | null,
  ): Promise<TransactionOutcome | null> {
    const noted = this.#note.read();
    const known = last?.outcome ?? noted?.outcome ?? null;
    if (noted === null || noted.ending === null) return known;
    const { outcome, ending } = noted;
    if (last !== null && isSame(ending, last)) {
      if (last.isOpen) await this.#client.endTransaction(coordinator, this.#id, ending, outcome);
      return outcome;
    }
    if (outcome === 'commit' && last?.outcome !== 'commit') throw tookBack(this.#id);
    return known;
  }

  /** After `start`: ends the last transaction in the partitions where it hangs. 55000 where nobody knows how it ended. */
  async endHanging(leaders: Leaders): Promise<void> {
    const hanging = await this.#openPartitions(leaders);
    if (hanging.size > 0) await this.#endIn(hanging);
    this.#note.clear();
  }

  async #endIn(hanging: ReadonlyMap<string, readonly number[]>): Promise<void> {
    const outcome = this.#lastOutcome;
    if (outcome === null) throw hangs(hanging);
    this.#note.write({ outcome, ending: this.#producer });
    await patiently(() =>
      this.#client.addPartitions(this.#coordinator, this.#id, this.#producer, hanging),
    );
    await this.#end(outcome);
  }

  /** By topic. */
  async #openPartitions(leaders: Leaders): Promise<Map<string, number[]>> {
    const open = new Map<string, number[]>();
    for (const [topic, nodes] of leaders) {
      const byLeader = Map.groupBy(nodes.keys(), (partition) => nodes[partition]!);
      for (const [leader, partitions] of byLeader) {
        if (leader < 0) throw noLeader(topic, partitions[0]!);
        const found = await this.#client.openPartitions(leader, topic, partitions, this.#producer);
        if (found.length > 0) open.set(topic, [...(open.get(topic) ?? []), ...found]);
      }
    }
    return open;
  }

  /** How the next batch for a partition is marked, which has so many records and will be sent. */
  nextBatch(topic: string, partition: number, recordCount: number): BatchOptions {
    const key = `${topic} ${partition}`;
    const baseSequence = this.#sequences.get(key) ?? 0;
    const next = baseSequence + recordCount;
    this.#sequences.set(key, next > SEQUENCE_MAX ? next - SEQUENCE_MAX - 1 : next);
    return { ...this.#producer, baseSequence, isTransactional: true };
  }

  /** Appends batches at their leaders, within the transaction; at most one for a partition. */
  async send(batches: readonly ProducedPartition[], leaders: Leaders): Promise<void> {
    await this.#addPartitions(batches);
    await produceAll(this.#client, this.#id, batches, leaders);
  }

  async commit(): Promise<void> {
    await this.#end('commit');
    this.#added.clear();
  }

  async #end(outcome: TransactionOutcome): Promise<void> {
    await this.#client.endTransaction(this.#coordinator, this.#id, this.#producer, outcome);
  }

  async #addPartitions(batches: readonly ProducedPartition[]): Promise<void> {
    const added = new Map<string, number[]>();
    for (const { topic, partition } of batches) {
      const key = `${topic} ${partition}`;
      if (this.#added.has(key)) continue;
      this.#added.add(key);
      added.set(topic, [...(added.get(topic) ?? []), partition]);
    }
    if (added.size === 0) return;
    await patiently(() =>
      this.#client.addPartitions(this.#coordinator, this.#id, this.#producer, added),
    );
  }

  get #producer(): ProducerIdentity {
    if (this.#identity !== null) return this.#identity;
    throw new KafkaError('the producer has not started', null, 'NOT_STARTED');
  }
}

export interface StartedProducer {
  readonly coordinator: number;
  readonly identity: ProducerIdentity;
}

/**
 * Fences whoever used the id before, and aborts what it left open. `settle` is told of the last transaction before, each time
 * that this is tried.
 */
export function startProducer(
  client: KafkaClient,
  id: string,
  timeoutMs: number,
  settle: (coordinator: number, last: LastTransaction | null) => Promise<void>,
): Promise<StartedProducer> {
  return patiently(async () => {
    const coordinator = await client.coordinator('transaction', id);
    await settle(coordinator, await client.lastTransaction(coordinator, id));
    const identity = await client.initProducer(coordinator, id, timeoutMs);
    return { coordinator, identity };
  });
}

function isSame(one: ProducerIdentity, other: ProducerIdentity): boolean {
  return one.producerId === other.producerId && one.producerEpoch === other.producerEpoch;
}

/** Appends batches at their leaders, all at once; `transactionalId` null: outside a transaction. BatchRefused where one is not taken. */
export async function produceAll(
  client: KafkaClient,
  transactionalId: string | null,
  batches: readonly ProducedPartition[],
  leaders: Leaders,
): Promise<void> {
  const byLeader = Map.groupBy(batches, ({ topic, partition }) =>
    leaderOf(leaders, topic, partition),
  );
  const requests = [...byLeader].map(async ([leader, group]) => {
    for (const result of await client.produce(leader, transactionalId, group)) {
      if (result.errorCode !== 0) throw new BatchRefused(result);
    }
  });
  const settled = await Promise.allSettled(requests);
  for (const one of settled) if (one.status === 'rejected') throw one.reason;
}

function leaderOf(leaders: Leaders, topic: string, partition: number): number {
  const leader = leaders.get(topic)?.[partition] ?? -1;
  if (leader >= 0) return leader;
  throw noLeader(topic, partition);
}

function noLeader(topic: string, partition: number): KafkaError {
  const what = `partition ${partition} of "${topic}" has no leader`;
  return new KafkaError(what, KAFKA_CODES.leaderNotAvailable, 'LEADER');
}

function hangs(partitions: ReadonlyMap<string, readonly number[]>): SqlError {
  const names = [...partitions].flatMap(([topic, numbers]) => numbers.map((n) => `${topic}-${n}`));
  return new SqlError('55000', `a transaction of this sink hangs in ${names.join(', ')}`, {
    hint: "The brokers have lost how it ended. End it with Kafka's kafka-transactions.sh abort, then RESUME SINK.",
  });
}

/** We were away for longer than brokers keep a transaction open, at the one moment at which that matters. */
function tookBack(id: string): SqlError {
  const what = `the brokers took back a part of a transaction of "${id}" that was committed`;
  return new SqlError('55000', what, {
    hint: 'They had lost its end, and rows of it are missing: empty the topic, DROP the sink and create it again.',
  });
}

/** Asks until the coordinator is not busy any more, for a while. */
export async function patiently<T>(ask: () => Promise<T>): Promise<T> {
  const end = performance.now() + BUSY_MS_MAX;
  for (let retryMs = BUSY_RETRY_MS_MIN; ; retryMs = Math.min(2 * retryMs, BUSY_RETRY_MS_MAX)) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof KafkaError) || !BUSY.has(error.code)) throw error;
      if (performance.now() >= end) throw error;
    }
    await delay(retryMs);
  }
}
