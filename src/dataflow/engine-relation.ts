/**
 * EngineRelation: a relation as the worker holds it: its stored versions, its watermark, and who reads its changes. A
 * source mostly is one without stored versions.
 */

import { assert, must } from '../base/assert.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Memory } from '../memory/memory.ts';
import type { EpochControl } from '../state/epoch-control.ts';
import { RelationReader } from '../state/relation-reader.ts';
import type { IndexSchema, RelationSchema } from '../state/relation-schema.ts';
import { StoredRelation } from '../state/stored-relation.ts';
import type { Job } from './job.ts';
import type { EngineColumn, EngineWatermark, RelationHandle } from './port.ts';
import { RelationWatermark } from './watermark.ts';

export type RelationKind = 'table' | 'view' | 'source' | 'system';

/** JSON: what a checkpoint keeps of a relation besides its memory. */
export interface RelationDefinition {
  readonly id: number;
  readonly name: string;
  readonly kind: RelationKind;
  readonly columns: readonly EngineColumn[];
  /** null: a source whose rows are not kept. */
  readonly schema: RelationSchema | null;
  /** Catalog ids of `schema.indexes`. */
  readonly indexIds: readonly number[];
  readonly watermark: EngineWatermark | null;
}

export class EngineRelation {
  readonly watermark = new RelationWatermark();
  /** Jobs that read it, each once. */
  readonly readers = new Set<Job>();
  /** The epoch in which it was made: it has no snapshot before. */
  readonly createdAt: number;
  readonly memory: Memory | null;
  readonly stored: StoredRelation | null;
  #definition: RelationDefinition;
  #begunEpoch = 0;
  #isChanged = false;

  constructor(
    definition: RelationDefinition,
    memory: Memory | null,
    control: EpochControl,
    createdAt: number,
  ) {
    this.#definition = definition;
    this.memory = memory;
    this.createdAt = createdAt;
    const { schema } = definition;
    this.stored =
      schema === null || memory === null
        ? null
        : StoredRelation.open(memory, memory.rootCell(0), schema, control);
  }

  get definition(): RelationDefinition {
    return this.#definition;
  }

  get id(): number {
    return this.#definition.id;
  }

  rename(name: string): void {
    this.#definition = { ...this.#definition, name };
  }

  /** Applies a change of the running epoch to the stored versions. */
  apply(batch: DeltaBatch, epoch: number): void {
    if (this.stored === null || batch.rowCount === 0) return;
    this.#begin(epoch);
    this.stored.apply(batch);
    this.#isChanged = true;
  }

  /** Of the stored versions; for this thread. */
  reader(): RelationReader {
    const { headerAddress, schema } = must(this.stored, 'the rows of the relation are not kept');
    return new RelationReader(must(this.memory).wasm, headerAddress, schema);
  }

  /** Rows of the stored versions, which nothing reads from, go by their keys. */
  retractKeys(keys: DeltaBatch, epoch: number): void {
    assert(this.readers.size === 0, 'readers are not told what goes by its key');
    this.#begin(epoch);
    if (must(this.stored).retractKeys(keys) > 0) this.#isChanged = true;
  }

  #begin(epoch: number): void {
    if (this.#begunEpoch === epoch) return;
    this.#begunEpoch = epoch;
    this.stored?.begin(epoch);
  }

  /** Makes the epoch's versions whole; they show once the epoch is published. */
  publish(epoch: number): void {
    if (!this.#isChanged) return;
    this.stored?.publish(epoch);
    this.#isChanged = false;
  }

  addIndex(id: number, index: IndexSchema): void {
    const { schema, indexIds } = this.#definition;
    if (this.stored === null || schema === null) return;
    this.stored.addIndex(index);
    this.#definition = {
      ...this.#definition,
      schema: this.stored.schema,
      indexIds: [...indexIds, id],
    };
  }

  dropIndex(id: number): void {
    const position = this.#definition.indexIds.indexOf(id);
    if (this.stored === null || position < 0) return;
    this.stored.dropIndex(position);
    const indexIds = this.#definition.indexIds.filter((one) => one !== id);
    this.#definition = { ...this.#definition, schema: this.stored.schema, indexIds };
  }

  handle(): RelationHandle | null {
    if (this.stored === null || this.memory === null) return null;
    return {
      id: this.id,
      wasm: this.memory.wasm,
      headerAddress: this.stored.headerAddress,
      schema: this.stored.schema,
      columns: this.#definition.columns,
    };
  }
}
