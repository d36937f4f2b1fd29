/**
 * KnownSchemas: which of the schemas that records name a reader's decoder has, and what the reader tells of the others.
 *
 * Correctness. A record is rejected where the registry did not have its schema when it was read. When it is read again the
 * registry may have it: a decoder that replays has all schemas but those that the source did not know by then, which its log
 * says (`unknown`). Within an epoch nothing is learned, so that this holds for all of its records.
 * State: the schemas that came, by id. Cost: a look at the id of each record.
 */

import type { ChangeDecoder } from '../../formats/change-decoder.ts';
import type { WriterSchema } from '../../formats/message-decoder.ts';
import { hasFrame, schemaIdAt } from '../../formats/schema-frame.ts';
import type { KeptRecord, SchemaNews } from '../source.ts';
import type { KafkaRecord } from './kept-record.ts';

/** The id with which a key or value begins; null: it has none. */
function namedId(bytes: Buffer, start: number, length: number): number | null {
  return hasFrame(bytes, start, start + length) ? schemaIdAt(bytes, start) : null;
}

export class KnownSchemas {
  readonly #areInKeys: boolean;
  readonly #unknown: ReadonlySet<number>;
  readonly #came = new Map<number, WriterSchema>();
  /** Ids of those that the decoder has. */
  readonly #taught = new Set<number>();
  /** Of the record noted last. */
  #lastId: number | null = null;
  readonly #missed = new Set<number>();
  readonly #found = new Set<number>();

  /** `unknown`: ids that the source did not know, as of now. */
  constructor(areInKeys: boolean, unknown: ReadonlySet<number>) {
    this.#areInKeys = areInKeys;
    this.#unknown = unknown;
  }

  /** A schema came, for what is decoded from now on. */
  learn(id: number, schema: WriterSchema, decoder: ChangeDecoder): void {
    this.#came.set(id, schema);
    this.#taught.add(id);
    decoder.learnSchema?.(id, schema);
  }

  /** A schema came, for what is decoded again. */
  keep(id: number, schema: WriterSchema): void {
    this.#came.set(id, schema);
  }

  /** `decoder`, or another one, that has what came but for what is unknown. */
  matched(decoder: ChangeDecoder, open: () => ChangeDecoder): ChangeDecoder {
    const isAhead = [...this.#taught].some((id) => this.#unknown.has(id));
    const result = isAhead ? open() : decoder;
    if (isAhead) this.#taught.clear();
    for (const [id, schema] of this.#came) {
      if (!this.#taught.has(id) && !this.#unknown.has(id)) this.learn(id, schema, result);
    }
    return result;
  }

  /** A record is decoded now. */
  note({ bytes, keyStart, keyLength, valueStart, valueLength }: KafkaRecord): void {
    this.#noteId(namedId(bytes, valueStart, valueLength));
    if (this.#areInKeys) this.#noteId(namedId(bytes, keyStart, keyLength));
  }

  #noteId(id: number | null): void {
    if (id === null || id === this.#lastId) return;
    this.#lastId = id;
    if (!this.#taught.has(id)) this.#missed.add(id);
    else if (this.#unknown.has(id)) this.#found.add(id);
  }

  /** What the records noted since the last call tell; null: nothing. */
  takeNews(): SchemaNews | null {
    this.#lastId = null;
    if (this.#missed.size + this.#found.size === 0) return null;
    const news = { unknown: [...this.#missed], known: [...this.#found] };
    this.#missed.clear();
    this.#found.clear();
    return news;
  }

  idsOf({ raw: { key, value } }: KeptRecord): number[] {
    const parts = this.#areInKeys ? [value, key] : [value];
    return parts.flatMap((part) => {
      if (part === null) return [];
      return namedId(Buffer.from(part), 0, part.length) ?? [];
    });
  }
}
