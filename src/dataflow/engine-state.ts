/**
 * What a checkpoint says about the engine besides the memories: plain JSON, from which relations, sources and jobs are made
 * again over the restored memories, without planning anything anew.
 */

import type { RelationDefinition } from './engine-relation.ts';
import type { FeedState } from './feed-context.ts';
import type { JobState } from './job.ts';
import type { LetterLogState } from './letter-log.ts';

export interface CatalogImage {
  readonly objects: readonly { readonly id: number }[];
  readonly nextId: number;
}

export interface RelationState {
  readonly definition: RelationDefinition;
  readonly watermark: string;
  /** The running watermark of a table's DML. */
  readonly running: string;
}

/** A sink that may hold something back. */
export interface SinkState {
  readonly id: number;
  /** The instant of the epoch that it sent last. */
  readonly sentUs: string;
}

export interface EngineMetadata {
  readonly format: 1;
  readonly nowUs: string;
  readonly catalog: CatalogImage;
  readonly letters: LetterLogState;
  readonly relations: readonly RelationState[];
  readonly sources: readonly FeedState[];
  readonly jobs: readonly JobState[];
  readonly sinks: readonly SinkState[];
}

/** Names of the memories that a checkpoint holds. */
export function relationMemoryName(id: number): string {
  return `relation-${id}`;
}

export function jobMemoryName(id: number): string {
  return `job-${id}`;
}

/** What a sink holds back. */
export function sinkMemoryName(id: number): string {
  return `sink-${id}`;
}

/** The catalog's objects by id, as commits put and remove them. */
export class CatalogObjects {
  readonly #objects = new Map<number, { readonly id: number }>();
  #nextId = 0;

  constructor(image: CatalogImage | null) {
    for (const object of image?.objects ?? []) this.#objects.set(object.id, object);
    this.#nextId = image?.nextId ?? 0;
  }

  apply(change: {
    readonly puts: readonly { readonly id: number }[];
    readonly removes: readonly number[];
    readonly nextId: number;
  }): void {
    for (const id of change.removes) this.#objects.delete(id);
    for (const object of change.puts) this.#objects.set(object.id, object);
    this.#nextId = Math.max(this.#nextId, change.nextId);
  }

  image(): CatalogImage {
    return { objects: [...this.#objects.values()], nextId: this.#nextId };
  }
}
