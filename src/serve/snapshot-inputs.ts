/** What a query reads: stored relations at one epoch, a transaction's own writes over them, system relations. */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { buildBatch } from '../batch/build-batch.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { unpackBatch } from '../batch/pack.ts';
import type { ScanNode } from '../plan/plan-node.ts';
import type { RelationReader } from '../state/relation-reader.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, parseValue } from '../types/value.ts';
import { type OwnRows, unpackRows } from './own-writes.ts';
import type { QueryInputs } from './query-execution.ts';
import type { QueryMemory } from './query-memory.ts';

/** Rows of a system relation, each value in its text form; of others than `columns` they need not have one. */
export type SystemRowsProvider = (
  schema: string,
  name: string,
  columns: readonly number[],
) => { readonly types: readonly DataType[]; readonly rows: Iterable<readonly (string | null)[]> };

export interface SnapshotSources {
  reader(relationId: number): RelationReader | undefined;
  readonly epoch: number;
  /** Throws 72000 once the epoch may no longer be read. */
  checkEpoch(): void;
  readonly ownRows: readonly OwnRows[];
  /** Rows of the system relation behind scan number `index`, of the scan's columns. */
  systemRows(node: ScanNode, index: number, target: QueryMemory): Iterable<DeltaBatch>;
}

const ROWS_A_BATCH = 1024;

export class SnapshotInputs implements QueryInputs {
  readonly #sources: SnapshotSources;

  constructor(sources: SnapshotSources) {
    this.#sources = sources;
  }

  get hasRetractions(): boolean {
    return this.#sources.ownRows.length > 0;
  }

  *scan(node: ScanNode, index: number, target: QueryMemory): Generator<DeltaBatch> {
    const { kind, id } = node.relation;
    if (kind === 'system') yield* this.#sources.systemRows(node, index, target);
    else if (kind === 'source') yield* this.#ownRows(node, must(this.#own(id)), target);
    else yield* this.#storedRows(node, id, target);
  }

  *#storedRows(node: ScanNode, id: number, target: QueryMemory): Generator<DeltaBatch> {
    const own = this.#own(id);
    if (own?.isTruncated !== true) {
      const reader = this.#sources.reader(id);
      if (reader === undefined) {
        throw new SqlError('55000', `relation "${node.relation.name}" cannot be read yet`, {
          detail: 'It is made by this transaction and has no contents before COMMIT.',
        });
      }
      for (const batch of reader.scan(this.#sources.epoch, node.columnIndexes, target)) {
        this.#sources.checkEpoch();
        yield batch;
      }
    }
    if (own !== undefined) yield* this.#ownRows(node, own, target);
  }

  #own(id: number): OwnRows | undefined {
    return this.#sources.ownRows.find((rows) => rows.relationId === id);
  }

  *#ownRows(node: ScanNode, own: OwnRows, target: QueryMemory): Generator<DeltaBatch> {
    for (const batch of unpackRows(own, target)) {
      yield { ...batch, columns: node.columnIndexes.map((column) => must(batch.columns[column])) };
    }
  }
}

/** The scan's columns of a system relation's rows. */
export function* systemBatches(
  node: ScanNode,
  provider: SystemRowsProvider,
  target: QueryMemory,
): Generator<DeltaBatch> {
  const { schema, name } = node.relation;
  const { types, rows } = provider(schema, name, node.columnIndexes);
  const kept = node.columnIndexes.map((index) => must(types[index]));
  let pending: Value[][] = [];
  for (const row of rows) {
    pending.push(
      node.columnIndexes.map((index, at) => parseText(must(kept[at]), row[index] ?? null)),
    );
    if (pending.length < ROWS_A_BATCH) continue;
    yield buildBatch(kept, pending, target.scratch);
    pending = [];
  }
  if (pending.length > 0) yield buildBatch(kept, pending, target.scratch);
}

/** The same rows, packed on another thread. */
export function* packedBatches(
  packed: readonly Uint8Array[],
  target: QueryMemory,
): Generator<DeltaBatch> {
  for (const bytes of packed) yield* unpackBatch(bytes, target.scratch);
}

function parseText(type: DataType, text: string | null): Value {
  return text === null ? null : parseValue(type, text, DEFAULT_SETTINGS);
}
