/** A map that forgets its oldest entries. O(1). */

const SIZE_MAX = 256;

export class BoundedCache<T> {
  readonly #entries = new Map<string, T>();

  get(key: string, make: () => T): T {
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const made = make();
    if (this.#entries.size >= SIZE_MAX) this.#dropOldest();
    this.#entries.set(key, made);
    return made;
  }

  #dropOldest(): void {
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }
}
