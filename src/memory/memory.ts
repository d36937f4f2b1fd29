/**
 * Memory: one shared WebAssembly.Memory with an allocator whose own state lies inside it, so that the bytes alone are a
 * checkpoint: write the used pages, load them back at the same place, and every address is valid again.
 *
 * Layout: page 0 is the header (below), page 1 holds one byte for each 64 KiB page saying what it is used for, heap and
 * scratch pages follow. Blocks up to 32 KiB come from size classes (four a doubling) with a free list each, carved from
 * 1 MiB chunks; larger ones are runs of whole pages. Only the owning thread allocates; growing makes new views, so code
 * takes `memory.u32` anew after whatever may allocate (older views stay right for older addresses).
 *
 * Cost: alloc and free of a small block O(1); of a large one O(pages / word) at worst; `bytes` O(1).
 */

import { assert } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';

export const PAGE_BYTES = 65536;
const PAGES_MAX = 65536;
const CHUNK_PAGES = 16;
const SMALL_BYTES_MAX = 32768;
const MAGIC = 0x4d4c5231; // MLR1
const FIRST_DATA_PAGE = 2;

// Header: u32 word indexes in page 0.
const H_MAGIC = 0;
const H_ALLOCATED_LOW = 2; // f64 at byte 8: bytes handed out
const H_CHUNK_NEXT = 4;
const H_CHUNK_END = 5;
const H_PAGE_HINT = 6;
const H_PAGE_TOP = 7; // first page never used
const H_FREE_LISTS = 64;
/** Root cells for owners: u32 words from byte 4096 to the end of page 0. */
const ROOT_CELLS_ADDRESS = 4096;
const ROOT_CELL_COUNT = (PAGE_BYTES - ROOT_CELLS_ADDRESS) / 4;

const PAGE_FREE = 0;
const PAGE_HEAP = 1;
const PAGE_SCRATCH = 2;

export interface MemoryOptions {
  /** Upper bound of the whole memory; 53200 beyond it. Default and maximum 4 GiB. */
  readonly maxBytes?: number;
}

/** Size class of `size`: multiples of 16 up to 128, then four a doubling. */
function sizeClass(size: number): number {
  if (size <= 128) return ((size + 15) >>> 4) - 1; // 0..7
  const top = 31 - Math.clz32(size - 1); // 7..14
  return 8 + ((top - 7) << 2) + (((size - 1) >>> (top - 2)) & 3);
}

/** Bytes of a block of class `index`. */
function classBytes(index: number): number {
  if (index < 8) return (index + 1) << 4;
  const top = 7 + ((index - 8) >>> 2);
  return (1 << top) + (((index & 3) + 1) << (top - 2));
}

export class Memory {
  readonly wasm: WebAssembly.Memory;
  u8!: Uint8Array;
  i32!: Int32Array;
  u32!: Uint32Array;
  i64!: BigInt64Array;
  f64!: Float64Array;
  /** Counts resets: whoever keeps blocks of its own beside the memory sees that they are gone. */
  generation = 0;
  readonly #pagesMax: number;

  private constructor(wasm: WebAssembly.Memory, pagesMax: number) {
    this.wasm = wasm;
    this.#pagesMax = pagesMax;
    this.refresh();
  }

  /** A new, empty memory. */
  static create(options: MemoryOptions = {}): Memory {
    const wanted = Math.floor((options.maxBytes ?? PAGES_MAX * PAGE_BYTES) / PAGE_BYTES);
    const pagesMax = Math.max(32, Math.min(PAGES_MAX, wanted));
    const wasm = new WebAssembly.Memory({ initial: 32, maximum: pagesMax, shared: true });
    const memory = new Memory(wasm, pagesMax);
    memory.#initialize();
    return memory;
  }

  /** Views over a memory that another Memory object (usually in another thread) owns: for reading. */
  static attach(wasm: WebAssembly.Memory): Memory {
    return new Memory(wasm, PAGES_MAX);
  }

  /** Before an image is loaded: pages [0, pageCount) exist. The caller then writes the image's pages into `u8`. */
  beginRestore(pageCount: number): void {
    this.#growTo(Math.max(pageCount, FIRST_DATA_PAGE));
  }

  /** After an image was loaded: its allocator goes on, and pages that were scratch are free again. */
  endRestore(): void {
    assert(this.u32[H_MAGIC] === MAGIC, 'the memory image has no header');
    const top = this.u32[H_PAGE_TOP]!;
    this.#growTo(top);
    for (let page = FIRST_DATA_PAGE; page < top; page += 1) {
      if (this.u8[PAGE_BYTES + page] === PAGE_SCRATCH) this.u8[PAGE_BYTES + page] = PAGE_FREE;
    }
    this.u32[H_PAGE_HINT] = FIRST_DATA_PAGE;
  }

  /** Forgets every allocation, scratch too, but keeps the pages: as new for the next query. */
  reset(): void {
    this.u8.fill(0, 0, FIRST_DATA_PAGE * PAGE_BYTES);
    this.#initialize();
    this.generation += 1;
  }

  #initialize(): void {
    this.u32[H_MAGIC] = MAGIC;
    this.u32[H_PAGE_HINT] = FIRST_DATA_PAGE;
    this.u32[H_PAGE_TOP] = FIRST_DATA_PAGE;
    this.u8.fill(PAGE_HEAP, PAGE_BYTES, PAGE_BYTES + FIRST_DATA_PAGE);
  }

  /** Takes views of the memory's present length: after growth by its owner. */
  refresh(): void {
    const buffer = this.wasm.buffer;
    this.u8 = new Uint8Array(buffer);
    this.i32 = new Int32Array(buffer);
    this.u32 = new Uint32Array(buffer);
    this.i64 = new BigInt64Array(buffer);
    this.f64 = new Float64Array(buffer);
  }

  /** Bytes handed out by alloc and not freed (rounded to size classes). */
  get allocatedBytes(): number {
    return this.f64[H_ALLOCATED_LOW >>> 1]!;
  }

  /** Bytes of the whole memory as the process holds it. */
  get totalBytes(): number {
    return this.u8.length;
  }

  /** Numbers of the pages that a checkpoint has to hold: allocator and blocks, not scratch. */
  imagePages(): Uint32Array {
    const top = this.u32[H_PAGE_TOP]!;
    const pages = new Uint32Array(top);
    let count = 0;
    for (let page = 0; page < top; page += 1) {
      if (this.u8[PAGE_BYTES + page] === PAGE_HEAP) pages[count++] = page;
    }
    return pages.slice(0, count);
  }

  /** The bytes of a page, as a view (not a copy). */
  page(page: number): Uint8Array {
    return this.u8.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  }

  /** Address of root cell `index`: a u32 at a fixed place, 0 in a new memory. For whoever owns the memory. */
  rootCell(index: number): number {
    assert(index >= 0 && index < ROOT_CELL_COUNT, 'root cell out of range');
    return ROOT_CELLS_ADDRESS + 4 * index;
  }

  /** A block of at least `size` bytes, 16-byte aligned; its content is undefined. 53200 when there is no room. */
  alloc(size: number): number {
    assert(size >= 0, 'alloc of a negative size');
    if (size > SMALL_BYTES_MAX) return this.#allocLarge(size);
    const index = sizeClass(size === 0 ? 1 : size);
    const bytes = classBytes(index);
    this.f64[H_ALLOCATED_LOW >>> 1]! += bytes;
    const head = this.u32[H_FREE_LISTS + index]!;
    if (head !== 0) {
      this.u32[H_FREE_LISTS + index] = this.u32[head >>> 2]!;
      return head;
    }
    return this.#carve(bytes);
  }

  /** `alloc`, filled with zeros. */
  allocZeroed(size: number): number {
    const address = this.alloc(size);
    this.u8.fill(0, address, address + size);
    return address;
  }

  /** Gives a block back; `size` as it was asked for. */
  free(address: number, size: number): void {
    assert(address !== 0 && (address & 15) === 0, 'free of what is not a block');
    if (size > SMALL_BYTES_MAX) {
      this.#freePages(address, size);
      this.f64[H_ALLOCATED_LOW >>> 1]! -= Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
      return;
    }
    const index = sizeClass(size === 0 ? 1 : size);
    this.f64[H_ALLOCATED_LOW >>> 1]! -= classBytes(index);
    this.u32[address >>> 2] = this.u32[H_FREE_LISTS + index]!;
    this.u32[H_FREE_LISTS + index] = address;
  }

  /** What alloc(size) takes in fact: for accounting. */
  static blockBytes(size: number): number {
    if (size > SMALL_BYTES_MAX) return Math.ceil(size / PAGE_BYTES) * PAGE_BYTES;
    return classBytes(sizeClass(size === 0 ? 1 : size));
  }

  /** Whole pages that no checkpoint holds: for Scratch and kernels' working space. */
  allocScratch(size: number): number {
    return this.#allocPages(Math.ceil(size / PAGE_BYTES), PAGE_SCRATCH) * PAGE_BYTES;
  }

  freeScratch(address: number, size: number): void {
    this.#freePages(address, size);
  }

  #allocLarge(size: number): number {
    const count = Math.ceil(size / PAGE_BYTES);
    const page = this.#allocPages(count, PAGE_HEAP);
    this.f64[H_ALLOCATED_LOW >>> 1]! += count * PAGE_BYTES;
    return page * PAGE_BYTES;
  }

  #freePages(address: number, size: number): void {
    assert(address % PAGE_BYTES === 0, 'free of what is not a run of pages');
    const page = address / PAGE_BYTES;
    const count = Math.ceil(size / PAGE_BYTES);
    this.u8.fill(PAGE_FREE, PAGE_BYTES + page, PAGE_BYTES + page + count);
    if (page < this.u32[H_PAGE_HINT]!) this.u32[H_PAGE_HINT] = page;
  }

  #carve(bytes: number): number {
    const next = this.u32[H_CHUNK_NEXT]!;
    // `end` of the last chunk of a full 4 GiB is stored modulo 2^32; distances stay right.
    const left = (this.u32[H_CHUNK_END]! - next) >>> 0;
    if (left >= bytes) {
      this.u32[H_CHUNK_NEXT] = next + bytes;
      return next;
    }
    this.#recycle(next, left);
    const address = this.#allocPages(CHUNK_PAGES, PAGE_HEAP) * PAGE_BYTES;
    this.u32[H_CHUNK_NEXT] = address + bytes;
    this.u32[H_CHUNK_END] = address + CHUNK_PAGES * PAGE_BYTES;
    return address;
  }

  /** Puts what is left of a chunk into the free lists. */
  #recycle(address: number, left: number): void {
    while (left >= 16) {
      let index = sizeClass(Math.min(left, SMALL_BYTES_MAX));
      if (classBytes(index) > left) index -= 1;
      this.u32[address >>> 2] = this.u32[H_FREE_LISTS + index]!;
      this.u32[H_FREE_LISTS + index] = address;
      address += classBytes(index);
      left -= classBytes(index);
    }
  }

  #allocPages(count: number, kind: number): number {
    const found = this.#findFreeRun(count);
    const top = this.u32[H_PAGE_TOP]!;
    const page = found === 0 ? top : found;
    if (found === 0) {
      this.#growTo(top + count);
      this.u32[H_PAGE_TOP] = top + count;
    }
    this.u8.fill(kind, PAGE_BYTES + page, PAGE_BYTES + page + count);
    return page;
  }

  /** First run of `count` free pages below the top; 0 when there is none. */
  #findFreeRun(count: number): number {
    const top = this.u32[H_PAGE_TOP]!;
    let run = 0;
    let first = 0;
    for (let page = this.u32[H_PAGE_HINT]!; page < top; page += 1) {
      if (this.u8[PAGE_BYTES + page] !== PAGE_FREE) {
        run = 0;
        continue;
      }
      if (first === 0) {
        first = page;
        this.u32[H_PAGE_HINT] = page;
      }
      run += 1;
      if (run === count) return page - count + 1;
    }
    if (first === 0) this.u32[H_PAGE_HINT] = top;
    return 0;
  }

  #growTo(pages: number): void {
    const current = this.u8.length / PAGE_BYTES;
    if (pages <= current) return;
    if (pages > this.#pagesMax) throw outOfMemory();
    const wanted = Math.min(this.#pagesMax, Math.max(pages, current + Math.min(current, 1024)));
    try {
      this.wasm.grow(wanted - current);
    } catch {
      throw outOfMemory();
    }
    this.refresh();
  }
}

function outOfMemory(): SqlError {
  return new SqlError('53200', 'out of memory', {
    detail: "The memory of this dataflow's partition is used up.",
  });
}
