/** RecordFinder: the records of a chunk again, by offset, while their bytes are still there. Cost: one pass where offsets grow. */

import { must } from '../../base/assert.ts';
import { RecordWalker } from './record-batch.ts';
import type { Arrival } from './records-again.ts';

export class RecordFinder {
  readonly #arrivals: readonly Arrival[];
  #next = 0;
  #walker: RecordWalker | null = null;

  /** In the order of their offsets. */
  constructor(arrivals: readonly Arrival[]) {
    this.#arrivals = arrivals;
  }

  /** A record that is there. It lives until the next call. */
  find(offset: number): RecordWalker {
    if (this.#walker !== null && this.#walker.offset >= offset) this.#restart();
    for (;;) {
      const walker = this.#walker ?? this.#open();
      while (walker.next()) if (walker.offset === offset) return walker;
      this.#walker = null;
    }
  }

  #restart(): void {
    this.#next = 0;
    this.#walker = null;
  }

  #open(): RecordWalker {
    const arrival = must(this.#arrivals[this.#next], 'a record is not where it was');
    this.#next += 1;
    this.#walker = new RecordWalker(arrival.records.bytes ?? new Uint8Array(0));
    return this.#walker;
  }
}
