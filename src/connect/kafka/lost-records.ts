/** Records that were wanted and are not there any more: errors that stop the source, because going on would skip records. */

import { SqlError } from '../../base/sql-error.ts';
import { EARLIEST, type KafkaClient, LATEST } from './client.ts';
import { splitName } from './topic-filter.ts';

export interface WantedOffset {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** An offset that the broker does not have, with those that it has. */
export async function outOfRange(
  client: KafkaClient,
  leader: number,
  { topic, partition, offset }: WantedOffset,
): Promise<SqlError> {
  const [first, last] = await Promise.all(
    [EARLIEST, LATEST].map(async (time) => {
      const offsets = await client.offsets(leader, topic, [partition], time);
      return offsets.get(partition)?.offset ?? '?';
    }),
  );
  return new SqlError(
    '58030',
    `offset ${offset} of ${splitName(topic, partition)} is not there: the broker has ${first} to ${last}`,
    {
      hint: 'Records were deleted before they were read, or the broker has lost some. To go on from what is left, drop the source and create it again.',
    },
  );
}

/** Another topic under the same name. */
export function recreated(topic: string): SqlError {
  return new SqlError('58030', `topic "${topic}" was deleted and created again`, {
    hint: 'The positions that were read belong to the former topic: drop the source and create it again.',
  });
}
