/**
 * Protobuf values of any shape as JSON text: what a jsonb or json column takes. Members have the names of the schema; values are
 * written as to_jsonb writes their SQL values. A missing implicit field is its default, any other missing one is left out;
 * repeated ones and maps are there always. google.protobuf.Struct, Value and ListValue are the JSON that they stand for.
 *
 * Cost: one pass, and one more over messages that come in several parts (they are merged).
 */

import { must } from '../../base/assert.ts';
import { quoteJson } from '../../types/jsonb.ts';
import type { ValueSettings } from '../../types/value.ts';
import { jsonFormat } from '../json-value.ts';
import type { ProtobufCursor } from './cursor.ts';
import { knownMessage } from './known-messages.ts';
import { MessageParts } from './message-parts.ts';
import { defaultValue, elementTypeOf, scalarReader, wireTypeOf, wrappedType } from './scalar.ts';
import type { ProtoField, ProtoMessage, ProtoType } from './schema.ts';

/** Reads the value behind a tag. */
export type JsonReader = (cursor: ProtobufCursor) => string;

interface Member {
  readonly field: ProtoField;
  readonly wireType: number;
  readonly read: JsonReader;
  /** Numbers of the other members of its oneof. */
  readonly others: readonly number[];
  /** null: it is left out. */
  readonly missing: string | null;
}

/** The texts of a message's members; null: it is left out. */
type Texts = (string | null)[];

/** Makes readers of JSON text, one for each type of a schema: types may contain themselves. */
export class JsonReaders {
  readonly #settings: ValueSettings;
  readonly #known = new Map<ProtoType, JsonReader>();

  constructor(settings: ValueSettings) {
    this.#settings = settings;
  }

  /** Of an entry of a map: `"key":value`. */
  of(type: ProtoType): JsonReader {
    const known = this.#known.get(type);
    if (known !== undefined) return known;
    let made: JsonReader | null = null;
    this.#known.set(type, (cursor) => made!(cursor));
    made = this.#make(type);
    this.#known.set(type, made);
    return made;
  }

  #make(type: ProtoType): JsonReader {
    if (type.kind !== 'message' || wrappedType(type) !== null || knownMessage(type) !== null) {
      return this.#scalar(type);
    }
    const members = this.#members(type);
    const byNumber = new Map(members.map(({ field }, i) => [field.number, i]));
    const read = (cursor: ProtobufCursor) => readTexts(members, byNumber, cursor);
    if (type.isMapEntry) return this.#entry(type, read);
    switch (type.name) {
      case 'google.protobuf.Struct':
      case 'google.protobuf.ListValue':
        return (cursor) => must(read(cursor)[0]);
      case 'google.protobuf.Value':
        return (cursor) => {
          const [isNull, ...others] = read(cursor);
          return isNull === null ? (others.find((text) => text !== null) ?? 'null') : 'null';
        };
      default: {
        const names = members.map(({ field }) => quoteJson(field.name));
        return (cursor) => objectText(names, read(cursor));
      }
    }
  }

  #scalar(type: ProtoType): JsonReader {
    const sqlType = elementTypeOf(type);
    const read = must(scalarReader(type, sqlType, this.#settings));
    const format = jsonFormat(sqlType, this.#settings);
    return (cursor) => format(read(cursor));
  }

  #entry({ fields }: ProtoMessage, read: (cursor: ProtobufCursor) => Texts): JsonReader {
    const { type } = must(fields[1]);
    const readValue = this.of(type);
    return (cursor) => {
      const [key, value] = read(cursor) as [string, string | null];
      const name = key.startsWith('"') ? key : quoteJson(key);
      // Only a message has no default of its own.
      return `${name}:${value ?? defaultValue(type, null, readValue)}`;
    };
  }

  #members({ fields }: ProtoMessage): Member[] {
    return fields.map((field, index) => {
      const { type, presence, oneof } = field;
      const read = this.of(type);
      const isSet = presence === 'implicit' || field.default !== null;
      const others = fields.flatMap((other, i) =>
        oneof !== null && other.oneof === oneof && i !== index ? [i] : [],
      );
      const missing = isSet ? defaultValue(type, field.default, read) : null;
      return { field, wireType: wireTypeOf(type), read, others, missing };
    });
  }
}

function readTexts(
  members: readonly Member[],
  byNumber: ReadonlyMap<number, number>,
  cursor: ProtobufCursor,
): Texts {
  const texts: Texts = members.map(() => null);
  const parts = new Map<number, MessageParts>();
  const end = cursor.enter();
  while (!cursor.isAtEnd) {
    const number = cursor.tag();
    const i = byNumber.get(number);
    if (i === undefined) cursor.skip(number);
    else takeMember(members[i]!, i, cursor, texts, parts);
  }
  for (const [i, part] of parts) texts[i] = part.read(cursor, members[i]!.read, null);
  cursor.leave(end);
  return texts.map((text, i) => completed(members[i]!, text));
}

function takeMember(
  { field, wireType, read, others }: Member,
  i: number,
  cursor: ProtobufCursor,
  texts: Texts,
  parts: Map<number, MessageParts>,
): void {
  if (field.presence === 'repeated') {
    cursor.values(wireType, () => {
      const before = texts[i] ?? null;
      texts[i] = before === null ? read(cursor) : `${before},${read(cursor)}`;
    });
    return;
  }
  cursor.expect(wireType);
  for (const other of others) {
    texts[other] = null;
    parts.delete(other);
  }
  if (field.type.kind !== 'message') {
    texts[i] = read(cursor);
    return;
  }
  const part = parts.get(i) ?? new MessageParts();
  part.add(cursor);
  parts.set(i, part);
}

function completed({ field, missing }: Member, text: string | null): string | null {
  return field.presence === 'repeated' ? listText(field, text ?? '') : (text ?? missing);
}

/** Of a repeated field or a map: what is between its brackets, with them. */
export function listText({ type }: ProtoField, items: string): string {
  return type.kind === 'message' && type.isMapEntry ? `{${items}}` : `[${items}]`;
}

function objectText(names: readonly string[], texts: Texts): string {
  let text = '';
  for (const [i, member] of texts.entries()) {
    if (member !== null) text += `${text === '' ? '{' : ','}${names[i]}:${member}`;
  }
  return text === '' ? '{}' : `${text}}`;
}
