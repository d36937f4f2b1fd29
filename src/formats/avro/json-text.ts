/** Avro values of any shape as JSON text, as to_jsonb writes their SQL values: what a jsonb or json column takes. */

import { must } from '../../base/assert.ts';
import { quoteJson } from '../../types/jsonb.ts';
import type { ValueSettings } from '../../types/value.ts';
import { jsonFormat } from '../json-value.ts';
import { type AvroCursor, readItems } from './cursor.ts';
import { scalarReader, sqlTypeOf } from './scalar.ts';
import { type AvroRecord, type AvroSchema, isVariableDecimal } from './schema.ts';

export type JsonReader = (cursor: AvroCursor) => string;

/** Makes readers of JSON text, one for each type of a schema: types may contain themselves. */
export class JsonReaders {
  readonly #settings: ValueSettings;
  readonly #known = new Map<AvroSchema, JsonReader>();

  constructor(settings: ValueSettings) {
    this.#settings = settings;
  }

  of(schema: AvroSchema): JsonReader {
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    let made: JsonReader | null = null;
    this.#known.set(schema, (cursor) => made!(cursor));
    made = this.#make(schema);
    this.#known.set(schema, made);
    return made;
  }

  #make(schema: AvroSchema): JsonReader {
    switch (schema.kind) {
      case 'null':
        return () => 'null';
      case 'record':
        return isVariableDecimal(schema) ? this.#scalar(schema) : nested(this.#record(schema));
      case 'array': {
        const item = this.of(schema.items);
        return nested((cursor) => {
          const items: string[] = [];
          readItems(cursor, () => items.push(item(cursor)));
          return `[${items.join(',')}]`;
        });
      }
      case 'map': {
        const value = this.of(schema.values);
        const key = this.of({ kind: 'string', logical: null });
        return nested((cursor) => {
          const members: string[] = [];
          readItems(cursor, () => members.push(`${key(cursor)}:${value(cursor)}`));
          return `{${members.join(',')}}`;
        });
      }
      case 'union': {
        const branches = schema.branches.map((branch) => this.of(branch));
        return nested((cursor) => branches[cursor.index(branches.length, 'branch')]!(cursor));
      }
      default:
        return this.#scalar(schema);
    }
  }

  #record({ fields }: AvroRecord): JsonReader {
    const names = fields.map(({ name }) => quoteJson(name));
    const readers = fields.map(({ type }) => this.of(type));
    return (cursor) => {
      let text = '{';
      for (let i = 0; i < readers.length; i += 1) {
        text += `${i === 0 ? '' : ','}${names[i]!}:${readers[i]!(cursor)}`;
      }
      return `${text}}`;
    };
  }

  #scalar(schema: AvroSchema): JsonReader {
    const type = sqlTypeOf(schema);
    const read = must(scalarReader(schema, type, this.#settings));
    const format = jsonFormat(type, this.#settings);
    return (cursor) => format(read(cursor));
  }
}

function nested(read: JsonReader): JsonReader {
  return (cursor) => {
    cursor.enter();
    const text = read(cursor);
    cursor.leave();
    return text;
  };
}
