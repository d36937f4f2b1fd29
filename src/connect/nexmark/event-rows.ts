/**
 * EventRows: the events of one chunk, as columns of their own: number, place in the cycle of 50 (1 person, 3 auctions, 46
 * bids), and the base of their random draws. Makers of columns loop over it.
 *
 * Cost: prepare O(rows); choose O(rows), whatever lies between them.
 */

import { BATCH_ROWS_MAX } from '../../batch/delta-batch.ts';
import { eventBase } from './draws.ts';

export type EventKind = 'person' | 'auction' | 'bid';

const CYCLE = 50;
/** Places [from, to) of a kind in the cycle. */
const PLACES: Readonly<Record<EventKind, readonly [number, number]>> = {
  person: [0, 1],
  auction: [1, 4],
  bid: [4, CYCLE],
};

export class EventRows {
  count = 0;
  /** Event numbers, ascending. */
  numbers: Float64Array = new Float64Array(0);
  /** number / 50, whole. */
  readonly cycles = new Float64Array(BATCH_ROWS_MAX);
  /** number % 50. */
  readonly places = new Uint8Array(BATCH_ROWS_MAX);
  readonly bases = new Int32Array(BATCH_ROWS_MAX);
  readonly #seed: number;

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** Takes the chunk's events. */
  prepare(numbers: Float64Array, count: number): void {
    const { cycles, places, bases } = this;
    this.numbers = numbers;
    this.count = count;
    const seed = this.#seed;
    let start = Number.NaN;
    for (let row = 0; row < count; row += 1) {
      const n = numbers[row]!;
      if (!(n - start < CYCLE)) start = Math.floor(n / CYCLE) * CYCLE;
      cycles[row] = start / CYCLE;
      places[row] = n - start;
      bases[row] = eventBase(seed, n);
    }
  }
}

/**
 * Puts the numbers of events of a kind from `from` on into `rows`, at most `rowsMax`, none at or beyond `limit`. Returns
 * their count and the number behind the last event looked at.
 */
export function chooseEvents(
  kind: EventKind,
  from: number,
  limit: number,
  rowsMax: number,
  rows: Float64Array,
): [number, number] {
  const [first, end] = PLACES[kind];
  let count = 0;
  let n = from;
  let start = Math.floor(from / CYCLE) * CYCLE;
  for (; n < limit && count < rowsMax; start += CYCLE) {
    n = Math.max(n, start + first);
    const stop = Math.min(limit, start + end);
    for (; n < stop && count < rowsMax; n += 1) rows[count++] = n;
  }
  return [count, count < rowsMax ? limit : n];
}
