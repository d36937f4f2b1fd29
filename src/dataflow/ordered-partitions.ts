/**
 * OrderedPartitions: the rows of an operator's input, each partition in order: what Top-N, OVER and SESSION stand on.
 *
 * State: a table of partitions (PARTITION BY columns; one without them) whose extra bytes hold the root of a tree and the
 * owner's words; a table of rows by identity, whose extra bytes hold the tree's node, the weight, flags, the partition and
 * the owner's bytes. A row stands in its tree with its weight, until the owner removes it at an epoch's end.
 * Cost: O(log rows of the partition) a change.
 */

import { weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { RowTable } from '../kernels/row-table.ts';
import type { Memory } from '../memory/memory.ts';
import { OrderedTree } from '../memory/ordered-tree.ts';
import type { PlanColumn, SortKey } from '../plan/plan-node.ts';
import type { GraphContext } from './graph-context.ts';
import { RowList } from './rows.ts';

const WEIGHT = OrderedTree.NODE_BYTES;
const FLAGS = WEIGHT + 4;
const PARTITION = WEIGHT + 8;
/** The owner's bytes of a row begin here (8-aligned), from the row's extra bytes. */
export const OWNER_BYTES = WEIGHT + 16;

const IN_TREE = 1;
const TOUCHED = 2;

const ROOT = 0;
const PARTITION_FLAGS = 4;
/** The owner's u32 of a partition. */
const PARTITION_OWNER = 8;

export interface PartitionsOptions {
  readonly columns: readonly PlanColumn[];
  readonly partition: readonly number[];
  readonly order: readonly SortKey[];
  readonly ownerBytes: number;
}

export class OrderedPartitions {
  readonly rows: RowTable;
  readonly tree: OrderedTree;
  /** Rows and partitions changed in this epoch, each once. */
  readonly touchedRows = new RowList();
  readonly touchedPartitions = new RowList();
  readonly #context: GraphContext;
  readonly #memory: Memory;
  readonly #partitions: RowTable;
  readonly #columns: readonly number[];
  readonly #extra: number;

  constructor(context: GraphContext, options: PartitionsOptions) {
    const { memory } = context;
    const { columns, partition, order, ownerBytes } = options;
    this.#context = context;
    this.#memory = memory;
    this.#columns = partition;
    const types = columns.map(({ type }) => type);
    const storages = types.map(({ storage }) => storage);
    const partitionStorages = partition.map((column) => storages[column]!);
    this.#partitions = RowTable.open(memory, context.rootCell(), {
      storages: partitionStorages,
      keyCount: partition.length,
      extraBytes: 16,
    });
    this.rows = RowTable.open(memory, context.rootCell(), {
      storages,
      keyCount: storages.length,
      extraBytes: OWNER_BYTES + ownerBytes,
    });
    this.#extra = this.rows.layout.extraOffset;
    this.tree = new OrderedTree(memory, {
      rootCell: 0,
      nodeOffset: this.#extra,
      compare: this.rows.compareRows(order, types),
    });
  }

  /** Adds a batch's rows with their weights. */
  add(batch: DeltaBatch): void {
    const { scratch } = this.#context;
    const n = batch.rowCount;
    const mark = scratch.mark();
    const partitions = scratch.alloc(n * 4 + 16);
    const rows = scratch.alloc(n * 4 + 16);
    const keys = this.#columns.map((column) => batch.columns[column]!);
    this.#partitions.upsert(keys, n, partitions);
    this.rows.upsert(batch.columns, n, rows);
    const { u32 } = this.#memory;
    for (let i = 0; i < n; i++) {
      this.#addRow(u32[(rows >>> 2) + i]!, u32[(partitions >>> 2) + i]!, weightOf(batch, i));
    }
    scratch.release(mark);
  }

  #addRow(row: number, partition: number, weight: number): void {
    const { u32, i32 } = this.#memory;
    const at = (row * 8 + this.#extra) >>> 2;
    const next = i32[at + (WEIGHT >>> 2)]! + weight;
    i32[at + (WEIGHT >>> 2)] = next;
    const flags = u32[at + (FLAGS >>> 2)]!;
    const tree = this.treeOf(partition);
    if ((flags & IN_TREE) === 0) {
      u32[at + (PARTITION >>> 2)] = partition;
      tree.insert(row, next);
    } else tree.setWeight(row, next);
    u32[at + (FLAGS >>> 2)] = flags | IN_TREE | TOUCHED;
    if ((flags & TOUCHED) === 0) this.touchedRows.push(row);
    this.#touchPartition(partition);
  }

  #touchPartition(partition: number): void {
    const at = (this.#partitions.extraAddress(partition) + PARTITION_FLAGS) >>> 2;
    if ((this.#memory.u32[at]! & TOUCHED) !== 0) return;
    this.#memory.u32[at]! |= TOUCHED;
    this.touchedPartitions.push(partition);
  }

  /** The shared tree object, set to the partition's tree. */
  treeOf(partition: number): OrderedTree {
    return this.tree.at(this.#partitions.extraAddress(partition) + ROOT);
  }

  /** Partition row ids of a batch; 0: not there. */
  probePartitions(batch: DeltaBatch, out: number): void {
    const keys = this.#columns.map((column) => batch.columns[column]!);
    this.#partitions.probe(keys, batch.rowCount, out);
  }

  /** Word index of the owner's u32 of a partition. */
  ownerWord(partition: number): number {
    return (this.#partitions.extraAddress(partition) + PARTITION_OWNER) >>> 2;
  }

  /** Byte address of the owner's bytes of a row. */
  ownerAddress(row: number): number {
    return row * 8 + this.#extra + OWNER_BYTES;
  }

  /** Offset of the owner's bytes from a row's start. */
  get ownerOffset(): number {
    return this.#extra + OWNER_BYTES;
  }

  weight(row: number): number {
    return this.#memory.i32[(row * 8 + this.#extra + WEIGHT) >>> 2]!;
  }

  partitionOf(row: number): number {
    return this.#memory.u32[(row * 8 + this.#extra + PARTITION) >>> 2]!;
  }

  /** Is it a row (and not one that was removed)? */
  isInTree(row: number): boolean {
    return (this.#memory.u32[(row * 8 + this.#extra + FLAGS) >>> 2]! & IN_TREE) !== 0;
  }

  /** Takes a row out of its tree and frees it; its partition goes with its last row. */
  remove(row: number): void {
    const partition = this.partitionOf(row);
    const tree = this.treeOf(partition);
    tree.remove(row);
    this.rows.remove(row);
    if (tree.root !== 0) return;
    const at = (this.#partitions.extraAddress(partition) + PARTITION_FLAGS) >>> 2;
    if ((this.#memory.u32[at]! & TOUCHED) === 0) this.#partitions.remove(partition);
  }

  /** Ends the epoch: nothing counts as touched; empty partitions are freed. Removed rows may still be in the list. */
  settle(): void {
    const { u32 } = this.#memory;
    for (let i = 0; i < this.touchedRows.count; i++) {
      const row = this.touchedRows.at(i);
      if (this.isInTree(row)) u32[(row * 8 + this.#extra + FLAGS) >>> 2]! &= ~TOUCHED;
    }
    for (let i = 0; i < this.touchedPartitions.count; i++) {
      const partition = this.touchedPartitions.at(i);
      const extra = this.#partitions.extraAddress(partition) >>> 2;
      u32[extra + (PARTITION_FLAGS >>> 2)]! &= ~TOUCHED;
      if (u32[extra + (ROOT >>> 2)] === 0) this.#partitions.remove(partition);
    }
    this.touchedRows.clear();
    this.touchedPartitions.clear();
  }

  stateSize(): { rows: number; bytes: number } {
    return { rows: this.rows.rowCount, bytes: this.rows.bytes + this.#partitions.bytes };
  }
}
