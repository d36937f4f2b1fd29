/**
 * BusyPoll: while a client asks, reads and asks again at once, the thread does not sleep between an answer and the next
 * request. Waking a halted core takes longer than a point read does, above all in a virtual machine.
 *
 * Algorithm: a connection is in a rhythm when its last requests each came within the limit after the answer before. An answer
 * to such a connection keeps the event loop turning (each turn looks at all sockets, timers and ports, so that nothing else
 * waits) until the limit has passed. The first request that comes late ends the rhythm. Where the cores have other work to do,
 * polling takes time from it, and possibly from the client that is waited for: a turn that took long (this thread had to give
 * way, or had work itself) ends all polling for a while.
 * Cost: nothing while no connection is in a rhythm; a rhythm that ends has cost one limit of CPU time.
 */

/** Quick requests in a row that make a rhythm: what a rhythm's end costs is paid for by so many sleeps that were saved. */
const QUICK_REQUESTS = 4;
/** A turn that lasts longer did not only look. */
const TURN_MS_MAX = 2;
/** How long nobody polls after such a turn. */
const STAND_DOWN_MS = 200;

export class BusyPoll {
  readonly #limitMs: number;
  #untilMs = 0;
  #turnedMs = 0;
  #standDownUntilMs = 0;
  #isTurning = false;

  /** `limitUs`: how long after an answer; 0 = never. */
  constructor(limitUs: number) {
    this.#limitMs = limitUs / 1000;
  }

  /** For a new connection. */
  rhythm(): RequestRhythm {
    return new RequestRhythm(this.#limitMs, (nowMs) => this.extend(nowMs));
  }

  /** Polls until the limit has passed from now on. */
  extend(nowMs: number): void {
    if (nowMs < this.#standDownUntilMs) return;
    this.#untilMs = nowMs + this.#limitMs;
    if (this.#isTurning) return;
    this.#isTurning = true;
    this.#turnedMs = nowMs;
    setImmediate(this.#turn);
  }

  /** An immediate that waits makes the event loop look at its sockets without sleeping. */
  readonly #turn = (): void => {
    const nowMs = performance.now();
    if (nowMs - this.#turnedMs > TURN_MS_MAX) this.#standDownUntilMs = nowMs + STAND_DOWN_MS;
    this.#turnedMs = nowMs;
    this.#isTurning = nowMs < this.#untilMs && nowMs >= this.#standDownUntilMs;
    if (this.#isTurning) setImmediate(this.#turn);
  };
}

/** What one connection tells of its requests. */
export class RequestRhythm {
  readonly #limitMs: number;
  readonly #onAnswer: (nowMs: number) => void;
  #answeredMs = Number.NEGATIVE_INFINITY;
  #quickCount = 0;

  /** `onAnswer` is called for each answer within a rhythm. */
  constructor(limitMs: number, onAnswer: (nowMs: number) => void) {
    this.#limitMs = limitMs;
    this.#onAnswer = onAnswer;
  }

  /** An answer has gone out, and nothing more is there to do. */
  answered(): void {
    if (this.#limitMs === 0) return;
    this.#answeredMs = performance.now();
    if (this.#quickCount >= QUICK_REQUESTS) this.#onAnswer(this.#answeredMs);
  }

  /** The next request has come. */
  asked(): void {
    if (this.#limitMs === 0) return;
    const isQuick = performance.now() - this.#answeredMs <= this.#limitMs;
    this.#quickCount = isQuick ? Math.min(this.#quickCount + 1, QUICK_REQUESTS) : 0;
  }
}
