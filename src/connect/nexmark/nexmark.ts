/** The connector `nexmark`: the auction site's events, made in process, only the columns that somebody reads. */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { type DataType, INT8, TEXT, TIMESTAMP } from '../../types/data-type.ts';
import { typeName } from '../../types/type-name.ts';
import { ChunkColumn } from '../chunk-columns.ts';
import { GeneratedSource, type RecordGenerator } from '../generated-source.ts';
import { type CheckRequest, checkOptions, type OptionSchema } from '../options.ts';
import { RandomStream } from '../random-stream.ts';
import type { Json, SourceColumn, SourceContext, SourceReader } from '../source.ts';
import { type EventKind, kindOf } from './events.ts';
import { type Maker, makersOf, type NexmarkSettings } from './fields.ts';
import { TextPool } from './text-pool.ts';

const NEXMARK_OPTIONS: OptionSchema = {
  'nexmark.table.type': { kind: 'choice', choices: ['person', 'auction', 'bid'], default: null },
  'nexmark.event.rate': { kind: 'number', min: 0.001, max: 1e9, default: 10_000 },
  'nexmark.max.events': { kind: 'integer', min: 0, default: null },
  'nexmark.seed': { kind: 'integer', min: 0, max: 4_294_967_295, default: 0 },
  'nexmark.pace': { kind: 'choice', choices: ['fast', 'realtime'], default: null },
};

const FIELD_TYPES: Readonly<Record<EventKind, readonly (readonly [string, DataType])[]>> = {
  person: [
    ['id', INT8],
    ['name', TEXT],
    ['email_address', TEXT],
    ['credit_card', TEXT],
    ['city', TEXT],
    ['state', TEXT],
    ['date_time', TIMESTAMP],
    ['extra', TEXT],
  ],
  auction: [
    ['id', INT8],
    ['item_name', TEXT],
    ['description', TEXT],
    ['initial_bid', INT8],
    ['reserve', INT8],
    ['date_time', TIMESTAMP],
    ['expires', TIMESTAMP],
    ['seller', INT8],
    ['category', INT8],
    ['extra', TEXT],
  ],
  bid: [
    ['auction', INT8],
    ['bidder', INT8],
    ['price', INT8],
    ['channel', TEXT],
    ['url', TEXT],
    ['date_time', TIMESTAMP],
    ['extra', TEXT],
  ],
};

/** The columns that a source without a column list gets. */
export function nexmarkColumns(options: ReadonlyMap<string, string>): SourceColumn[] {
  const { kind } = checkSettings(options);
  return FIELD_TYPES[kind].map(([name, type]) => ({ name, type }));
}

/** Checks the options, and that each column is a field of the stream, in a type that holds it. */
export function checkNexmark({ options, columns }: CheckRequest): Json {
  const settings = checkSettings(options);
  const fields = FIELD_TYPES[settings.kind];
  for (const column of columns) {
    if (column.isGenerated === true) continue;
    const field = fields.find(([name]) => name === column.name.toLowerCase());
    if (field === undefined) {
      throw new SqlError(
        '42703',
        `column "${column.name}" is not a field of nexmark's ${settings.kind}`,
        { hint: `Its fields are ${fields.map(([name]) => name).join(', ')}.` },
      );
    }
    if (!holds(column.type, field[1])) {
      throw new SqlError('42804', `column "${column.name}" must be of type ${typeName(field[1])}`);
    }
  }
  return settings as unknown as Json;
}

export function openNexmark(
  checked: Json,
  columns: readonly SourceColumn[],
  context: SourceContext,
): SourceReader {
  const wanted = context.wanted.map((index) => columns[index]!);
  const settings = checked as unknown as NexmarkSettings;
  return new GeneratedSource(new NexmarkGenerator(settings, wanted, context), context);
}

function checkSettings(given: ReadonlyMap<string, string>): NexmarkSettings {
  const options = checkOptions('connector "nexmark"', NEXMARK_OPTIONS, given);
  const kind = options.get('nexmark.table.type') as EventKind | null;
  if (kind === null) {
    throw notSupported('the combined nexmark stream', {
      hint: "Give nexmark.table.type = 'person', 'auction' or 'bid'.",
    });
  }
  return {
    kind,
    rate: options.get('nexmark.event.rate') as number,
    seed: options.get('nexmark.seed') as number,
    eventsMax: options.get('nexmark.max.events') as number | null,
    pace: options.get('nexmark.pace') as NexmarkSettings['pace'],
  };
}

function holds(type: DataType, field: DataType): boolean {
  if (field === TEXT) return (type.id === 'text' || type.id === 'varchar') && type.typmod === -1;
  if (field === TIMESTAMP) return type.id === 'timestamp' || type.id === 'timestamptz';
  return type.id === field.id;
}

interface Field {
  /** Its place in the kind's list, which numbers its random stream. */
  readonly number: number;
  readonly maker: Maker;
  readonly column: SourceColumn;
}

class NexmarkGenerator implements RecordGenerator {
  readonly recordsMax: number | null;
  readonly perSecond: number | null;
  readonly #kind: EventKind;
  readonly #random: RandomStream;
  readonly #fields: readonly Field[];
  readonly #pool: TextPool;
  readonly #context: SourceContext;

  constructor(settings: NexmarkSettings, wanted: readonly SourceColumn[], context: SourceContext) {
    const isPaced =
      settings.pace === null ? settings.eventsMax === null : settings.pace === 'realtime';
    this.recordsMax = settings.eventsMax;
    this.perSecond = isPaced ? settings.rate : null;
    this.#kind = settings.kind;
    this.#random = new RandomStream(settings.seed);
    this.#context = context;
    this.#pool = TextPool.of(context.memory);
    const makers = makersOf(settings);
    this.#fields = wanted.map((column) => {
      const name = column.name.toLowerCase();
      const number = FIELD_TYPES[settings.kind].findIndex(([field]) => field === name);
      return { number, maker: makers[name]!, column };
    });
  }

  choose(from: number, limit: number, rowsMax: number, rows: Float64Array): [number, number] {
    let count = 0;
    let n = from;
    for (; n < limit && count < rowsMax; n++) {
      if (kindOf(n) === this.#kind) rows[count++] = n;
    }
    return [count, n];
  }

  columns(rows: Float64Array, count: number): Column[] {
    this.#pool.renew();
    return this.#fields.map((field) => this.#column(field, rows, count));
  }

  #column({ number, maker, column }: Field, rows: Float64Array, count: number): Column {
    const { memory, scratch } = this.#context;
    const random = this.#random;
    const out = new ChunkColumn(memory, scratch, column.type.storage, count);
    for (let row = 0; row < count; row += 1) {
      const n = rows[row]!;
      if (maker.kind !== 'time') random.seek(n, number);
      switch (maker.kind) {
        case 'text':
          out.setText(row, maker.make(n, random));
          break;
        case 'letters':
          this.#pool.writeLetters(out.viewAddress(row), maker.missing, random);
          break;
        case 'choice':
          this.#pool.writeChoice(out.viewAddress(row), maker, maker.choose(n, random));
          break;
        default:
          out.setInteger(row, maker.make(n, random));
      }
    }
    return out.build();
  }
}
