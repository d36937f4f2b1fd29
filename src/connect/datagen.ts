/** The connector `datagen`: rows of random or sequential values, functions of (seed, row number). */

import { notSupported, SqlError } from '../base/sql-error.ts';
import type { Column } from '../batch/delta-batch.ts';
import type { DataType } from '../types/data-type.ts';
import { ChunkColumn } from './chunk-columns.ts';
import { GeneratedSource, type RecordGenerator } from './generated-source.ts';
import { RandomStream } from './nexmark/random-stream.ts';
import type { OptionSchema, OptionSpec, OptionValue } from './options.ts';
import type { SourceColumn, SourceContext, SourceReader } from './source.ts';

/** The schema of a source with these columns: each field has its own options. */
export function datagenOptions(columns: readonly SourceColumn[]): OptionSchema {
  const schema: Record<string, OptionSpec> = {
    'rows.per.second': { kind: 'number', min: 0.001, max: 1e9, default: 10 },
    'number.of.rows': { kind: 'integer', min: 0, default: null },
    seed: { kind: 'integer', min: 0, max: 4_294_967_295, default: 0 },
  };
  for (const column of columns) {
    const field = `fields.${column.name}`;
    schema[`${field}.kind`] = { kind: 'choice', choices: ['random', 'sequence'], default: 'random' };
    for (const bound of ['start', 'end', 'min', 'max']) {
      schema[`${field}.${bound}`] = { kind: 'number', default: null };
    }
    schema[`${field}.length`] = { kind: 'integer', min: 0, max: 1_000_000, default: null };
    schema[`${field}.null_rate`] = { kind: 'number', min: 0, max: 1, default: 0 };
  }
  return schema;
}

interface FieldPlan {
  readonly column: SourceColumn;
  readonly number: number;
  readonly isSequence: boolean;
  readonly low: number;
  readonly high: number;
  readonly length: number;
  readonly nullRate: number;
}

/** Checks bounds and types; the plans of all fields. */
export function planDatagen(
  options: ReadonlyMap<string, OptionValue>,
  columns: readonly SourceColumn[],
): FieldPlan[] {
  return columns.map((column, number) => planField(options, column, number));
}

export function openDatagen(
  options: ReadonlyMap<string, OptionValue>,
  columns: readonly SourceColumn[],
  context: SourceContext,
): SourceReader {
  const plans = planDatagen(options, columns);
  return new GeneratedSource(new DatagenGenerator(options, plans, context), context);
}

const DAY_US = 86_400_000_000;
/** 2026-01-01 00:00:00 UTC: where generated times start. */
const BASE_US = 1_767_225_600_000_000;

function planField(
  options: ReadonlyMap<string, OptionValue>,
  column: SourceColumn,
  number: number,
): FieldPlan {
  const get = (name: string): OptionValue => options.get(`fields.${column.name}.${name}`) ?? null;
  const isSequence = get('kind') === 'sequence';
  const [lowest, highest] = rangeOf(column);
  const low = (get(isSequence ? 'start' : 'min') as number | null) ?? (isSequence ? 0 : lowest);
  const high = (get(isSequence ? 'end' : 'max') as number | null) ?? highest;
  const isInteger = column.type.storage !== 'f64';
  if (low > high || (isInteger && !(Number.isInteger(low) && Number.isInteger(high)))) {
    throw new SqlError('22023', `invalid bounds of datagen field "${column.name}": ${low} to ${high}`);
  }
  const [least, most] = limitsOf(column.type);
  if (low < least || high > most) {
    throw new SqlError('22003', `bounds of datagen field "${column.name}" are out of range`);
  }
  const length = (get('length') as number | null) ?? 10;
  const nullRate = get('null_rate') as number;
  return { column, number, isSequence, low, high, length, nullRate };
}

/** Default range of a type. */
function rangeOf(column: SourceColumn): [number, number] {
  switch (column.type.id) {
    case 'bool':
      return [0, 1];
    case 'int2':
      return [0, 32_767];
    case 'int4':
    case 'int8':
      return [0, 2_147_483_647];
    case 'float4':
    case 'float8':
      return [0, 1];
    case 'date':
      return [0, 36_500];
    case 'time':
      return [0, DAY_US - 1];
    case 'timestamp':
    case 'timestamptz':
      return [BASE_US, BASE_US + 365 * DAY_US];
    case 'text':
    case 'varchar':
      return [0, Number.MAX_SAFE_INTEGER];
    default:
      throw notSupported(`datagen for columns of type ${column.type.id}`);
  }
}

function limitsOf(type: DataType): [number, number] {
  if (type.id === 'int2') return [-32_768, 32_767];
  if (type.id === 'time') return [0, DAY_US];
  if (type.storage === 'i32') return [-2_147_483_648, 2_147_483_647];
  return [-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER];
}

class DatagenGenerator implements RecordGenerator {
  readonly recordsMax: number | null;
  readonly perSecond: number | null;
  readonly #random: RandomStream;
  readonly #fields: readonly FieldPlan[];
  readonly #context: SourceContext;

  constructor(
    options: ReadonlyMap<string, OptionValue>,
    plans: readonly FieldPlan[],
    context: SourceContext,
  ) {
    const ends = plans
      .filter((plan) => plan.isSequence && options.get(`fields.${plan.column.name}.end`) !== null)
      .map((plan) => plan.high - plan.low + 1);
    const rows = options.get('number.of.rows') as number | null;
    const bounds = rows === null ? ends : [...ends, rows];
    this.recordsMax = bounds.length === 0 ? null : Math.min(...bounds);
    this.perSecond = options.get('rows.per.second') as number;
    this.#random = new RandomStream(options.get('seed') as number);
    this.#fields = context.wanted.map((index) => plans[index]!);
    this.#context = context;
  }

  choose(from: number, limit: number, rowsMax: number, rows: Float64Array): [number, number] {
    const count = Math.min(limit - from, rowsMax);
    for (let i = 0; i < count; i++) rows[i] = from + i;
    return [count, from + count];
  }

  columns(rows: Float64Array, count: number): Column[] {
    const { memory, scratch } = this.#context;
    return this.#fields.map((field) => {
      const out = new ChunkColumn(memory, scratch, field.column.type.storage, count);
      for (let row = 0; row < count; row++) this.#make(field, rows[row]!, row, out);
      return out.build();
    });
  }

  #make(field: FieldPlan, n: number, row: number, out: ChunkColumn): void {
    const random = this.#random;
    random.seek(n, field.number);
    if (field.nullRate > 0 && random.unit() < field.nullRate) {
      out.setNull(row);
      return;
    }
    const { storage } = field.column.type;
    if (storage === 'view') out.setText(row, makeText(field, n, random));
    else if (storage === 'u8') out.setBool(row, makeInteger(field, n, random) % 2 === 1);
    else if (storage === 'f64') out.setFloat(row, makeFloat(field, n, random));
    else out.setInteger(row, makeInteger(field, n, random));
  }
}

function makeInteger(field: FieldPlan, n: number, random: RandomStream): number {
  const size = field.high - field.low + 1;
  if (field.isSequence) return field.low + (n % size);
  const unit = (random.u32() * 2_097_152 + (random.u32() >>> 11)) / 9_007_199_254_740_992;
  return field.low + Math.floor(unit * size);
}

function makeFloat(field: FieldPlan, n: number, random: RandomStream): number {
  const value = field.isSequence
    ? field.low + n
    : field.low + random.unit() * (field.high - field.low);
  return field.column.type.id === 'float4' ? Math.fround(value) : value;
}

function makeText(field: FieldPlan, n: number, random: RandomStream): string {
  if (field.isSequence) return String(makeInteger(field, n, random));
  let text = '';
  for (let i = 0; i < field.length; i++) text += String.fromCharCode(97 + random.below(26));
  return text;
}
