/** Opens sources for tests and reads them as texts. */

import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import type { TestContext } from 'node:test';
import { FakeClock } from '../base/clock.ts';
import { readValue } from '../batch/read-value.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { DataType } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue } from '../types/value.ts';
import { checkSourceOptions, openSource } from './connectors.ts';
import type {
  Json,
  RawRecord,
  RejectedRecord,
  SourceChunk,
  SourceColumn,
  SourceReader,
} from './source.ts';

export type Columns = readonly (readonly [string, DataType])[];

export interface SourceSpec {
  readonly connector: string;
  readonly options: Readonly<Record<string, string>>;
  readonly encode?: string;
  readonly encodeOptions?: Readonly<Record<string, string>>;
  readonly columns: Columns;
}

export interface Read {
  readonly rows: string[];
  readonly rejected: RejectedRecord[];
  readonly chunks: SourceChunk[];
}

/** What is kept of a rejected record, as text. */
export function textOf({ value }: RawRecord): string {
  return Buffer.from(value ?? []).toString();
}

/** A directory of files for one test. */
export function temporaryDirectory(context: TestContext): string {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'millrace-connect-'));
  context.after(() => fs.rmSync(directory, { recursive: true }));
  return directory;
}

export class SourceUnderTest {
  readonly clock = new FakeClock();
  readonly memory = Memory.create();
  readonly scratch = new Scratch(this.memory);
  readonly checked: Json;
  /** Columns that must not be NULL. */
  notNull: readonly number[] = [];
  readonly #columns: readonly SourceColumn[];
  readonly #roots: readonly string[];

  constructor(spec: SourceSpec, roots: readonly string[] = []) {
    this.#roots = roots;
    this.#columns = spec.columns.map(([name, type]) => ({ name, type }));
    const definition = {
      connector: spec.connector,
      options: { connector: spec.connector, ...spec.options },
      format: null,
      encode: spec.encode ?? null,
      encodeOptions: spec.encodeOptions ?? {},
    };
    const context = { fileRoots: roots, clock: this.clock };
    const checked = checkSourceOptions(definition, this.#columns, context);
    // As after a restart: what was checked is JSON.
    this.checked = JSON.parse(JSON.stringify(checked));
  }

  open(wanted = this.#columns.map((_, i) => i)): SourceReader {
    const { memory, scratch, clock } = this;
    const rejecting = {
      notNull: this.notNull,
      rejectedBytesMax: 1024,
      mayRejectLater: false,
      unknownSchemas: new Set<number>(),
    };
    const of = { memory, scratch, clock, fileRoots: this.#roots, wanted };
    const context = { ...of, ...rejecting, wake: () => {}, warn: () => {} };
    return openSource(this.checked, this.#columns, context);
  }

  started(positions: Readonly<Record<string, Json>> = {}, wanted?: number[]): SourceReader {
    const reader = this.open(wanted);
    reader.start(new Map(Object.entries(positions)));
    return reader;
  }

  /** Polls until there is nothing more now, at most `chunksMax` times. */
  poll(reader: SourceReader, rowsMax = 1024, chunksMax = 1000): Read {
    const read: Read = { rows: [], rejected: [], chunks: [] };
    for (let i = 0; i < chunksMax; i += 1) {
      const chunk = reader.poll(rowsMax);
      if (chunk === null) break;
      this.#add(read, chunk);
    }
    return read;
  }

  /** By a reader of its own, unless one is given. */
  replay(split: string, from: Json, to: Json, given: SourceReader | null = null): Read {
    const read: Read = { rows: [], rejected: [], chunks: [] };
    const reader = given ?? this.open();
    const copy = (json: Json): Json => JSON.parse(JSON.stringify(json));
    for (const chunk of reader.replay(split, copy(from), copy(to))) {
      if (chunk === null) throw new Error('these readers never wait');
      this.#add(read, chunk);
    }
    if (given === null) reader.close();
    return read;
  }

  #add(read: Read, chunk: SourceChunk): void {
    read.chunks.push(chunk);
    read.rejected.push(...chunk.rejected);
    const { batch } = chunk;
    for (let row = 0; row < (batch?.rowCount ?? 0); row += 1) {
      const texts = batch!.columns.map((column, i) => {
        const type = this.#columns[i]!.type;
        const value = readValue(this.memory, column, type, row);
        return value === null ? 'NULL' : formatValue(type, value, DEFAULT_SETTINGS);
      });
      read.rows.push(texts.join(' '));
    }
  }
}
