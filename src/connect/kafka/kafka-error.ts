/** What goes wrong with a broker: Kafka's error code where it sent one, and the deepest cause in a sentence. */

import { SqlError } from '../../base/sql-error.ts';
import type { ProducedResult } from './requests.ts';

/** Error codes of the Kafka protocol that we act on. */
export const KAFKA_CODES = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  leaderNotAvailable: 5,
  notLeaderOrFollower: 6,
  requestTimedOut: 7,
  messageTooLarge: 10,
  recordListTooLarge: 18,
  coordinatorLoadInProgress: 14,
  coordinatorNotAvailable: 15,
  notCoordinator: 16,
  illegalGeneration: 22,
  unknownMemberId: 25,
  rebalanceInProgress: 27,
  topicAuthorizationFailed: 29,
  groupAuthorizationFailed: 30,
  clusterAuthorizationFailed: 31,
  topicAlreadyExists: 36,
  invalidProducerEpoch: 47,
  invalidTxnState: 48,
  invalidTransactionTimeout: 50,
  concurrentTransactions: 51,
  transactionalIdAuthorizationFailed: 53,
  kafkaStorageError: 56,
  saslAuthenticationFailed: 58,
  fencedLeaderEpoch: 74,
  unknownLeaderEpoch: 75,
  producerFenced: 90,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
  transactionalIdNotFound: 105,
} as const;

/** A request failed. `code` is Kafka's; null: the connection did. */
export class KafkaError extends Error {
  readonly code: number | null;
  /** Kafka's name of the code, or the system's (ECONNREFUSED). */
  readonly id: string;
  readonly isAuthentication: boolean;

  constructor(message: string, code: number | null, id: string, isAuthentication = false) {
    super(message);
    this.code = code;
    this.id = id;
    this.isAuthentication = isAuthentication;
  }

  /** As a statement's error: what cannot be reached is 08001, a refused login 28000, all else 58000. */
  toSqlError(what: string): SqlError {
    const sqlstate = this.isAuthentication
      ? '28000'
      : this.code === null
        ? '08001'
        : this.code === KAFKA_CODES.unknownTopicOrPartition
          ? '42704'
          : '58000';
    return new SqlError(sqlstate, `${what}: ${this.message}`);
  }
}

/** A partition did not take a batch. */
export class BatchRefused extends KafkaError {
  readonly topic: string;
  readonly partition: number;

  constructor({ topic, partition, errorCode }: ProducedResult) {
    const what = `partition ${partition} of "${topic}" did not take a batch (Kafka's error ${errorCode})`;
    super(what, errorCode, 'PRODUCE');
    this.topic = topic;
    this.partition = partition;
  }
}

const REFRESHING: ReadonlySet<number> = new Set([
  KAFKA_CODES.unknownTopicOrPartition,
  KAFKA_CODES.leaderNotAvailable,
  KAFKA_CODES.notLeaderOrFollower,
  KAFKA_CODES.kafkaStorageError,
  KAFKA_CODES.fencedLeaderEpoch,
  KAFKA_CODES.unknownLeaderEpoch,
  KAFKA_CODES.unknownTopicId,
  KAFKA_CODES.inconsistentTopicId,
]);

/** Whether the partitions' leaders have to be asked for again. */
export function isStaleMetadata(code: number): boolean {
  return REFRESHING.has(code);
}
