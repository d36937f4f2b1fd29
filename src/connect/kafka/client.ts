/**
 * KafkaClient: requests to the brokers of one cluster, over connections that are made when needed (connections.ts). Those two
 * files know the library (@platformatic/kafka; besides login.ts, requests.ts, record-codecs.ts and library-errors.ts): connections
 * (TLS, SASL) and request codecs; what decides correctness is ours.
 *
 * A broker has several connections: fetches wait at the broker, so nothing else shares theirs (fetch-connection.ts without TLS
 * and login). A request that fails closes nothing but its own connection; trying again is the caller's.
 */

import {
  addPartitionsToTxnV3,
  type Connection,
  createTopicsV7,
  describeProducersV0,
  describeTransactionsV0,
  endTxnV3,
  findCoordinatorV4,
  initProducerIdV4,
  listOffsetsV7,
  metadataV12,
  offsetCommitV8,
} from '@platformatic/kafka';
import { must } from '../../base/assert.ts';
import { BrokerConnections, type FetchLane, type Purpose } from './connections.ts';
import { type FetchedPartition, type FetchRequest, fetchAnswer } from './fetch.ts';
import type { BrokerAddress, KafkaConfig } from './kafka-config.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { asKafkaError, tolerant } from './library-errors.ts';
import {
  FETCH,
  fetchMessage,
  PRODUCE,
  type ProducedPartition,
  type ProducedResult,
} from './requests.ts';
import { NO_TOKEN } from './token-source.ts';

export interface PartitionMetadata {
  readonly partition: number;
  /** -1: there is none now. */
  readonly leader: number;
  readonly leaderEpoch: number;
}

export interface TopicMetadata {
  readonly name: string;
  /** UUID: another one under the same name is another topic. */
  readonly id: string;
  readonly errorCode: number;
  /** What the login may do, where rights were asked for and the broker tells of them; else true. */
  readonly mayRead: boolean;
  readonly mayWrite: boolean;
  readonly partitions: readonly PartitionMetadata[];
}

export interface PartitionOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

export interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
}

export type TransactionOutcome = 'commit' | 'abort';

export interface LastTransaction extends ProducerIdentity {
  /** How it ended, or will end when a producer starts; null: since one has started, there was none. */
  readonly outcome: TransactionOutcome | null;
  readonly isOpen: boolean;
}

/** ListOffsets: special times. */
export const EARLIEST = -2n;
export const LATEST = -1n;
/** Bits of what a login may do. */
const READ = 1 << 3;
const WRITE = 1 << 4;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;
const COORDINATOR_KEYS = { group: 0, transaction: 1 } as const;
/** Of a commit by somebody who is no member of the group. */
const NO_GENERATION = -1;
const NO_MEMBER = '';
/** Of a transactional id of which waiting would tell no more. */
const UNTOLD: ReadonlySet<number> = new Set([
  KAFKA_CODES.transactionalIdNotFound,
  KAFKA_CODES.transactionalIdAuthorizationFailed,
]);

export class KafkaClient {
  readonly #config: KafkaConfig;
  readonly #brokers = new Map<number, BrokerAddress>();
  readonly #connections: BrokerConnections;
  #lastLane: FetchLane = 0;

  constructor(config: KafkaConfig) {
    this.#config = config;
    this.#connections = new BrokerConnections(config);
  }

  /**
   * Names, ids, leaders; also learns where the brokers are. All topics where `names` is null. `asksRights`: what the login may do
   * is asked, too, which costs the brokers something.
   */
  async metadata(names: readonly string[] | null, asksRights = false): Promise<TopicMetadata[]> {
    const topics = names === null ? null : [...names];
    const answer = await this.#askAny((connection) =>
      tolerant(metadataV12.api.async(connection, topics, false, asksRights)),
    );
    for (const { nodeId, host, port } of answer.brokers) this.#brokers.set(nodeId, { host, port });
    return answer.topics.map(({ name, topicId, errorCode, partitions, ...rest }) => ({
      name: name ?? '',
      id: topicId,
      errorCode,
      mayRead: isAllowed(rest.topicAuthorizedOperations, READ),
      mayWrite: isAllowed(rest.topicAuthorizedOperations, WRITE),
      partitions: partitions.map(({ partitionIndex, leaderId, leaderEpoch }) => ({
        partition: partitionIndex,
        leader: leaderId,
        leaderEpoch,
      })),
    }));
  }

  /**
   * The offset of each partition at a time (ms since 1970, EARLIEST, or LATEST: the last stable one, or the end of the log
   * where `isCommitted` is false); -1: there is none.
   */
  async offsets(
    node: number,
    topic: string,
    partitions: readonly number[],
    timestamp: bigint,
    isCommitted = true,
  ): Promise<Map<number, { readonly errorCode: number; readonly offset: number }>> {
    const connection = await this.#connect(node, 'other');
    const wanted = partitions.map((partitionIndex) => ({
      partitionIndex,
      currentLeaderEpoch: -1,
      timestamp,
    }));
    const request = listOffsetsV7.api.async(
      connection,
      -1,
      isCommitted ? READ_COMMITTED : READ_UNCOMMITTED,
      [{ name: topic, partitions: wanted }],
    );
    const answer = await tolerant(request);
    return new Map(
      answer.topics.flatMap((one) =>
        one.partitions.map(({ partitionIndex, errorCode, offset }) => [
          partitionIndex,
          { errorCode, offset: Number(offset) },
        ]),
      ),
    );
  }

  /** Ended by `closeLane`. */
  openLane(): FetchLane {
    this.#lastLane += 1;
    return this.#lastLane;
  }

  /** What is fetched there fails. */
  closeLane(lane: FetchLane): void {
    this.#connections.closeLane(lane);
  }

  /** Waits at the broker until there is something, or `request.waitMsMax` is over. The caller may `releaseAnswer`. */
  async fetch(node: number, lane: FetchLane, request: FetchRequest): Promise<FetchedPartition[]> {
    const { tls, sasl, clientId } = this.#config;
    if (tls !== null || sasl !== null) {
      const connection = await this.#connect(node, `fetch ${lane}`);
      return fetchAnswer(await asKafkaError(FETCH.async(connection, request)));
    }
    const connection = await this.#connections.toFetch(this.#address(node), lane);
    return fetchAnswer(await connection.ask((id) => fetchMessage(id, clientId, request)));
  }

  /** Makes a topic; a topic that is there is fine. */
  async createTopic(
    name: string,
    partitionCount: number,
    configs: Readonly<Record<string, string>>,
    replicationFactor = -1,
  ): Promise<number> {
    const topic = {
      name,
      numPartitions: partitionCount,
      replicationFactor,
      assignments: [],
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    };
    const answer = await this.#askAny((connection) =>
      tolerant(createTopicsV7.api.async(connection, [topic], this.#config.requestTimeoutMs, false)),
    );
    return must(answer.topics[0]).errorCode;
  }

  /** The node that coordinates a transactional id, or a group. */
  async coordinator(kind: keyof typeof COORDINATOR_KEYS, id: string): Promise<number> {
    const answer = await this.#askAny((connection) =>
      tolerant(findCoordinatorV4.api.async(connection, COORDINATOR_KEYS[kind], [id])),
    );
    const found = must(answer.coordinators[0]);
    if (found.errorCode !== 0) {
      throw new KafkaError(found.errorMessage ?? 'no coordinator', found.errorCode, 'COORDINATOR');
    }
    this.#brokers.set(found.nodeId, { host: found.host, port: found.port });
    return found.nodeId;
  }

  /** Fences what used the id before, and aborts what it left open. */
  async initProducer(
    node: number,
    transactionalId: string,
    timeoutMs: number,
  ): Promise<ProducerIdentity> {
    const connection = await this.#connect(node, 'other');
    const { producerId, producerEpoch } = await asKafkaError(
      initProducerIdV4.api.async(connection, transactionalId, timeoutMs, -1n, -1),
    );
    return { producerId, producerEpoch };
  }

  async addPartitions(
    node: number,
    transactionalId: string,
    producer: ProducerIdentity,
    partitions: ReadonlyMap<string, readonly number[]>,
  ): Promise<void> {
    const connection = await this.#connect(node, 'other');
    const topics = [...partitions].map(([name, numbers]) => ({ name, partitions: [...numbers] }));
    const transaction = { transactionalId, ...producer, verifyOnly: false, topics };
    await asKafkaError(addPartitionsToTxnV3.api.async(connection, [transaction]));
  }

  async endTransaction(
    node: number,
    transactionalId: string,
    { producerId, producerEpoch }: ProducerIdentity,
    outcome: TransactionOutcome,
  ): Promise<void> {
    const connection = await this.#connect(node, 'other');
    const isCommit = outcome === 'commit';
    await asKafkaError(
      endTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, isCommit),
    );
  }

  /** The last transaction of an id; null: nothing is known of the id, or may be told to this login. */
  async lastTransaction(node: number, transactionalId: string): Promise<LastTransaction | null> {
    const connection = await this.#connect(node, 'other');
    const answer = await tolerant(describeTransactionsV0.api.async(connection, [transactionalId]));
    const { errorCode, transactionState, ...identity } = must(answer.transactionStates[0]);
    if (UNTOLD.has(errorCode)) return null;
    if (errorCode !== 0) {
      const what = `the last transaction of "${transactionalId}" is not known`;
      throw new KafkaError(what, errorCode, 'TRANSACTIONS');
    }
    const { producerId, producerEpoch } = identity;
    return {
      producerId,
      producerEpoch,
      outcome: outcomeOf(transactionState),
      isOpen: transactionState === 'Ongoing',
    };
  }

  /** The partitions among those that a node leads where a transaction of the producer is open; those that may not be read are left out. */
  async openPartitions(
    node: number,
    topic: string,
    partitions: readonly number[],
    { producerId }: ProducerIdentity,
  ): Promise<number[]> {
    const connection = await this.#connect(node, 'other');
    const wanted = [{ name: topic, partitionIndexes: [...partitions] }];
    const answer = await tolerant(describeProducersV0.api.async(connection, wanted));
    const open: number[] = [];
    for (const { partitionIndex, errorCode, activeProducers } of must(answer.topics[0])
      .partitions) {
      if (errorCode === KAFKA_CODES.topicAuthorizationFailed) continue;
      if (errorCode !== 0) {
        throw new KafkaError(`producers of "${topic}" are not known`, errorCode, 'PRODUCERS');
      }
      const ours = activeProducers.find((one) => one.producerId === producerId);
      if (ours !== undefined && ours.currentTxnStartOffset >= 0n) open.push(partitionIndex);
    }
    return open;
  }

  /** Appends batches at their leader, in all in-sync replicas. `transactionalId` null: outside a transaction. */
  async produce(
    node: number,
    transactionalId: string | null,
    partitions: readonly ProducedPartition[],
  ): Promise<ProducedResult[]> {
    const connection = await this.#connect(node, 'other');
    const { requestTimeoutMs } = this.#config;
    return asKafkaError(PRODUCE.async(connection, transactionalId, requestTimeoutMs, partitions));
  }

  /** Notes offsets under a group that has no members; an error code for each partition (0: it is noted). */
  async commitOffsets(
    node: number,
    group: string,
    offsets: readonly PartitionOffset[],
  ): Promise<number[]> {
    const connection = await this.#connect(node, 'group');
    const topics = [...Map.groupBy(offsets, ({ topic }) => topic)].map(([name, all]) => ({
      name,
      partitions: all.map(({ partition, offset }) => ({
        partitionIndex: partition,
        committedOffset: BigInt(offset),
        committedLeaderEpoch: -1,
        committedMetadata: null,
      })),
    }));
    const answer = await tolerant(
      offsetCommitV8.api.async(connection, group, NO_GENERATION, NO_MEMBER, null, topics),
    );
    return answer.topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode));
  }

  close(): Promise<void> {
    return this.#connections.close();
  }

  /** Asks the brokers that are known, one after the other, until one answers. */
  async #askAny<T>(ask: (connection: Connection) => Promise<T>): Promise<T> {
    const nodes = [...this.#brokers.keys()];
    let failure: KafkaError | null = null;
    for (const broker of [...nodes, ...this.#config.brokers.map(parseBroker)]) {
      try {
        return await ask(await this.#connect(broker, 'other'));
      } catch (error) {
        if (!(error instanceof KafkaError) || error.isAuthentication) throw error;
        // No broker would get another answer there.
        if (error.id === NO_TOKEN) throw error;
        failure = error;
      }
    }
    throw failure ?? new KafkaError('no broker is named', null, 'NO_BROKER');
  }

  #connect(broker: number | BrokerAddress, purpose: Purpose): Promise<Connection> {
    return this.#connections.to(this.#address(broker), purpose);
  }

  #address(broker: number | BrokerAddress): BrokerAddress {
    const address = typeof broker === 'number' ? this.#brokers.get(broker) : broker;
    if (address !== undefined) return address;
    throw new KafkaError(`broker ${String(broker)} is not known`, null, 'UNKNOWN_BROKER');
  }
}

function parseBroker(text: string): BrokerAddress {
  const colon = text.lastIndexOf(':');
  return {
    host: text.slice(0, colon).replace(/^\[|\]$/g, ''),
    port: Number(text.slice(colon + 1)),
  };
}

/** `operations` below 0: the broker does not tell. */
function isAllowed(operations: number, wanted: number): boolean {
  return operations < 0 || (operations & wanted) !== 0;
}

/** Of a state as DescribeTransactions names it. */
function outcomeOf(state: string): TransactionOutcome | null {
  if (state === 'Empty') return null;
  return state === 'PrepareCommit' || state === 'CompleteCommit' ? 'commit' : 'abort';
}
