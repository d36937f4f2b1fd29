/**
 * Checkpoints of memories: which pages changed since the last one, copied out between two epochs, saved by the storage thread.
 *
 * A page counts as changed when its 64-bit fingerprint (CRC-32 and a murmur3 lane) differs from the one of the last saved
 * checkpoint. `capture` stops the worker for as long as it takes to read the image once and copy what changed; saving goes
 * on beside the next epochs. A capture that could not be saved changes nothing: the next one contains its pages again.
 * Cost: capture O(image bytes), about 30 µs a page; save O(changed bytes).
 */

import { crc32 } from 'node:zlib';
import { assert } from '../base/assert.ts';
import { copyBytes } from '../memory/copy-bytes.ts';
import {
  type ChangedPages,
  type CheckpointHead,
  type MemoryImage,
  PAGE_BYTES,
} from './checkpoint-store.ts';

/** What a memory must offer to be checkpointed; `Memory` does. */
export interface ImageMemory {
  readonly u8: Uint8Array;
  readonly u32: Uint32Array;
  /** Numbers of the 64 KiB pages that belong to the image. */
  imagePages(): Uint32Array;
  /** Grows so that pages 0..pageCount exist; the pages are written next. */
  beginRestore(pageCount: number): void;
  endRestore(): void;
}

export interface CheckpointStats {
  readonly bytes: number;
  readonly changedPages: number;
  readonly saveMs: number;
}

/** Where captures go: the storage thread, or a store in the same thread in tests. */
export interface CheckpointTarget {
  save(head: CheckpointHead, changes: readonly ChangedPages[]): Promise<number>;
}

type Fingerprints = Map<number, bigint>;

export class CheckpointWriter {
  readonly #target: CheckpointTarget;
  #saved = new Map<string, Fingerprints>();
  #isSaving = false;

  constructor(target: CheckpointTarget) {
    this.#target = target;
  }

  /** A capture is being saved: no other may be taken. */
  get isSaving(): boolean {
    return this.#isSaving;
  }

  /** After recovery: the stored pages are those that the memories hold now. */
  assumeSaved(memories: ReadonlyMap<string, ImageMemory>): void {
    this.#saved = new Map();
    for (const [name, memory] of memories) {
      const prints: Fingerprints = new Map();
      for (const page of memory.imagePages()) prints.set(page, fingerprint(memory, page));
      this.#saved.set(name, prints);
    }
  }

  /** Captures what changed and saves it. The capture is done when this returns; the promise is the save. */
  write(
    memories: ReadonlyMap<string, ImageMemory>,
    head: Omit<CheckpointHead, 'memories'>,
  ): Promise<CheckpointStats> {
    assert(!this.#isSaving, 'a checkpoint is being saved already');
    const fresh = new Map<string, Fingerprints>();
    const changes: ChangedPages[] = [];
    const sizes: MemoryImage[] = [];
    for (const [name, memory] of memories) {
      const prints: Fingerprints = new Map();
      const pages = memory.imagePages();
      changes.push(capturePages(name, memory, pages, this.#saved.get(name), prints));
      fresh.set(name, prints);
      const pageCount = pages.reduce((most, page) => Math.max(most, page + 1), 0);
      sizes.push({ name, pages: pages.length, pageCount });
    }
    this.#isSaving = true;
    return this.#save({ ...head, memories: sizes }, changes, fresh);
  }

  async #save(
    head: CheckpointHead,
    changes: readonly ChangedPages[],
    fresh: Map<string, Fingerprints>,
  ): Promise<CheckpointStats> {
    const bytes = changes.reduce((sum, change) => sum + change.bytes.length, 0);
    const changedPages = changes.reduce((sum, change) => sum + change.pages.length, 0);
    try {
      const saveMs = await this.#target.save(head, changes);
      this.#saved = fresh;
      return { bytes, changedPages, saveMs };
    } finally {
      this.#isSaving = false;
    }
  }
}

/** Puts stored pages into a fresh memory. */
export function restorePages(
  memory: ImageMemory,
  pageCount: number,
  pages: Iterable<{ readonly page: number; readonly bytes: Uint8Array }>,
): void {
  memory.beginRestore(pageCount);
  for (const { page, bytes } of pages) {
    assert(page < pageCount, 'a checkpoint holds a page behind its end');
    memory.u8.set(bytes, page * PAGE_BYTES);
  }
  memory.endRestore();
}

function capturePages(
  name: string,
  memory: ImageMemory,
  pages: Uint32Array,
  saved: Fingerprints | undefined,
  fresh: Fingerprints,
): ChangedPages {
  const changed: number[] = [];
  for (const page of pages) {
    const print = fingerprint(memory, page);
    fresh.set(page, print);
    if (saved?.get(page) !== print) changed.push(page);
  }
  const bytes = new Uint8Array(changed.length * PAGE_BYTES);
  changed.forEach((page, i) => {
    const start = page * PAGE_BYTES;
    copyBytes(memory.u8, start, start + PAGE_BYTES, bytes, i * PAGE_BYTES);
  });
  const removed = saved === undefined ? [] : [...saved.keys()].filter((page) => !fresh.has(page));
  return { name, pages: Uint32Array.from(changed), removed: Uint32Array.from(removed), bytes };
}

/** 64 bits: CRC-32 above, murmur3 over the words below; two differing pages agree with a chance of 2^-64. */
function fingerprint(memory: ImageMemory, page: number): bigint {
  const start = page * PAGE_BYTES;
  const sum = crc32(memory.u8.subarray(start, start + PAGE_BYTES));
  const words = memory.u32;
  let hash = 0;
  for (let at = start >>> 2, end = at + PAGE_BYTES / 4; at < end; at++) {
    let k = Math.imul(words[at]!, 0xcc9e_2d51);
    k = (k << 15) | (k >>> 17);
    hash ^= Math.imul(k, 0x1b87_3593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe654_6b64) | 0;
  }
  return (BigInt(sum) << 32n) | BigInt(hash >>> 0);
}
