/**
 * VersionIndex: a hash index over the versions of rows that any thread may probe while its one writer changes it.
 *
 * Layout: a block of 16 header bytes (capacity, used entries, live entries), then 8-byte entries (hash, row id of the
 * newest row of a chain); linear probing; 0 = empty, DELETED = was used. All rows of equal key form one chain from newest
 * to oldest through their segments' links, so a key that changes often costs one entry.
 * Readers: an entry never moves inside a table; its row is stored last, atomically. A table that grows is replaced, and
 * the old one retired, not freed. Chains are cut and redirected by compaction only, where every reader finds either the
 * old row (still in place) or the new one.
 * Cost: insert, find, unlink, replace O(1) expected; growth O(entries), amortised.
 */

import { assert } from '../base/assert.ts';
import type { Memory } from '../memory/memory.ts';
import type { Segment } from './segment.ts';

const CAPACITY_MIN = 16;
const HEADER = 16;
const DELETED = 0xffff_ffff;

/** Finds the segment of a row id. */
export type SegmentOf = (id: number) => Segment;

export function slotOf(id: number): number {
  return id >>> 16;
}

export function offsetOf(id: number): number {
  return id & 0xffff;
}

export function rowId(slot: number, offset: number): number {
  return ((slot << 16) | offset) >>> 0;
}

/** Bytes of the table block at `table`. */
export function tableSize(memory: Memory, table: number): number {
  return HEADER + 8 * memory.u32[table >>> 2]!;
}

/**
 * Newest row of the chain whose key `isMatch` recognises; 0: none. For readers and the writer. RangeError: the table lies behind
 * the views of `memory`, which has grown since they were taken.
 */
export function findChain(
  memory: Memory,
  table: number,
  hash: number,
  isMatch: (id: number) => boolean,
): number {
  const words = memory.u32;
  const mask = words[table >>> 2]! - 1;
  const entries = (table + HEADER) >>> 2;
  for (let probe = hash & mask; ; probe = (probe + 1) & mask) {
    const at = entries + 2 * probe;
    const found = words[at];
    // Of a version that a reader may see the hash was stored before it took its snapshot.
    if (found !== hash && found !== 0 && found !== undefined) continue;
    const id = Atomics.load(words, at + 1);
    if (id === 0) return 0;
    if (id !== DELETED && words[at] === hash && isMatch(id)) return id;
  }
}

/** The writer's side. `rootWord` is where the table's address is kept (a word index in the relation's header). */
export class VersionIndex {
  readonly #memory: Memory;
  readonly #rootWord: number;
  readonly #index: number;
  readonly #segmentOf: SegmentOf;
  readonly #retire: (address: number, size: number) => void;

  constructor(
    memory: Memory,
    rootWord: number,
    index: number,
    segmentOf: SegmentOf,
    retire: (address: number, size: number) => void,
  ) {
    this.#memory = memory;
    this.#rootWord = rootWord;
    this.#index = index;
    this.#segmentOf = segmentOf;
    this.#retire = retire;
    if (this.#table === 0) this.#store(this.#allocTable(CAPACITY_MIN));
  }

  get bytes(): number {
    return tableSize(this.#memory, this.#table);
  }

  /** Newest row of the chain, 0: none. */
  find(hash: number, isMatch: (id: number) => boolean): number {
    return findChain(this.#memory, this.#table, hash, isMatch);
  }

  /** Makes `id` the newest row of its chain, whose newest row so far is `head` (0: a new chain). */
  link(hash: number, id: number, head: number): void {
    if (head === 0) {
      this.#add(hash, id);
      return;
    }
    const segment = this.#segmentOf(id);
    segment.setOlder(this.#index, offsetOf(id), head);
    segment.setNewer(this.#index, offsetOf(id), 0);
    this.#segmentOf(head).setNewer(this.#index, offsetOf(head), id);
    Atomics.store(this.#memory.u32, this.#entryOf(hash, head) + 1, id);
  }

  /** Takes `id` out of its chain. */
  unlink(hash: number, id: number): void {
    const segment = this.#segmentOf(id);
    const older = segment.older(this.#index, offsetOf(id));
    const newer = segment.newer(this.#index, offsetOf(id));
    if (newer !== 0) this.#segmentOf(newer).setOlder(this.#index, offsetOf(newer), older);
    else this.#replaceHead(hash, id, older);
    if (older !== 0) this.#segmentOf(older).setNewer(this.#index, offsetOf(older), newer);
  }

  /** Puts `copy` where `id` is in its chain: the same row in a new place. */
  replace(hash: number, id: number, copy: number): void {
    const segment = this.#segmentOf(id);
    const target = this.#segmentOf(copy);
    const older = segment.older(this.#index, offsetOf(id));
    const newer = segment.newer(this.#index, offsetOf(id));
    target.setOlder(this.#index, offsetOf(copy), older);
    target.setNewer(this.#index, offsetOf(copy), newer);
    if (newer !== 0) this.#segmentOf(newer).setOlder(this.#index, offsetOf(newer), copy);
    else this.#replaceHead(hash, id, copy);
    if (older !== 0) this.#segmentOf(older).setNewer(this.#index, offsetOf(older), copy);
  }

  /** Gives the table up (DROP INDEX). */
  drop(): void {
    const table = this.#table;
    this.#store(0);
    this.#retire(table, tableSize(this.#memory, table));
  }

  get #table(): number {
    return this.#memory.u32[this.#rootWord]!;
  }

  #store(table: number): void {
    Atomics.store(this.#memory.u32, this.#rootWord, table);
  }

  #allocTable(capacity: number): number {
    const size = HEADER + 8 * capacity;
    const table = this.#memory.alloc(size);
    this.#memory.u8.fill(0, table, table + size);
    this.#memory.u32[table >>> 2] = capacity;
    return table;
  }

  #add(hash: number, id: number): void {
    const words = this.#memory.u32;
    const header = this.#table >>> 2;
    if ((words[header + 1]! + 1) * 4 > words[header]! * 3) this.#grow();
    this.#place(this.#table, hash, id);
  }

  #place(table: number, hash: number, id: number): void {
    const words = this.#memory.u32;
    const header = table >>> 2;
    const mask = words[header]! - 1;
    const entries = (table + HEADER) >>> 2;
    for (let probe = hash & mask; ; probe = (probe + 1) & mask) {
      const at = entries + 2 * probe;
      const found = words[at + 1]!;
      if (found !== 0 && found !== DELETED) continue;
      if (found === 0) words[header + 1]! += 1;
      words[header + 2]! += 1;
      words[at] = hash;
      Atomics.store(words, at + 1, id);
      return;
    }
  }

  #grow(): void {
    const old = this.#table;
    const oldCapacity = this.#memory.u32[old >>> 2]!;
    const live = this.#memory.u32[(old >>> 2) + 2]!;
    let capacity = CAPACITY_MIN;
    while ((live + 1) * 2 > capacity) capacity *= 2;
    const table = this.#allocTable(capacity);
    const words = this.#memory.u32;
    const entries = (old + HEADER) >>> 2;
    for (let i = 0; i < oldCapacity; i++) {
      const id = words[entries + 2 * i + 1]!;
      if (id !== 0 && id !== DELETED) this.#place(table, words[entries + 2 * i]!, id);
    }
    this.#store(table);
    this.#retire(old, HEADER + 8 * oldCapacity);
  }

  #replaceHead(hash: number, id: number, head: number): void {
    const words = this.#memory.u32;
    const at = this.#entryOf(hash, id);
    Atomics.store(words, at + 1, head === 0 ? DELETED : head);
    if (head === 0) words[(this.#table >>> 2) + 2]! -= 1;
  }

  /** Word index of the entry whose chain starts with `id`. */
  #entryOf(hash: number, id: number): number {
    const words = this.#memory.u32;
    const mask = words[this.#table >>> 2]! - 1;
    const entries = (this.#table + HEADER) >>> 2;
    for (let probe = hash & mask; ; probe = (probe + 1) & mask) {
      const at = entries + 2 * probe;
      if (words[at + 1] === id) return at;
      assert(words[at + 1] !== 0, 'an index has lost a row');
    }
  }
}
