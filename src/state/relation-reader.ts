/**
 * RelationReader: reads a stored relation at an epoch, from any thread, without locks, while its writer goes on.
 *
 * Whoever reads holds an EpochPin of the epoch (of `fromEpoch` for changes) for as long as a generator is in use, and calls
 * its `check` after each batch. Rows are copied, at most 1024 at a time, into the caller's scratch memory.
 * Correctness: what epoch e shows was stored before e was published; later rows carry later stamps and are passed over;
 * what is rewritten meanwhile stays in place until the pin is gone. Where the memory grew while addresses were being
 * followed, they are followed again.
 * Cost: scan O(rows + dead rows), lookup O(1) expected + O(versions newer than e), changes O(rows of segments touched).
 */

import { must } from '../base/assert.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { BATCH_ROWS_MAX } from '../batch/delta-batch.ts';
import { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import * as layout from './relation-layout.ts';
import type { RelationSchema } from './relation-schema.ts';
import { copyRows, type Piece } from './row-copy.ts';
import { equalRows, hashRows } from './row-identity.ts';
import { Segment, type SegmentShape } from './segment.ts';
import { findChain, offsetOf, slotOf } from './version-index.ts';

/** Where copied rows go. */
export interface ReadTarget {
  readonly memory: Memory;
  readonly scratch: Scratch;
}

export class RelationReader {
  readonly #memory: Memory;
  readonly #header: number;
  readonly #schema: RelationSchema;
  readonly #shape: SegmentShape;

  constructor(wasm: WebAssembly.Memory, headerAddress: number, schema: RelationSchema) {
    this.#memory = Memory.attach(wasm);
    this.#header = headerAddress;
    this.#schema = schema;
    this.#shape = layout.shapeOf(schema);
  }

  /** Rows at `epoch`, equal ones counted each. */
  rowCount(epoch: number): number {
    let count = 0;
    for (const segment of this.#segments()) {
      const rows = segment.publishedRows;
      for (let row = 0; row < rows; row++) {
        if (segment.isVisible(row, epoch)) count += segment.weight(row);
      }
    }
    return count;
  }

  /** Rows stored, of any epoch, in O(segments): for the choice of a plan. */
  rowCountEstimate(): number {
    let count = 0;
    for (const segment of this.#segments()) count += segment.publishedRows - segment.retractedRows;
    return Math.max(0, count);
  }

  /** All rows at `epoch`, the columns `columns` of each; `rowsMax`: rows of a batch at most, where rows are long. */
  *scan(
    epoch: number,
    columns: readonly number[],
    target: ReadTarget,
    rowsMax = BATCH_ROWS_MAX,
  ): Generator<DeltaBatch> {
    const rows = new Uint32Array(rowsMax);
    for (const segment of this.#segments()) {
      const end = segment.publishedRows;
      for (let from = 0; from < end; from += rowsMax) {
        const count = visibleRows(segment, epoch, from, Math.min(end, from + rowsMax), rows);
        if (count === 0) continue;
        this.#stable(() => segment.refreshColumns());
        const piece: Piece = { segment, rows, count };
        yield copyRows(this.#memory, [piece], columns, target, weightsOf(piece, 1));
      }
    }
  }

  /** All rows as the open epoch has them so far; for the writer's own thread. */
  *scanOpen(
    columns: readonly number[],
    target: ReadTarget,
    rowsMax = BATCH_ROWS_MAX,
  ): Generator<DeltaBatch> {
    const rows = new Uint32Array(rowsMax);
    for (const segment of this.#segments()) {
      const end = segment.writtenRows;
      for (let from = 0; from < end; from += rowsMax) {
        let count = 0;
        for (let row = from; row < Math.min(end, from + rowsMax); row++) {
          if (segment.isLive(row)) rows[count++] = row;
        }
        if (count === 0) continue;
        this.#stable(() => segment.refreshColumns());
        const piece: Piece = { segment, rows, count };
        yield copyRows(this.#memory, [piece], columns, target, weightsOf(piece, 1));
      }
    }
  }

  /**
   * Rows at `epoch` whose index columns are identical to a row of `keys` (its columns in the index's order); index 0 is the
   * key (a bag's: all columns), 1.. the secondary ones.
   */
  *lookup(
    index: number,
    keys: DeltaBatch,
    epoch: number,
    columns: readonly number[],
    target: ReadTarget,
  ): Generator<DeltaBatch> {
    const hashes = new Uint32Array(keys.rowCount);
    hashRows(keys.memory, keys.columns, 0, keys.rowCount, hashes);
    let pieces: Piece[] = [];
    let pending = 0;
    for (let key = 0; key < keys.rowCount; key++) {
      const found = this.#stable(() => this.#lookupOne(index, keys, key, hashes[key]!, epoch));
      for (const piece of found) {
        pieces.push(piece);
        pending += 1;
        if (pending < BATCH_ROWS_MAX) continue;
        yield this.#copyPieces(pieces, columns, target);
        pieces = [];
        pending = 0;
      }
    }
    if (pending > 0) yield this.#copyPieces(pieces, columns, target);
  }

  /**
   * Rows as the open epoch has them so far whose key is a row of `keys` (null: none of them is there); `places`: where each
   * key's row lies among them, -1: it is not there. For the writer's own thread.
   */
  lookupOpen(
    keys: DeltaBatch,
    columns: readonly number[],
    target: ReadTarget,
  ): { readonly rows: DeltaBatch | null; readonly places: Int32Array } {
    const memory = this.#memory;
    if (memory.u8.byteLength !== memory.wasm.buffer.byteLength) memory.refresh();
    const places = new Int32Array(keys.rowCount).fill(-1);
    const pieces: Piece[] = [];
    let place = 0;
    for (const [segment, pairs] of this.#openRows(keys)) {
      // By row: what is copied as one run ascends.
      const sorted = Uint32Array.from(pairs).sort();
      for (const pair of sorted) places[pair % BATCH_ROWS_MAX] = place++;
      const rows = sorted.map((pair) => Math.floor(pair / BATCH_ROWS_MAX));
      pieces.push({ segment, rows, count: rows.length });
    }
    const rows = place === 0 ? null : copyRows(memory, pieces, columns, target, null);
    return { rows, places };
  }

  /** By segment the live rows of the keys, each as row * BATCH_ROWS_MAX + number of the key. */
  #openRows(keys: DeltaBatch): Map<Segment, number[]> {
    const hashes = new Uint32Array(keys.rowCount);
    hashRows(keys.memory, keys.columns, 0, keys.rowCount, hashes);
    const found = new Map<Segment, number[]>();
    const segmentOf = this.#segmentCache();
    for (let key = 0; key < keys.rowCount; key++) {
      const id = this.#findOpen(keys, key, hashes[key]!, segmentOf);
      if (id === 0) continue;
      const segment = segmentOf(id);
      const pair = offsetOf(id) * BATCH_ROWS_MAX + key;
      const pairs = found.get(segment);
      if (pairs === undefined) found.set(segment, [pair]);
      else pairs.push(pair);
    }
    return found;
  }

  /** The live row of a key; 0: there is none. */
  #findOpen(
    keys: DeltaBatch,
    key: number,
    hash: number,
    segmentOf: (id: number) => Segment,
  ): number {
    const picked = must(layout.indexColumns(this.#schema, 0));
    const table = this.#memory.u32[(this.#header >>> 2) + layout.HEADER_INDEXES]!;
    let id = findChain(this.#memory, table, hash, (candidate) => {
      const found = segmentOf(candidate).keyColumns(0, picked);
      return equalRows(keys.memory, keys.columns, key, this.#memory, found, offsetOf(candidate));
    });
    while (id !== 0 && !segmentOf(id).isLive(offsetOf(id)))
      id = segmentOf(id).older(0, offsetOf(id));
    return id;
  }

  /** Finds the segment of a row, each made once. */
  #segmentCache(): (id: number) => Segment {
    const segments = new Map<number, Segment>();
    return (id) => {
      const known = segments.get(slotOf(id));
      if (known !== undefined) return known;
      const segment = new Segment(this.#memory, this.#segmentAddress(slotOf(id)), this.#shape);
      segments.set(slotOf(id), segment);
      return segment;
    };
  }

  /**
   * What changed in (fromEpoch, toEpoch]: rows that went with negative weights, rows that came with positive ones. The sum
   * over all batches is the net change; one row may appear on both sides where it changed and changed back.
   */
  *changes(
    fromEpoch: number,
    toEpoch: number,
    columns: readonly number[],
    target: ReadTarget,
  ): Generator<DeltaBatch> {
    const rows = new Uint32Array(BATCH_ROWS_MAX);
    const segments = this.#segments();
    for (const sign of [-1, 1] as const) {
      const choose = sign < 0 ? rowsGone : rowsCome;
      for (const segment of segments) {
        if (sign < 0 ? segment.maxRetract <= fromEpoch : segment.maxInsert <= fromEpoch) continue;
        const end = segment.publishedRows;
        const start = sign < 0 ? 0 : firstMadeAfter(segment, fromEpoch, end);
        for (let from = start; from < end; from += BATCH_ROWS_MAX) {
          const to = Math.min(end, from + BATCH_ROWS_MAX);
          const count = choose(segment, fromEpoch, toEpoch, from, to, rows);
          if (count === 0) continue;
          this.#stable(() => segment.refreshColumns());
          const piece: Piece = { segment, rows, count };
          yield copyRows(this.#memory, [piece], columns, target, weightsOf(piece, sign));
        }
      }
    }
  }

  #copyPieces(
    pieces: readonly Piece[],
    columns: readonly number[],
    target: ReadTarget,
  ): DeltaBatch {
    const hasWeights = this.#shape.hasWeights;
    const weights = hasWeights ? pieces.map((piece) => piece.segment.weight(piece.rows[0]!)) : null;
    const plain = weights === null || weights.every((weight) => weight === 1);
    return copyRows(this.#memory, pieces, columns, target, plain ? null : Int32Array.from(weights));
  }

  #lookupOne(index: number, keys: DeltaBatch, key: number, hash: number, epoch: number): Piece[] {
    const picked = must(layout.indexColumns(this.#schema, index), 'a relation without that index');
    const segmentOf = this.#segmentCache();
    const table = Atomics.load(
      this.#memory.u32,
      (this.#header >>> 2) + layout.HEADER_INDEXES + index,
    );
    let id = findChain(this.#memory, table, hash, (candidate) => {
      const found = segmentOf(candidate).keyColumns(index, picked);
      return equalRows(keys.memory, keys.columns, key, this.#memory, found, offsetOf(candidate));
    });
    const pieces: Piece[] = [];
    while (id !== 0) {
      const segment = segmentOf(id);
      const row = offsetOf(id);
      if (row < segment.publishedRows && segment.isVisible(row, epoch)) {
        pieces.push({ segment, rows: Uint32Array.of(row), count: 1 });
        if (index === 0) break;
      }
      id = segment.older(index, row);
    }
    return pieces;
  }

  /** The segments that a scan reads, as of now. */
  #segments(): readonly Segment[] {
    return this.#stable(() => {
      const slots = layout.scanSlots(this.#memory, this.#header);
      return Array.from(
        slots,
        (slot) => new Segment(this.#memory, this.#segmentAddress(slot), this.#shape),
      );
    });
  }

  #segmentAddress(slot: number): number {
    const table = Atomics.load(this.#memory.u32, (this.#header >>> 2) + layout.HEADER_SLOT_TABLE);
    return Atomics.load(this.#memory.u32, (table >>> 2) + slot);
  }

  /** Runs `follow` until the memory did not grow meanwhile: then every address that it met lies in our views. */
  #stable<T>(follow: () => T): T {
    const memory = this.#memory;
    for (;;) {
      if (memory.u8.byteLength !== memory.wasm.buffer.byteLength) memory.refresh();
      const size = memory.u8.byteLength;
      try {
        const result = follow();
        if (memory.wasm.buffer.byteLength === size) return result;
      } catch (error) {
        if (memory.wasm.buffer.byteLength === size) throw error;
      }
    }
  }
}

function visibleRows(
  segment: Segment,
  epoch: number,
  from: number,
  to: number,
  out: Uint32Array,
): number {
  const stamp = epoch - segment.base;
  if (stamp < 0) return 0;
  const words = segment.memory.u32;
  const inserted = segment.inserted >>> 2;
  const retracted = segment.retracted >>> 2;
  let count = 0;
  for (let row = from; row < to; row++) {
    if (words[inserted + row]! <= stamp && words[retracted + row]! > stamp) out[count++] = row;
  }
  return count;
}

/** Rows of [from, to) that fromEpoch shows and toEpoch does not. */
function rowsGone(
  segment: Segment,
  fromEpoch: number,
  toEpoch: number,
  from: number,
  to: number,
  out: Uint32Array,
): number {
  const words = segment.memory.u32;
  const inserted = segment.inserted >>> 2;
  const retracted = segment.retracted >>> 2;
  const first = fromEpoch - segment.base;
  const last = toEpoch - segment.base;
  let count = 0;
  for (let row = from; row < to; row++) {
    const stamp = words[retracted + row]!;
    if (stamp > first && stamp <= last && words[inserted + row]! <= first) out[count++] = row;
  }
  return count;
}

/** Rows of [from, to) that toEpoch shows and fromEpoch did not. */
function rowsCome(
  segment: Segment,
  fromEpoch: number,
  toEpoch: number,
  from: number,
  to: number,
  out: Uint32Array,
): number {
  const words = segment.memory.u32;
  const inserted = segment.inserted >>> 2;
  const retracted = segment.retracted >>> 2;
  const first = fromEpoch - segment.base;
  const last = toEpoch - segment.base;
  let count = 0;
  for (let row = from; row < to; row++) {
    const stamp = words[inserted + row]!;
    if (stamp > first && stamp <= last && words[retracted + row]! > last) out[count++] = row;
  }
  return count;
}

/** The first row that may have been made after `epoch`: by halves where stamps ascend. */
function firstMadeAfter(segment: Segment, epoch: number, rows: number): number {
  if (!segment.isSorted) return 0;
  const stamp = epoch - segment.base;
  const words = segment.memory.u32;
  const inserted = segment.inserted >>> 2;
  let low = 0;
  let high = rows;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (words[inserted + middle]! <= stamp) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Weights of a piece's rows; null: every one is +1. */
function weightsOf(piece: Piece, sign: 1 | -1): Int32Array | null {
  if (piece.segment.weights === 0 && sign > 0) return null;
  const weights = new Int32Array(piece.count);
  for (let i = 0; i < piece.count; i++) weights[i] = sign * piece.segment.weight(piece.rows[i]!);
  return sign > 0 && weights.every((weight: number) => weight === 1) ? null : weights;
}
