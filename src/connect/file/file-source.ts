/**
 * The connector `file` as a source: lines of files as rows, to the end or followed, at full speed or by event time.
 *
 * All fields are decoded, also those that nobody reads: whether a record is rejected must not depend on its readers.
 * Splits: '0', or one for each file where a glob is followed. A chunk never spans two files.
 */

import * as path from 'node:path';
import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { ColumnBuilder } from '../../batch/column-builder.ts';
import { BATCH_ROWS_MAX, type DeltaBatch } from '../../batch/delta-batch.ts';
import type { ValueSettings } from '../../types/settings.ts';
import { NotNullFields } from '../rejected.ts';
import type {
  Json,
  KeptRecord,
  RejectedRecord,
  SourceChunk,
  SourceColumn,
  SourceContext,
  SourceReader,
} from '../source.ts';
import { listFiles } from './file-access.ts';
import type { Compression, FileBytes } from './file-bytes.ts';
import { FileCursor, type Rejecting } from './file-cursor.ts';
import { type FileEncoding, hasHeader, openDecoder } from './file-format.ts';
import { type FilePosition, parsePosition, positionJson } from './file-position.ts';
import { BoundedFiles, type FileSplit, FollowedFile } from './file-split.ts';
import { lostPosition, type Opener, openAt, opener, statFile } from './located-file.ts';
import { placeAgain, recordsAgain } from './records-again.ts';
import { ReplayPace } from './replay-pace.ts';

/** What a file source is opened with; JSON. */
export interface FileSourceOptions {
  /** Absolute; a glob only where `follow`. */
  readonly path: string;
  /** Files of a bounded source, in order, as they were at CREATE; null: followed. */
  readonly files: readonly string[] | null;
  readonly isGlob: boolean;
  readonly compression: Compression;
  readonly encoding: FileEncoding;
  /** Numbers of the columns that are fields of the file. */
  readonly fields: readonly number[];
  readonly replay: { readonly column: number; readonly speed: number } | null;
  readonly settings: ValueSettings;
}

/** How often a followed file is looked at when it has nothing new, and a followed glob's directory. */
const FOLLOW_POLL_US = 50_000n;
const LIST_POLL_US = 1_000_000n;

interface SplitState {
  readonly split: FileSplit;
  /** Nothing to do before (monotonic µs). */
  dueUs: bigint;
  /** It was told that the split stands at its end, or has ended. */
  hasToldEnd: boolean;
  isEnded: boolean;
}

/** What was read into builders. */
interface ReadRows {
  readonly builders: readonly ColumnBuilder[];
  readonly rejected: readonly RejectedRecord[];
  readonly rowCount: number;
  readonly isAtEnd: boolean;
  /** When the next row is due; null: now. */
  readonly dueUs: bigint | null;
}

export class FileSource implements SourceReader {
  readonly #options: FileSourceOptions;
  readonly #fields: readonly SourceColumn[];
  /** Field of each wanted column. */
  readonly #wantedFields: readonly number[];
  readonly #replayField: number;
  readonly #context: SourceContext;
  readonly #open: Opener;
  readonly #pace: ReplayPace | null;
  readonly #rejecting: Rejecting;
  readonly #states: SplitState[] = [];
  /** Where the last replay of a packed file ended: the next goes on there, instead of unpacking all before it once more. */
  #replayed: { readonly cursor: FileCursor; readonly at: FilePosition } | null = null;
  #turn = 0;
  #listDueUs = 0n;

  constructor(
    options: FileSourceOptions,
    columns: readonly SourceColumn[],
    context: SourceContext,
  ) {
    const { fields, replay } = options;
    this.#options = options;
    this.#context = context;
    this.#fields = fields.map((index) => must(columns[index]));
    this.#wantedFields = context.wanted.map((index) => {
      const field = fields.indexOf(index);
      return must(field < 0 ? null : field, `column ${index} is no field of the file`);
    });
    this.#replayField = replay === null ? -1 : fields.indexOf(replay.column);
    this.#pace = replay === null ? null : new ReplayPace(context.clock, replay.speed);
    this.#open = opener(context.fileRoots, options.compression);
    this.#rejecting = {
      notNull: new NotNullFields(fields, context.notNull, columns),
      bytesMax: context.rejectedBytesMax,
    };
  }

  get splits(): readonly string[] {
    return this.#states.map(({ split }) => split.name);
  }

  start(positions: ReadonlyMap<string, Json>): void {
    const { files, isGlob, path: file } = this.#options;
    if (files !== null) {
      this.#addSplit(new BoundedFiles(files, this.#open, this.#makeCursor), positions);
    } else if (isGlob) {
      const directory = path.dirname(file);
      for (const name of positions.keys()) this.#addFollowed(path.join(directory, name), positions);
      this.#listGlob();
    } else {
      this.#addSplit(new FollowedFile('0', file, this.#open, this.#makeCursor), positions);
    }
  }

  poll(rowsMax: number): SourceChunk | null {
    const nowUs = this.#context.clock.monotonicUs();
    if (this.#options.isGlob && this.#options.files === null && nowUs >= this.#listDueUs) {
      this.#listGlob();
    }
    const count = this.#states.length;
    for (let i = 0; i < count; i += 1) {
      const state = this.#states[(this.#turn + i) % count]!;
      if (state.isEnded || nowUs < state.dueUs) continue;
      const chunk = this.#pollSplit(state, Math.min(rowsMax, BATCH_ROWS_MAX), nowUs);
      if (chunk === null) continue;
      this.#turn = (this.#turn + i + 1) % count;
      return chunk;
    }
    return null;
  }

  *replay(split: string, from: Json, to: Json): Generator<SourceChunk> {
    const start = parsePosition(from);
    const end = parsePosition(to);
    for (let at = start; at.id !== end.id || at.offset < end.offset; ) {
      const isLastFile = at.id === end.id;
      const cursor = this.#cursorAt(at, isLastFile ? end.offset : Number.POSITIVE_INFINITY);
      let isKept = false;
      try {
        at = yield* this.#replayFile(split, cursor, at);
        isKept = isLastFile && cursor.bytes.isPacked;
      } finally {
        if (!isKept) cursor.close();
      }
      if (isKept) this.#replayed = { cursor, at };
      if (!isLastFile) at = this.#nextBounded(at);
      else if (at.offset !== end.offset) throw lostPosition(end, 'the file is shorter now');
    }
  }

  /** A cursor that reads from `at` up to `limit`. */
  #cursorAt(at: FilePosition, limit: number): FileCursor {
    const kept = this.#replayed;
    this.#replayed = null;
    if (kept !== null && kept.at.id === at.id && kept.at.offset === at.offset) {
      kept.cursor.readUntil(limit);
      return kept.cursor;
    }
    kept?.cursor.close();
    const bytes = openAt(at, this.#open, this.#options.files === null);
    if (bytes === null) throw lostPosition(at, 'the bytes before have changed');
    const cursor = this.#makeCursor(bytes, limit);
    cursor.seek(at);
    return cursor;
  }

  readonly retry = (split: string, records: readonly KeptRecord[]): SourceChunk => {
    const { encoding, settings } = this.#options;
    const decoder = openDecoder(encoding, this.#fields, settings);
    const builders = this.#builders(records.length);
    const again = recordsAgain(decoder, this.#rejecting, records, builders);
    return {
      split,
      from: null,
      to: null,
      batch: this.#batch({ builders, rowCount: again.offsets.length }),
      rejected: again.rejected,
      places: {
        offsetOf: (row) => again.offsets[row]!,
        placeAt: placeAgain,
      },
      isAtEnd: false,
      isEnded: false,
    };
  };

  nextDueUs(): bigint | null {
    const dues = this.#states.filter(({ isEnded }) => !isEnded).map(({ dueUs }) => dueUs);
    if (this.#options.isGlob && this.#options.files === null) dues.push(this.#listDueUs);
    return dues.reduce<bigint | null>((a, b) => (a === null || b < a ? b : a), null);
  }

  readonly lagUnit = 'bytes';

  lag(): number | null {
    let sum = 0;
    for (const { split, isEnded } of this.#states) {
      const lag = isEnded ? 0 : split.lag();
      if (lag === null) return null;
      sum += lag;
    }
    return sum;
  }

  close(): void {
    for (const { split } of this.#states) split.close();
    this.#states.length = 0;
    this.#replayed?.cursor.close();
    this.#replayed = null;
  }

  readonly #makeCursor = (bytes: FileBytes, limit?: number): FileCursor => {
    const { encoding, settings } = this.#options;
    const decoder = openDecoder(encoding, this.#fields, settings);
    return new FileCursor(bytes, decoder, hasHeader(encoding), this.#rejecting, limit);
  };

  #addSplit(split: FileSplit, positions: ReadonlyMap<string, Json>): void {
    const position = positions.get(split.name);
    split.start(position === undefined ? null : parsePosition(position));
    this.#states.push({ split, dueUs: 0n, hasToldEnd: false, isEnded: false });
  }

  #addFollowed(file: string, positions: ReadonlyMap<string, Json>): void {
    const make = this.#makeCursor;
    this.#addSplit(new FollowedFile(path.basename(file), file, this.#open, make), positions);
  }

  /** Takes up files that match the glob by now, but for those that another split has read under another name. */
  #listGlob(): void {
    this.#listDueUs = this.#context.clock.monotonicUs() + LIST_POLL_US;
    const known = this.#states.map(({ split }) => split as FollowedFile);
    for (const file of listFiles(this.#options.path, this.#context.fileRoots)) {
      const id = statFile(file)?.id;
      const isKnown = known.some((split) => split.path === file || split.ids.includes(id ?? ''));
      if (id !== undefined && !isKnown) this.#addFollowed(file, new Map());
    }
  }

  #pollSplit(state: SplitState, rowsMax: number, nowUs: bigint): SourceChunk | null {
    const { split } = state;
    for (;;) {
      const cursor = split.cursor();
      if (cursor === null) {
        state.dueUs = nowUs + FOLLOW_POLL_US;
        return null;
      }
      const from = split.position();
      const rows = this.#read(cursor, split.isLast, rowsMax, nowUs);
      let to = split.position();
      state.dueUs = rows.dueUs ?? 0n;
      let isAtEnd = false;
      if (rows.isAtEnd) {
        const outcome = split.reachEnd();
        isAtEnd = outcome !== 'switched';
        state.isEnded = outcome === 'ended';
        if (outcome === 'waiting') {
          to = split.position();
          state.dueUs = nowUs + FOLLOW_POLL_US;
        }
      }
      const isMoved = to.offset !== from.offset || to.isGone !== from.isGone;
      const isNews = isMoved || rows.rejected.length > 0 || (isAtEnd && !state.hasToldEnd);
      state.hasToldEnd = isAtEnd;
      if (isNews) return this.#chunk(split.name, from, to, rows, isAtEnd, state.isEnded);
      if (!rows.isAtEnd || isAtEnd) return null;
    }
  }

  /** Reads rows until there are `rowsMax` (or as many rejected records), the end, or one that is not due yet. */
  #read(cursor: FileCursor, isLast: boolean, rowsMax: number, nowUs: bigint | null): ReadRows {
    const builders = this.#builders(rowsMax);
    const rejected: RejectedRecord[] = [];
    let rowCount = 0;
    let isAtEnd = false;
    let dueUs: bigint | null = null;
    while (rowCount < rowsMax && rejected.length < rowsMax) {
      const step = cursor.next(builders, isLast);
      if (step === 'end') {
        isAtEnd = true;
        break;
      }
      if (step === 'rejected') {
        rejected.push(cursor.rejected!);
        continue;
      }
      dueUs = nowUs === null ? null : this.#dueUs(builders, rowCount);
      if (dueUs !== null && dueUs > nowUs!) {
        for (const builder of builders) builder.truncate(rowCount);
        cursor.unread();
        break;
      }
      dueUs = null;
      rowCount += 1;
    }
    return { builders, rejected, rowCount, isAtEnd, dueUs };
  }

  #builders(rowsMax: number): readonly ColumnBuilder[] {
    const { memory, scratch } = this.#context;
    return this.#fields.map(({ type }) => new ColumnBuilder(memory, scratch, type, rowsMax));
  }

  /** When row `row`, the last one, is due; null: at once. */
  #dueUs(builders: readonly ColumnBuilder[], row: number): bigint | null {
    if (this.#pace === null) return null;
    const { values, validity } = builders[this.#replayField]!.build();
    const { u8, i64 } = this.#context.memory;
    const isNull = validity !== 0 && ((u8[validity + (row >>> 3)]! >>> (row & 7)) & 1) === 0;
    return isNull ? null : this.#pace.dueUs(i64[(values >>> 3) + row]!);
  }

  *#replayFile(
    split: string,
    cursor: FileCursor,
    start: FilePosition,
  ): Generator<SourceChunk, FilePosition> {
    for (let from = start; ; ) {
      const rows = this.#read(cursor, true, BATCH_ROWS_MAX, null);
      const to = cursor.position(start.rotated ?? []);
      if (to.offset !== from.offset || rows.rejected.length > 0) {
        yield this.#chunk(split, from, to, rows, false, false);
      }
      if (rows.isAtEnd) return to;
      from = to;
    }
  }

  /** The beginning of the file behind a bounded one; followed files are replayed one by one. */
  #nextBounded(at: FilePosition): FilePosition {
    const { files } = this.#options;
    const next = files === null ? undefined : files[files.indexOf(at.path) + 1];
    if (next === undefined) {
      throw new SqlError('XX001', 'a range of a file source spans two files');
    }
    const id = must(statFile(next)?.id, `file "${next}" is missing`);
    return { path: next, id, offset: 0, line: 1, head: 0, tail: 0 };
  }

  #chunk(
    split: string,
    from: FilePosition,
    to: FilePosition,
    rows: ReadRows,
    isAtEnd: boolean,
    isEnded: boolean,
  ): SourceChunk {
    return {
      split,
      from: positionJson(from),
      to: positionJson(to),
      batch: this.#batch(rows),
      rejected: rows.rejected,
      isAtEnd,
      isEnded,
    };
  }

  #batch({ builders, rowCount }: Pick<ReadRows, 'builders' | 'rowCount'>): DeltaBatch | null {
    if (rowCount === 0) return null;
    const columns = this.#wantedFields.map((field) => builders[field]!.build());
    const { memory } = this.#context;
    return { memory, rowCount, columns, weights: 0, rowWatermarks: 0 };
  }
}
