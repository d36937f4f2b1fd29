/** Offsets that a source notes under a consumer group: for people and tools that look at its lag, never for itself. */

import type { KafkaClient, PartitionOffset } from './client.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { patiently } from './transaction.ts';

/** What the coordinator answers where somebody consumes with the group. */
const OCCUPIED: ReadonlySet<number> = new Set([
  KAFKA_CODES.illegalGeneration,
  KAFKA_CODES.unknownMemberId,
  KAFKA_CODES.rebalanceInProgress,
]);

/** Throws a KafkaError where they are not all noted; the coordinator is asked for each time, because it may move. */
export async function commitToGroup(
  client: KafkaClient,
  group: string,
  offsets: readonly PartitionOffset[],
): Promise<void> {
  await patiently(async () => {
    const coordinator = await client.coordinator('group', group);
    const codes = await client.commitOffsets(coordinator, group, offsets);
    const code = codes.find((one) => one !== KAFKA_CODES.none);
    if (code !== undefined) throw new KafkaError(refusal(code), code, 'OFFSET_COMMIT');
  });
}

function refusal(code: number): string {
  if (OCCUPIED.has(code)) return 'the group has active members';
  if (code === KAFKA_CODES.groupAuthorizationFailed) return 'the login may not use the group';
  if (code === KAFKA_CODES.topicAuthorizationFailed) return 'the login may not read the topic';
  return `Kafka's error ${code}`;
}
