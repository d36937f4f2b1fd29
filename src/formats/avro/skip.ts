/** Moves over values that nobody wants. Blocks whose size is told are not looked into. */

import type { AvroCursor } from './cursor.ts';
import type { AvroSchema } from './schema.ts';

export type Skipper = (cursor: AvroCursor) => void;

/** Makes skippers, one for each type of a schema: types may contain themselves. */
export class Skippers {
  readonly #known = new Map<AvroSchema, Skipper>();

  of(schema: AvroSchema): Skipper {
    const known = this.#known.get(schema);
    if (known !== undefined) return known;
    let made: Skipper | null = null;
    this.#known.set(schema, (cursor) => made!(cursor));
    made = this.#make(schema);
    this.#known.set(schema, made);
    return made;
  }

  #make(schema: AvroSchema): Skipper {
    switch (schema.kind) {
      case 'null':
        return () => {};
      case 'boolean':
        return (cursor) => cursor.boolean();
      case 'int':
        return (cursor) => cursor.int();
      case 'long':
        return (cursor) => cursor.long();
      case 'float':
        return (cursor) => cursor.skip(4);
      case 'double':
        return (cursor) => cursor.skip(8);
      case 'bytes':
      case 'string':
        return (cursor) => cursor.skipBytes();
      case 'fixed':
        return (cursor) => cursor.skip(schema.size);
      case 'enum':
        return (cursor) => cursor.index(schema.symbols.length, 'symbol');
      case 'union': {
        const branches = schema.branches.map((branch) => this.of(branch));
        return nested((cursor) => branches[cursor.index(branches.length, 'branch')]!(cursor));
      }
      case 'record': {
        const fields = schema.fields.map(({ type }) => this.of(type));
        return nested((cursor) => {
          for (let i = 0; i < fields.length; i += 1) fields[i]!(cursor);
        });
      }
      case 'array':
        return nested(items(this.of(schema.items)));
      case 'map': {
        const value = this.of(schema.values);
        return nested(
          items((cursor) => {
            cursor.skipBytes();
            value(cursor);
          }),
        );
      }
    }
  }
}

function items(skip: Skipper): Skipper {
  return (cursor) => {
    for (let count = cursor.block(true); count !== 0; count = cursor.block(true)) {
      for (let i = 0; i < count; i += 1) {
        const start = cursor.at;
        skip(cursor);
        cursor.item(start);
      }
    }
  };
}

function nested(skip: Skipper): Skipper {
  return (cursor) => {
    cursor.enter();
    skip(cursor);
    cursor.leave();
  };
}
