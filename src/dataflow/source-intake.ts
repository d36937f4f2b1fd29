/** SourceIntake: what the sources have for an epoch, and how long they had to wait for those behind them. */

import type { Clock } from '../base/clock.ts';
import type { IdleSplit, PolledChunk } from './epoch-contents.ts';
import type { SourceFeed } from './source-feed.ts';

/** How long an epoch gathers records before it goes. */
const POLL_US_MAX = 8000n;
const CHUNK_ROWS_MAX = 1024;

export interface Intake {
  readonly chunks: readonly PolledChunk[];
  /** When (monotonic) the first was asked for; null: there are none. */
  readonly polledUs: bigint | null;
}

export class SourceIntake {
  readonly #clock: Clock;
  readonly #epochRowsMax: number;
  /** After an epoch that could not be logged: when the next is tried. */
  #retryAtUs: bigint | null = null;
  #heldUs = 0n;
  /** Since when they have been held back; null: they are not. */
  #heldSinceUs: bigint | null = null;

  constructor(clock: Clock, epochRowsMax: number) {
    this.#clock = clock;
    this.#epochRowsMax = epochRowsMax;
  }

  /** What the sources have, in turns, until the epoch is full; nothing while they are held back. */
  poll(feeds: readonly SourceFeed[], isHeldBack: boolean): Intake {
    const startUs = this.#clock.monotonicUs();
    const isRefused = this.isRefused;
    this.#noteHeld(feeds.length > 0 && (isHeldBack || isRefused), startUs);
    if (isHeldBack || isRefused) return { chunks: [], polledUs: null };
    this.#retryAtUs = null;
    const chunks = this.#gather(feeds, startUs);
    return { chunks, polledUs: chunks.length === 0 ? null : startUs };
  }

  #gather(feeds: readonly SourceFeed[], startUs: bigint): PolledChunk[] {
    const chunks: PolledChunk[] = [];
    const rowsMax = this.#epochRowsMax;
    let active = [...feeds];
    let rows = 0;
    while (active.length > 0 && rows < rowsMax) {
      // However busy the machine is, an epoch makes some way.
      if (rows > 0 && this.#clock.monotonicUs() - startUs > POLL_US_MAX) break;
      active = active.filter((feed) => {
        if (rows >= rowsMax) return false;
        const chunk = feed.poll(Math.min(CHUNK_ROWS_MAX, rowsMax - rows));
        if (chunk === null) return false;
        rows += (chunk.batch?.rowCount ?? 0) + chunk.rejected.length;
        if (feed.isNews(chunk)) {
          chunks.push({ feed, chunk });
        }
        return true;
      });
    }
    return chunks;
  }

  /** Splits that count as idle from this epoch on; one that brings rows does not. */
  idleSplits(feeds: readonly SourceFeed[], chunks: readonly PolledChunk[]): IdleSplit[] {
    const nowUs = this.#clock.monotonicUs();
    const idle: IdleSplit[] = [];
    for (const feed of feeds) {
      for (const split of feed.idleSplits(nowUs)) {
        const isBusy = chunks.some((one) => one.feed === feed && one.chunk.split === split);
        if (!isBusy) idle.push({ feed, split });
      }
    }
    return idle;
  }

  /** An epoch could not be logged: for `us` from now none is cut that nobody asks for. */
  refuse(us: bigint): void {
    this.#retryAtUs = this.#clock.monotonicUs() + us;
  }

  get isRefused(): boolean {
    return this.#retryAtUs !== null && this.#clock.monotonicUs() < this.#retryAtUs;
  }

  /** null: nothing was refused since the last poll. */
  get retryAtUs(): bigint | null {
    return this.#retryAtUs;
  }

  /** How long sources were held back, because a sink or the log did not follow. */
  get heldUs(): bigint {
    const runningUs =
      this.#heldSinceUs === null ? 0n : this.#clock.monotonicUs() - this.#heldSinceUs;
    return this.#heldUs + runningUs;
  }

  #noteHeld(isHeld: boolean, nowUs: bigint): void {
    if (isHeld) {
      this.#heldSinceUs ??= nowUs;
      return;
    }
    if (this.#heldSinceUs !== null) this.#heldUs += nowUs - this.#heldSinceUs;
    this.#heldSinceUs = null;
  }
}
