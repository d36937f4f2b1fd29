/** Long work on the main thread in slices: sockets, timers and cancel requests get their turn in between. */

/** How long the main thread works before it looks after its sockets. */
const SLICE_MS = 4;

export class Slice {
  readonly #signal: AbortSignal;
  #end: number;

  /** `signal`: aborted with the error to throw. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
    this.#end = performance.now() + SLICE_MS;
  }

  /** Throws what stopped the statement. */
  check(): void {
    this.#signal.throwIfAborted();
  }

  get isOver(): boolean {
    return performance.now() >= this.#end;
  }

  /** Runs all steps, with pauses between them. */
  async drain(steps: Iterable<unknown>): Promise<void> {
    for (const _ of steps) await this.pause();
  }

  /** Lets others run where the slice is used up; throws what stopped the statement meanwhile. */
  async pause(): Promise<void> {
    if (!this.isOver) return;
    await nextTurn();
    this.#end = performance.now() + SLICE_MS;
    this.#signal.throwIfAborted();
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
