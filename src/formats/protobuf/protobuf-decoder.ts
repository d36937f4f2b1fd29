/**
 * ProtobufDecoder: Protobuf messages straight into column builders, interpreted field by field.
 *
 * Algorithm. For each type of message a plan is made once: for each number of a field that a column takes, where its values go.
 * Scalars are appended as they come (the last of several counts), messages and repeated ones when the message is over, then
 * every column whose field did not come. Fields go to columns by exact name, then by name without case; others are skipped.
 *
 * A message from a registry's user begins with a zero byte, the schema's id (int32, big-endian) and the path to its type in the
 * schema: how many indexes, then each (zigzag varints; a single 0 is the first type). Otherwise all messages are bare and of
 * one type. Schemas come by `learnSchema` before the messages that need them; the messages of an id that did not come are
 * rejected.
 *
 * Cost: one pass over the bytes, no object per record; a plan per schema id and type.
 */

import { must } from '../../base/assert.ts';
import type { DataError } from '../../base/sql-error.ts';
import type { ColumnBuilder } from '../../batch/column-builder.ts';
import type { ValueSettings } from '../../types/value.ts';
import type { DecodedColumn } from '../csv.ts';
import type { MessageDecoder, WriterSchema } from '../message-decoder.ts';
import { userError } from '../record-decoder.ts';
import { ProtobufCursor } from './cursor.ts';
import { messageOf } from './find-message.ts';
import { FramedPlans } from './framed-plans.ts';
import { sqlTypeOf, wireTypeOf } from './scalar.ts';
import type { ProtobufSchema, ProtoField, ProtoMessage } from './schema.ts';
import { checkTarget, misfitTarget, type ValueTarget, valueTarget } from './value-target.ts';

export interface ProtobufOptions {
  /** What the columns were made or checked by; null: nothing is known. */
  readonly schema: ProtobufSchema | null;
  /** Messages carry ids of a registry's schemas; false: they are all of `schema`. */
  readonly isFramed: boolean;
  /** The type that is read; null: of framed messages any, of others the first one. */
  readonly message: string | null;
}

/** Numbers of fields up to this are found by index. */
const NUMBER_INDEXED_MAX = 255;

/** A column of a field. */
interface Target {
  readonly column: number;
  readonly values: ValueTarget;
}

/** A field that a column takes, or that stands in a oneof with one. */
interface FieldStep {
  readonly field: ProtoField;
  readonly wireType: number;
  readonly isRepeated: boolean;
  readonly targets: readonly Target[];
  /** Other steps of its oneof. */
  readonly others: FieldStep[];
  /** Of the message at hand. */
  isTaken: boolean;
}

interface Plan {
  /** By number of the field. */
  readonly indexed: readonly (FieldStep | undefined)[];
  readonly more: ReadonlyMap<number, FieldStep>;
  readonly steps: readonly FieldStep[];
  /** Columns without a field. */
  readonly absent: readonly number[];
}

export class ProtobufDecoder implements MessageDecoder {
  readonly #columns: readonly DecodedColumn[];
  readonly #settings: ValueSettings;
  readonly #cursor = new ProtobufCursor();
  readonly #framed: FramedPlans<Plan>;
  readonly #bare: Plan | null;
  /** The column at work; -1: none. */
  #column = -1;

  /** `columns`: what the builders hold, in their order. */
  constructor(
    columns: readonly DecodedColumn[],
    options: ProtobufOptions,
    settings: ValueSettings,
  ) {
    this.#columns = columns;
    this.#settings = settings;
    const { schema, isFramed, message } = options;
    this.#framed = new FramedPlans(message, (found) => this.#planOf(found));
    this.#bare = isFramed ? null : this.#planOf(messageOf(must(schema), message));
  }

  get errorOffset(): number {
    return this.#cursor.at;
  }

  learnSchema(id: number, schema: WriterSchema): void {
    this.#framed.learn(id, schema);
  }

  append(
    bytes: Buffer,
    start: number,
    end: number,
    builders: readonly ColumnBuilder[],
  ): DataError | null {
    const cursor = this.#cursor;
    cursor.start(bytes, start, end);
    this.#column = -1;
    let plan = this.#bare;
    try {
      plan ??= this.#framed.at(cursor);
      while (!cursor.isAtEnd) {
        const number = cursor.tag();
        const step = number <= NUMBER_INDEXED_MAX ? plan.indexed[number] : plan.more.get(number);
        if (step === undefined) cursor.skip(number);
        else this.#take(step, cursor, builders);
      }
      this.#finish(plan, cursor, builders);
      return null;
    } catch (error) {
      if (plan !== null) reset(plan);
      return userError(error, this.#columns[this.#column]?.name);
    }
  }

  #take(step: FieldStep, cursor: ProtobufCursor, builders: readonly ColumnBuilder[]): void {
    const { targets, wireType, isRepeated } = step;
    if (step.others.length > 0) this.#dropOthers(step, builders);
    const start = cursor.at;
    for (let i = 0; i < targets.length; i += 1) {
      const { column, values } = targets[i]!;
      this.#column = column;
      cursor.at = start;
      if (!isRepeated) cursor.expect(wireType);
      values.take(cursor, builders[column]!, step.isTaken);
    }
    this.#column = -1;
    if (targets.length === 0) cursor.skip(step.field.number);
    step.isTaken = true;
  }

  /** Another field of the oneof: what came before it does not count. */
  #dropOthers({ others }: FieldStep, builders: readonly ColumnBuilder[]): void {
    for (const other of others) {
      if (!other.isTaken) continue;
      other.isTaken = false;
      for (const { column, values } of other.targets) {
        values.reset();
        const builder = builders[column]!;
        if (other.field.type.kind !== 'message') builder.truncate(builder.rowCount - 1);
      }
    }
  }

  #finish(plan: Plan, cursor: ProtobufCursor, builders: readonly ColumnBuilder[]): void {
    for (let i = 0; i < plan.steps.length; i += 1) {
      const step = plan.steps[i]!;
      for (let t = 0; t < step.targets.length; t += 1) {
        const { column, values } = step.targets[t]!;
        this.#column = column;
        values.finish(cursor, builders[column]!, step.isTaken);
      }
      step.isTaken = false;
    }
    for (let i = 0; i < plan.absent.length; i += 1) builders[plan.absent[i]!]!.appendNull();
  }

  #planOf(message: ProtoMessage): Plan {
    const fields = this.#columns.map(({ name }) => fieldNamed(name, message));
    const steps = message.fields.flatMap((field) => {
      const isWanted = fields.includes(field);
      const isBeside = field.oneof !== null && fields.some((other) => other?.oneof === field.oneof);
      return isWanted || isBeside ? [this.#stepOf(field, fields)] : [];
    });
    for (const step of steps) step.others.push(...steps.filter((other) => isEither(step, other)));
    const indexed = new Array<FieldStep | undefined>(NUMBER_INDEXED_MAX + 1).fill(undefined);
    const more = new Map<number, FieldStep>();
    for (const step of steps) {
      const { number } = step.field;
      if (number > NUMBER_INDEXED_MAX) more.set(number, step);
      else indexed[number] = step;
    }
    const absent = fields.flatMap((field, column) => (field === undefined ? [column] : []));
    return { indexed, more, steps, absent };
  }

  #stepOf(field: ProtoField, fields: readonly (ProtoField | undefined)[]): FieldStep {
    const targets = fields.flatMap((found, column) => {
      if (found !== field) return [];
      const { type } = this.#columns[column]!;
      const values = valueTarget(field, type, this.#settings) ?? misfitTarget(field, type);
      return [{ column, values }];
    });
    return {
      field,
      wireType: wireTypeOf(field.type),
      isRepeated: field.presence === 'repeated',
      targets,
      others: [],
      isTaken: false,
    };
  }
}

/** Are they different fields of one oneof? */
function isEither({ field }: FieldStep, { field: other }: FieldStep): boolean {
  return field !== other && field.oneof !== null && field.oneof === other.oneof;
}

/** The message was not read to its end. */
function reset({ steps }: Plan): void {
  for (const step of steps) {
    step.isTaken = false;
    for (const { values } of step.targets) values.reset();
  }
}

/** The columns of a source without a list. */
export function protobufColumns(schema: ProtobufSchema, message: string | null): DecodedColumn[] {
  return messageOf(schema, message).fields.map((field) => ({
    name: field.name,
    type: sqlTypeOf(field),
  }));
}

/** Refuses columns whose fields are of a type that does not fit: 42804 with both types. Those without a field are NULL. */
export function checkProtobufColumns(
  schema: ProtobufSchema,
  message: string | null,
  columns: readonly DecodedColumn[],
  settings: ValueSettings,
): void {
  const found = messageOf(schema, message);
  for (const { name, type } of columns) {
    const field = fieldNamed(name, found);
    try {
      if (field !== undefined) checkTarget(field, type, settings);
    } catch (error) {
      throw userError(error, name);
    }
  }
}

/** By exact name, then without case. */
function fieldNamed(column: string, { fields }: ProtoMessage): ProtoField | undefined {
  const lower = column.toLowerCase();
  return (
    fields.find(({ name }) => name === column) ??
    fields.find(({ name }) => name.toLowerCase() === lower)
  );
}
