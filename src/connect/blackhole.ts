/** The sink `blackhole`: takes everything and keeps nothing, for measurements. */

import type { SinkWriter } from './sink.ts';

export class BlackholeSink implements SinkWriter {
  /** Rows taken, in absolute weight. */
  rowCount = 0;

  begin(lastEpoch: number): number {
    return lastEpoch;
  }

  write(_epoch: number, _timeUs: bigint, batch: { readonly rowCount: number }): void {
    this.rowCount += batch.rowCount;
  }

  commit(): void {}

  close(): void {}
}
