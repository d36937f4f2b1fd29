/** What a query on the main thread reads: stored relations at one epoch, a transaction's own writes over them, system relations. */

import { must } from '../base/assert.ts';
import { notSupported, SqlError } from '../base/sql-error.ts';
import { buildBatch } from '../batch/build-batch.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { ScanNode } from '../plan/plan-node.ts';
import type { RelationReader } from '../state/relation-reader.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, parseValue } from '../types/value.ts';
import type { QueryInputs } from './query-execution.ts';
import type { QueryMemory } from './query-memory.ts';
import type { WriteSet } from './write-set.ts';

/** Rows of a system relation, each value in its text form. */
export type SystemRowsProvider = (
  schema: string,
  name: string,
) => { readonly types: readonly DataType[]; readonly rows: Iterable<readonly (string | null)[]> };

export interface SnapshotSources {
  reader(relationId: number): RelationReader | undefined;
  readonly epoch: number;
  /** Throws 72000 once the epoch may no longer be read. */
  checkEpoch(): void;
  readonly writes: WriteSet | null;
  readonly systemRows: SystemRowsProvider;
}

const ROWS_A_BATCH = 1024;

export class SnapshotInputs implements QueryInputs {
  readonly #sources: SnapshotSources;

  constructor(sources: SnapshotSources) {
    this.#sources = sources;
  }

  get hasRetractions(): boolean {
    return this.#sources.writes !== null && !this.#sources.writes.isEmpty;
  }

  *scan(node: ScanNode, target: QueryMemory): Generator<DeltaBatch> {
    const { kind, id, name } = node.relation;
    if (kind === 'system') yield* this.#systemRows(node, target);
    else if (kind === 'source') {
      throw notSupported(`reading source "${name}" directly`, {
        hint: `CREATE MATERIALIZED VIEW ... AS SELECT ... FROM ${name} and read that.`,
      });
    } else yield* this.#storedRows(node, id, target);
  }

  *#storedRows(node: ScanNode, id: number, target: QueryMemory): Generator<DeltaBatch> {
    const { epoch, writes } = this.#sources;
    const written = writes?.writesOf(id);
    const reader = this.#sources.reader(id);
    if (reader === undefined && written === undefined && writes?.isNewTable(id) !== true) {
      throw new SqlError('55000', `relation "${node.relation.name}" cannot be read yet`, {
        detail: 'It is made by this transaction and has no contents before COMMIT.',
      });
    }
    if (reader !== undefined && written?.isTruncated !== true) {
      for (const batch of reader.scan(epoch, node.columnIndexes, target)) {
        this.#sources.checkEpoch();
        yield batch;
      }
    }
    if (written === undefined) return;
    for (const batch of written.deltas(target)) {
      yield { ...batch, columns: node.columnIndexes.map((index) => must(batch.columns[index])) };
    }
  }

  *#systemRows(node: ScanNode, target: QueryMemory): Generator<DeltaBatch> {
    const { schema, name } = node.relation;
    const { types, rows } = this.#sources.systemRows(schema, name);
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
}

function parseText(type: DataType, text: string | null): Value {
  return text === null ? null : parseValue(type, text, DEFAULT_SETTINGS);
}
