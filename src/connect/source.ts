/**
 * What a source connector is: it gives the rows of its splits in order, and gives them again exactly.
 *
 * Contract. A position is the connector's own JSON; the rows between two positions of a split never change (semantics.md
 * rule 7): `replay(split, from, to)` gives what `poll` gave for [from, to), bit for bit, also in another process. All calls
 * are synchronous and made by one thread; a reader that waits for something calls `wake` (from any later turn) when there is
 * more. A batch lives until the caller releases its scratch.
 *
 * Two ranges of a split may be joined into one exactly when the first one's `to` equals the second one's `from` as JSON: where
 * a followed file was rotated they differ, and are replayed one by one.
 */

import type { Clock } from '../base/clock.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import type { WriterSchema } from '../formats/message-decoder.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { DataType } from '../types/data-type.ts';

export type Json =
  | null
  | boolean
  | number
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** What stands beside a record's value (INCLUDE). */
export interface IncludedField {
  readonly kind: 'key' | 'partition' | 'offset' | 'timestamp' | 'header' | 'headers';
  /** The header's name; null: it is no header. */
  readonly header: string | null;
}

/** A column of the source, as it is numbered there. */
export interface SourceColumn {
  readonly name: string;
  readonly type: DataType;
  /** GENERATED ALWAYS AS: not a field of the record. Only the check of the options looks at it. */
  readonly isGenerated?: boolean;
  /** What it is where a record does not have its field, as an input text; null or absent: NULL. Only the check looks at it. */
  readonly default?: string | null;
  /** INCLUDE: not a field of the record's value either. */
  readonly included?: IncludedField;
}

/** Where a record stands, for its dead letter. */
export interface RecordPlace {
  /** For people, as JSON: file, line, byte offset. null: what follows says it all. */
  readonly position: string | null;
  /** In its split; it grows. */
  readonly offset: number;
  /** null: the source has none. */
  readonly topic: string | null;
  readonly partition: number | null;
  /** Of what is wrong, in the record's value; null: not known. */
  readonly byteOffset: number | null;
}

/** A record as it came. */
export interface RawRecord {
  readonly key: Uint8Array | null;
  readonly value: Uint8Array | null;
  /** Key or value is longer than `rejectedBytesMax`: only so much of it is here. */
  readonly isCut: boolean;
  /** Milliseconds since 1970, as the record has it; null: it has none. */
  readonly timestampMs: number | null;
  /** What else it takes to decode it again: the connector's own, as JSON; null: nothing. */
  readonly context: string | null;
}

/** A record that could not be decoded, or has NULL where none may be: a dead letter (semantics.md rule 27). */
export interface RejectedRecord extends RecordPlace {
  readonly raw: RawRecord;
  readonly sqlstate: string;
  readonly reason: string;
}

/** A rejected record that its dead letter has kept whole. */
export interface KeptRecord {
  readonly offset: number;
  readonly raw: RawRecord;
}

/** What a schema registry has under an id; JSON. */
export interface SchemaAnswer {
  readonly id: number;
  /** null: nothing. */
  readonly schema: WriterSchema | null;
}

/** What records told of the schema registry that their ids are of: a replay has to know it. */
export interface SchemaNews {
  /** Ids that it did not have: records that name them were rejected. */
  readonly unknown: readonly number[];
  /** Ids that it did not have before, and has now. */
  readonly known: readonly number[];
}

/** Where the schemas are whose ids records name. */
export interface RecordSchemas {
  /** The ids that a record names. */
  idsOf(record: KeptRecord): readonly number[];
  /** Asks the registry, for ids that it did not have as well. 08001 or 28000: it does not answer. */
  ask(ids: readonly number[]): Promise<readonly SchemaAnswer[]>;
  /** Records that come from now on are decoded by these, too. */
  learn(answers: readonly SchemaAnswer[]): void;
}

/** Where the records of a chunk's rows stood, if they are rejected later. */
export interface ChunkPlaces {
  /** Of the record of a row. */
  offsetOf(row: number): number;
  placeAt(offset: number): RecordPlace;
  /** Absent: the bytes are not known any more. */
  rawAt?(offset: number): RawRecord;
}

/** FORMAT UPSERT and DEBEZIUM: what the rows of a batch do. A row that deletes has its key's columns, the others are NULL. */
export interface RowChanges {
  /** u8: UPSERT, DELETE or TRUNCATE (formats/change-decoder.ts). */
  readonly ops: Column;
  /** i64: where the record stands in its split; it grows. */
  readonly offsets: Column;
  /** By row: columns that the record leaves out because they have not changed; NULL in the batch. */
  readonly unavailable: ReadonlyMap<number, readonly number[]>;
}

/** Rows of one split: [from, to). */
export interface SourceChunk {
  readonly split: string;
  readonly from: Json;
  readonly to: Json;
  /** Weights are +1; column i is wanted column i. null: no row was decoded. */
  readonly batch: DeltaBatch | null;
  /** Of the batch, where the source's records change rows; absent: each is a row of its own. */
  readonly changes?: RowChanges;
  readonly rejected: readonly RejectedRecord[];
  /** Absent: the connector rejects nothing, or does not know. */
  readonly places?: ChunkPlaces;
  /** Of `poll`; absent: nothing. */
  readonly schemas?: SchemaNews;
  /** The reader stands at the split's end as of now (semantics.md rule 17). */
  readonly isAtEnd: boolean;
  /** The split has ended for good. */
  readonly isEnded: boolean;
  /** Of `poll`: the chunk was taken in; `places.rawAt` gives nothing any more. Absent: nobody needs to be told. */
  release?(): void;
}

export interface SourceContext {
  readonly memory: Memory;
  readonly scratch: Scratch;
  readonly clock: Clock;
  /** Directories that the file connector may read. */
  readonly fileRoots: readonly string[];
  /** Indexes of the columns that somebody reads: the others are not made. */
  readonly wanted: readonly number[];
  /** Indexes of columns that must not be NULL: the reader rejects such records where it decodes them. */
  readonly notNull: readonly number[];
  /** Bytes of a rejected record's key and value, each, that are kept. */
  readonly rejectedBytesMax: number;
  /** Decoded records may be rejected later: `places.rawAt` is asked then. */
  readonly mayRejectLater: boolean;
  /** Ids of schemas that the registry did not have, as of now: `replay` decodes as if it did not have them yet. */
  readonly unknownSchemas: ReadonlySet<number>;
  readonly wake: () => void;
  /** Into the log: nothing to act on for the caller. */
  readonly warn: (text: string) => void;
}

/** Others want to know how far the source has come; nobody reads it back from them. */
export interface PositionReports {
  /** How often they are told. */
  readonly intervalMs: number;
  /** What came before `positions` is durable. Resolves when it is told, or could not be. */
  tell(positions: ReadonlyMap<string, Json>): Promise<void>;
}

export interface SourceReader {
  /** Splits known by now; it may grow. */
  readonly splits: readonly string[];
  /** Continues behind `positions` (from chunks' `to`); a split that is not named starts at its beginning. Called once, first. */
  start(positions: ReadonlyMap<string, Json>): void;
  /**
   * The next rows of one split, at most `rowsMax` (and 1024); null: nothing now. A chunk without rows tells that a split
   * reached its end or ended. Splits take turns. An error (SqlError) puts the source into an error state.
   */
  poll(rowsMax: number): SourceChunk | null;
  /**
   * The rows of [from, to) again, in chunks; null where it would have to wait: the caller goes on after `wake`, or stands still.
   * Does not move the reader.
   */
  replay(split: string, from: Json, to: Json): Generator<SourceChunk | null>;
  /** Stands still until `replay` has more, or a while has passed: then it tells why. Absent: it never has to wait. */
  readonly standStill?: () => string | null;
  /**
   * Rejected records of a split once more, at most 1024, each offset once: those that are rejected again, and the rows of the
   * others, with `places`. Does not move the reader, and needs nothing but the records and the schemas that they name: another
   * process gives the same. Absent: that is not so.
   */
  readonly retry?: (
    split: string,
    records: readonly KeptRecord[],
    schemas: readonly SchemaAnswer[],
  ) => SourceChunk;
  /** Absent: records name no schemas. */
  readonly schemas?: RecordSchemas;
  /** Absent: nobody has to be told. */
  readonly reports?: PositionReports;
  /** Why nothing comes, where the other side cannot be reached; null: all is well. It goes on trying. */
  readonly trouble?: string | null;
  /** When (monotonic µs) a paced reader has more; null: only `wake` tells. */
  nextDueUs(): bigint | null;
  /** What is known to be waiting, in rows unless `lagUnit` says otherwise; null: unknown. */
  lag(): number | null;
  readonly lagUnit?: 'bytes';
  close(): void;
}

/** What was sent to a source. */
export interface PostedBody {
  readonly bytes: Uint8Array;
  /** One JSON text, one a line, or either (webhook/posted-records.ts). */
  readonly shape: 'value' | 'lines' | 'auto';
}

/**
 * A reader whose records are sent to it (semantics.md rule 7): they cannot be asked for again, so the caller keeps the bodies
 * and gives them again; `replay` has nothing but empty ranges.
 */
export interface PushedReader extends SourceReader {
  readonly isPushed: true;
  /** Throws where nothing of the body can be read (22P02). */
  check(body: PostedBody): void;
  /** The rows of a body, behind `position` of its one split; what `check` refuses is refused here, too. */
  receive(body: PostedBody, position: Json): Generator<SourceChunk>;
}

export function isPushed(reader: SourceReader): reader is PushedReader {
  return 'isPushed' in reader;
}
