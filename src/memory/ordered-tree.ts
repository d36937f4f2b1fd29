/**
 * OrderedTree: rows of a RowTable in order, as a treap whose nodes lie in the rows' own extra bytes. Every node counts the
 * weight below it, so that the n-th row and a row's rank are found as fast as the row.
 *
 * Node (OrderedTree.NODE_BYTES at `nodeOffset` of the row, zero in a new row): left u32, right u32, parent u32, priority
 * u32, weight of the subtree f64, own weight f64. The root is a u32 cell. No two rows of a tree may compare equal.
 *
 * Cost: insert, remove, setWeight, lowerBound, nth, rank O(log n) expected; next, previous O(1) amortised.
 */

import { assert } from '../base/assert.ts';
import type { Memory } from './memory.ts';

const LEFT = 0;
const RIGHT = 1;
const PARENT = 2;
const PRIORITY = 3;
const SUM = 2; // f64 words
const OWN = 3;

export interface OrderedTreeSpec {
  /** Byte address of the u32 that holds the root row. */
  readonly rootCell: number;
  /** Bytes from a row's start to its node; a multiple of 8. */
  readonly nodeOffset: number;
  /** Total order of rows. */
  readonly compare: (a: number, b: number) => number;
}

export class OrderedTree {
  static readonly NODE_BYTES = 32;
  readonly #memory: Memory;
  readonly #compare: (a: number, b: number) => number;
  readonly #nodeOffset: number;
  #rootCell: number;

  constructor(memory: Memory, spec: OrderedTreeSpec) {
    assert(spec.nodeOffset % 8 === 0, 'tree nodes must be 8-aligned');
    this.#memory = memory;
    this.#compare = spec.compare;
    this.#nodeOffset = spec.nodeOffset;
    this.#rootCell = spec.rootCell;
  }

  /** Points the object at another tree of the same kind: one object serves the trees of all groups. */
  at(rootCell: number): this {
    this.#rootCell = rootCell;
    return this;
  }

  get root(): number {
    return this.#memory.u32[this.#rootCell >>> 2]!;
  }

  /** Sum of all weights. */
  get totalWeight(): number {
    return this.#sum(this.root);
  }

  /** Puts a row in, with a weight (a count of copies). */
  insert(row: number, weight = 1): void {
    const f64 = this.#memory.f64;
    const at = this.#f64At(row);
    f64[at + OWN] = weight;
    f64[at + SUM] = weight;
    this.#set(row, LEFT, 0);
    this.#set(row, RIGHT, 0);
    this.#set(row, PRIORITY, priorityOf(row));
    let parent = 0;
    let isLeft = false;
    for (let node = this.root; node !== 0; ) {
      parent = node;
      f64[this.#f64At(node) + SUM]! += weight;
      isLeft = this.#compare(row, node) < 0;
      node = this.#get(node, isLeft ? LEFT : RIGHT);
    }
    this.#set(row, PARENT, parent);
    if (parent === 0) this.#setRoot(row);
    else this.#set(parent, isLeft ? LEFT : RIGHT, row);
    const priority = this.#get(row, PRIORITY);
    while (this.#get(row, PARENT) !== 0 && this.#get(this.#get(row, PARENT), PRIORITY) < priority) {
      this.#rotateUp(row);
    }
  }

  /** Takes a row out. */
  remove(row: number): void {
    for (;;) {
      const left = this.#get(row, LEFT);
      const right = this.#get(row, RIGHT);
      if (left === 0 || right === 0) break;
      this.#rotateUp(this.#get(left, PRIORITY) > this.#get(right, PRIORITY) ? left : right);
    }
    const child = this.#get(row, LEFT) || this.#get(row, RIGHT);
    const parent = this.#get(row, PARENT);
    if (child !== 0) this.#set(child, PARENT, parent);
    this.#replaceChild(parent, row, child);
    const f64 = this.#memory.f64;
    const weight = f64[this.#f64At(row) + OWN]!;
    for (let node = parent; node !== 0; node = this.#get(node, PARENT)) {
      f64[this.#f64At(node) + SUM]! -= weight;
    }
    const at = row * 8 + this.#nodeOffset;
    this.#memory.u8.fill(0, at, at + OrderedTree.NODE_BYTES);
  }

  weightOf(row: number): number {
    return this.#memory.f64[this.#f64At(row) + OWN]!;
  }

  /** Changes the weight of a row in the tree. */
  setWeight(row: number, weight: number): void {
    const f64 = this.#memory.f64;
    const delta = weight - f64[this.#f64At(row) + OWN]!;
    f64[this.#f64At(row) + OWN] = weight;
    for (let node = row; node !== 0; node = this.#get(node, PARENT)) {
      f64[this.#f64At(node) + SUM]! += delta;
    }
  }

  /** The least row; 0 when empty. */
  first(): number {
    let row = this.root;
    for (let left = row; left !== 0; left = this.#get(left, LEFT)) row = left;
    return row;
  }

  /** The greatest row; 0 when empty. */
  last(): number {
    let row = this.root;
    for (let right = row; right !== 0; right = this.#get(right, RIGHT)) row = right;
    return row;
  }

  /** The row behind; 0 at the end. */
  next(row: number): number {
    return this.#neighbour(row, RIGHT, LEFT);
  }

  /** The row before; 0 at the start. */
  previous(row: number): number {
    return this.#neighbour(row, LEFT, RIGHT);
  }

  /** The first row with probe(row) >= 0, where probe is negative on a prefix of the order; 0 = none. */
  lowerBound(probe: (row: number) => number): number {
    let found = 0;
    for (let row = this.root; row !== 0; ) {
      if (probe(row) >= 0) {
        found = row;
        row = this.#get(row, LEFT);
      } else row = this.#get(row, RIGHT);
    }
    return found;
  }

  /** The row that holds position `position` (from 0) when each row stands weight times; 0 = behind the end. */
  nth(position: number): number {
    let left = position;
    for (let row = this.root; row !== 0; ) {
      const before = this.#sum(this.#get(row, LEFT));
      if (left < before) row = this.#get(row, LEFT);
      else if (left < before + this.weightOf(row)) return row;
      else {
        left -= before + this.weightOf(row);
        row = this.#get(row, RIGHT);
      }
    }
    return 0;
  }

  /** Sum of the weights before the row. */
  rank(row: number): number {
    let sum = this.#sum(this.#get(row, LEFT));
    for (let node = row, parent = this.#get(row, PARENT); parent !== 0; ) {
      if (this.#get(parent, RIGHT) === node) {
        sum += this.#sum(this.#get(parent, LEFT)) + this.weightOf(parent);
      }
      node = parent;
      parent = this.#get(parent, PARENT);
    }
    return sum;
  }

  #neighbour(row: number, down: number, back: number): number {
    let node = this.#get(row, down);
    if (node !== 0) {
      for (let child = node; child !== 0; child = this.#get(child, back)) node = child;
      return node;
    }
    node = row;
    let parent = this.#get(row, PARENT);
    while (parent !== 0 && this.#get(parent, down) === node) {
      node = parent;
      parent = this.#get(parent, PARENT);
    }
    return parent;
  }

  #rotateUp(row: number): void {
    const parent = this.#get(row, PARENT);
    const isLeft = this.#get(parent, LEFT) === row;
    const inner = this.#get(row, isLeft ? RIGHT : LEFT);
    const grand = this.#get(parent, PARENT);
    this.#set(parent, isLeft ? LEFT : RIGHT, inner);
    if (inner !== 0) this.#set(inner, PARENT, parent);
    this.#set(row, isLeft ? RIGHT : LEFT, parent);
    this.#set(parent, PARENT, row);
    this.#set(row, PARENT, grand);
    this.#replaceChild(grand, parent, row);
    this.#recount(parent);
    this.#recount(row);
  }

  #replaceChild(parent: number, from: number, to: number): void {
    if (parent === 0) this.#setRoot(to);
    else this.#set(parent, this.#get(parent, LEFT) === from ? LEFT : RIGHT, to);
  }

  #recount(row: number): void {
    const sum = this.#sum(this.#get(row, LEFT)) + this.#sum(this.#get(row, RIGHT));
    this.#memory.f64[this.#f64At(row) + SUM] = sum + this.weightOf(row);
  }

  #sum(row: number): number {
    return row === 0 ? 0 : this.#memory.f64[this.#f64At(row) + SUM]!;
  }

  #f64At(row: number): number {
    return row + (this.#nodeOffset >>> 3);
  }

  #get(row: number, word: number): number {
    return this.#memory.u32[row * 2 + (this.#nodeOffset >>> 2) + word]!;
  }

  #set(row: number, word: number, value: number): void {
    this.#memory.u32[row * 2 + (this.#nodeOffset >>> 2) + word] = value;
  }

  #setRoot(row: number): void {
    this.#memory.u32[this.#rootCell >>> 2] = row;
  }
}

/** A node's priority: a hash of its row id, so that a replay builds the same tree. */
function priorityOf(row: number): number {
  let h = Math.imul(row ^ (row >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0 || 1;
}
