/**
 * GroupOffsets: how far a source is, noted under a consumer group (`properties.group.id`). Nothing waits for it and nothing reads it
 * back; what goes wrong is a warning, and is tried again with the next positions.
 */

import type { Clock } from '../../base/clock.ts';
import type { Json, PositionReports } from '../source.ts';
import type { PartitionOffset } from './client.ts';
import { kafkaIo } from './io.ts';
import type { KafkaPosition } from './io-port.ts';
import type { KafkaConfig } from './kafka-config.ts';
import { parseSplitName } from './topic-filter.ts';

export interface OffsetGroup {
  readonly id: string;
  readonly intervalMs: number;
}

const WARNING_US_MIN = 60_000_000n;

export class GroupOffsets implements PositionReports {
  readonly intervalMs: number;
  readonly #config: KafkaConfig;
  readonly #group: string;
  readonly #clock: Clock;
  readonly #warn: (text: string) => void;
  #warnedUs: bigint | null = null;

  constructor(
    config: KafkaConfig,
    { id, intervalMs }: OffsetGroup,
    clock: Clock,
    warn: (text: string) => void,
  ) {
    this.intervalMs = intervalMs;
    this.#config = config;
    this.#group = id;
    this.#clock = clock;
    this.#warn = warn;
  }

  async tell(positions: ReadonlyMap<string, Json>): Promise<void> {
    try {
      await kafkaIo().commitOffsets(this.#config, this.#group, [...positions].map(partitionOffset));
    } catch (error) {
      this.#complain(error instanceof Error ? error.message : String(error));
    }
  }

  #complain(reason: string): void {
    const nowUs = this.#clock.monotonicUs();
    if (this.#warnedUs !== null && nowUs - this.#warnedUs < WARNING_US_MIN) return;
    this.#warnedUs = nowUs;
    this.#warn(`its offsets could not be committed to group "${this.#group}": ${reason}`);
  }
}

function partitionOffset([split, position]: readonly [string, Json]): PartitionOffset {
  const { offset } = position as unknown as KafkaPosition;
  return { ...parseSplitName(split), offset };
}
