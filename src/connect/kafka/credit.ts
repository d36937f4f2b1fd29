/** A bound on bytes that were handed over and not yet taken. */

export class Credit {
  readonly #bytesMax: number;
  #bytes = 0;
  #room = Promise.withResolvers<void>();

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** Handed over. */
  use(byteCount: number): void {
    this.#bytes += byteCount;
  }

  /** So much was handed over that the last one was far too much. */
  get isOverdrawn(): boolean {
    return this.#bytes >= 2 * this.#bytesMax;
  }

  /** Taken. */
  giveBack(byteCount: number): void {
    this.#bytes -= byteCount;
    this.release();
  }

  /** Resolves as soon as there is room, or `release` is called. */
  async room(): Promise<void> {
    if (this.#bytes >= this.#bytesMax) await this.#room.promise;
  }

  /** Lets those go on that wait: they look for themselves. */
  release(): void {
    this.#room.resolve();
    this.#room = Promise.withResolvers();
  }
}
