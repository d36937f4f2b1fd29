/**
 * FramedPlans: what messages are read by that begin with a frame: a zero byte, the id of a registry's schema (int32, big-endian),
 * and the path to their type in it: how many indexes, then each (zigzag varints; a single 0 is the first type).
 *
 * Schemas come by `learn` before the messages that need them; the messages of an id that did not come are rejected.
 * Cost: a plan per schema id and path is made once.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { WriterSchema } from '../message-decoder.ts';
import { FRAME_SIZE, hasFrame, schemaIdAt, unknownSchema } from '../schema-frame.ts';
import { corrupt, type ProtobufCursor } from './cursor.ts';
import { isNamed, messageAt } from './find-message.ts';
import { type ProtobufSchema, type ProtoMessage, parseProtobufSchema } from './schema.ts';

/** How deep a type may be declared. */
const PATH_MAX = 32;

export class FramedPlans<Plan> {
  /** The type that is read; null: any. */
  readonly #wanted: string | null;
  readonly #planOf: (message: ProtoMessage) => Plan;
  /** By schema id. An error: its messages are rejected. */
  readonly #schemas = new Map<number, ProtobufSchema | SqlError>();
  /** By schema id and path. */
  readonly #plans = new Map<string, Plan | SqlError>();
  /** Those of the message before, where it was of a schema's first type. */
  #lastId = -1;
  #lastPlan: Plan | null = null;

  /** `planOf` throws where messages of the type are to be rejected. */
  constructor(wanted: string | null, planOf: (message: ProtoMessage) => Plan) {
    this.#wanted = wanted;
    this.#planOf = planOf;
  }

  learn(id: number, { type, text, references }: WriterSchema): void {
    if (this.#schemas.has(id)) return;
    const schema = orError(() => {
      if (type !== 'PROTOBUF') throw new SqlError('42804', `schema ${id} is ${type}, not PROTOBUF`);
      return parseProtobufSchema(text, references);
    });
    this.#schemas.set(id, schema);
  }

  /** The plan of the message that begins at the cursor, which is moved behind its frame. */
  at(cursor: ProtobufCursor): Plan {
    const { bytes, at, end } = cursor;
    if (end - at === FRAME_SIZE || !hasFrame(bytes, at, end)) {
      throw corrupt('it does not begin with 0, a schema id and message indexes');
    }
    const id = schemaIdAt(bytes, at);
    const isFirst = bytes[at + FRAME_SIZE] === 0;
    if (isFirst && id === this.#lastId) {
      cursor.at = at + FRAME_SIZE + 1;
      return this.#lastPlan!;
    }
    const schema = this.#schemas.get(id);
    if (schema === undefined) throw unknownSchema(id);
    if (schema instanceof SqlError) throw schema;
    cursor.at = at + FRAME_SIZE;
    const plan = this.#pathPlan(id, schema, readPath(cursor));
    if (isFirst) {
      this.#lastId = id;
      this.#lastPlan = plan;
    }
    return plan;
  }

  #pathPlan(id: number, schema: ProtobufSchema, path: readonly number[]): Plan {
    const key = `${id} ${path.join('.')}`;
    const known = this.#plans.get(key) ?? orError(() => this.#newPlan(id, schema, path));
    this.#plans.set(key, known);
    if (known instanceof SqlError) throw known;
    return known;
  }

  #newPlan(id: number, schema: ProtobufSchema, path: readonly number[]): Plan {
    const found = messageAt(schema, path);
    if (found === null) throw corrupt(`schema ${id} has no message ${path.join('.')}`);
    if (this.#wanted !== null && !isNamed(found, this.#wanted)) {
      throw new SqlError('42804', `Protobuf message "${found.name}" is not "${this.#wanted}"`);
    }
    return this.#planOf(found);
  }
}

/** What `make` gives, or the SqlError that it throws. */
function orError<T>(make: () => T): T | SqlError {
  try {
    return make();
  } catch (error) {
    if (error instanceof SqlError) return error;
    throw error;
  }
}

/** Behind the schema id: the path to a type among those of the schema. */
function readPath(cursor: ProtobufCursor): number[] {
  const count = zigzag(cursor);
  if (count === 0) return [0];
  if (count < 0 || count > PATH_MAX) throw corrupt(`${count} message indexes`);
  return Array.from({ length: count }, () => zigzag(cursor));
}

function zigzag(cursor: ProtobufCursor): number {
  const value = cursor.varint32();
  return (value >>> 1) ^ -(value & 1);
}
