/**
 * Protobuf schemas as a tree: messages with their fields by number, enums, names resolved. Made of .proto text by
 * `parseProtobufSchema`; no code is made of it.
 *
 * A type that is used several times, also inside itself, is one object: the tree may have cycles.
 */

import { SqlError } from '../../base/sql-error.ts';
import {
  type RawEnum,
  type RawField,
  type RawFile,
  type RawMessage,
  readProto,
} from './proto-text.ts';
import { WELL_KNOWN } from './well-known.ts';

export type ScalarKind =
  | 'double'
  | 'float'
  | 'int32'
  | 'int64'
  | 'uint32'
  | 'uint64'
  | 'sint32'
  | 'sint64'
  | 'fixed32'
  | 'fixed64'
  | 'sfixed32'
  | 'sfixed64'
  | 'bool'
  | 'string'
  | 'bytes';

export interface ProtoScalar {
  readonly kind: ScalarKind;
}

export interface ProtoEnum {
  readonly kind: 'enum';
  /** With its package, as all names. */
  readonly name: string;
  /** In the order of the text: the first one is the default. */
  readonly values: ReadonlyMap<number, string>;
}

export interface ProtoMessage {
  readonly kind: 'message';
  readonly name: string;
  readonly fields: readonly ProtoField[];
  /** Of a map: `key` and `value`. */
  readonly isMapEntry: boolean;
}

export type ProtoType = ProtoScalar | ProtoEnum | ProtoMessage;

/**
 * implicit: a missing scalar is its default (proto3); optional: it is NULL, as is every message; repeated: maps too.
 */
export type Presence = 'implicit' | 'optional' | 'required' | 'repeated';

export interface ProtoField {
  readonly name: string;
  readonly number: number;
  readonly type: ProtoType;
  readonly presence: Presence;
  /** Of the fields of one group at most one is there; null: it is in none. */
  readonly oneof: string | null;
  /** What a missing optional field is, as the text has it; null: NULL. */
  readonly default: string | null;
}

/** A file: its messages in order, each with those declared inside of it. */
export interface ProtobufSchema {
  readonly messages: readonly DeclaredMessage[];
}

export interface DeclaredMessage {
  readonly message: ProtoMessage;
  readonly nested: readonly DeclaredMessage[];
}

export const SCALARS: ReadonlySet<string> = new Set<ScalarKind>([
  'double',
  'float',
  'int32',
  'int64',
  'uint32',
  'uint64',
  'sint32',
  'sint64',
  'fixed32',
  'fixed64',
  'sfixed32',
  'sfixed64',
  'bool',
  'string',
  'bytes',
]);

const NUMBER_MAX = 2 ** 29 - 1;

/** The schema in `text`; `references`: texts of the files that it imports, each before those that use it. 22023. */
export function parseProtobufSchema(
  text: string,
  references: readonly string[] = [],
): ProtobufSchema {
  const linker = new Linker();
  for (const reference of [...WELL_KNOWN, ...references]) linker.add(readProto(reference), false);
  const messages = linker.add(readProto(text), true);
  linker.link();
  return { messages };
}

interface Pending {
  readonly message: ProtoMessage & { readonly fields: ProtoField[] };
  readonly raw: RawMessage;
  readonly file: RawFile;
}

class Linker {
  readonly #named = new Map<string, ProtoEnum | ProtoMessage>();
  /** Messages whose fields are still to be made. */
  readonly #pending: Pending[] = [];

  /** `isOwn`: names that a file repeats are an error; files that are imported may come several times. */
  add(file: RawFile, isOwn: boolean): DeclaredMessage[] {
    for (const one of file.enums) this.#addEnum(one, file.packageName, isOwn);
    return file.messages.map((raw) => this.#addMessage(raw, file.packageName, file, isOwn));
  }

  link(): void {
    for (const { message, raw, file } of this.#pending) {
      for (const field of raw.fields) message.fields.push(this.#field(field, message, file));
      checkNumbers(message);
    }
  }

  #addMessage(raw: RawMessage, scope: string, file: RawFile, isOwn: boolean): DeclaredMessage {
    const name = joined(scope, raw.name);
    const message = { kind: 'message' as const, name, fields: [], isMapEntry: raw.isMapEntry };
    this.#define(message, isOwn);
    this.#pending.push({ message, raw, file });
    for (const one of raw.enums) this.#addEnum(one, name, isOwn);
    const nested = raw.messages.map((one) => this.#addMessage(one, name, file, isOwn));
    return { message, nested: nested.filter((one) => !one.message.isMapEntry) };
  }

  #addEnum({ name, values }: RawEnum, scope: string, isOwn: boolean): void {
    if (values.length === 0) throw invalidSchema(`enum "${name}" has no values`);
    const byNumber = new Map<number, string>();
    for (const [value, number] of values) {
      if (!byNumber.has(number)) byNumber.set(number, value);
    }
    this.#define({ kind: 'enum', name: joined(scope, name), values: byNumber }, isOwn);
  }

  #define(type: ProtoEnum | ProtoMessage, isOwn: boolean): void {
    const isTwice = this.#named.has(type.name);
    if (isTwice && isOwn) throw invalidSchema(`type "${type.name}" is defined twice`);
    this.#named.set(type.name, type);
  }

  #field(raw: RawField, message: ProtoMessage, file: RawFile): ProtoField {
    const type = this.#resolve(raw.typeName, message.name);
    return {
      name: raw.name,
      number: raw.number,
      type,
      presence: presenceOf(raw, type, message, file),
      oneof: raw.oneof,
      default: raw.options.get('default') ?? null,
    };
  }

  /** By the innermost scope that has the name, as protoc does. */
  #resolve(name: string, scope: string): ProtoType {
    if (SCALARS.has(name)) return { kind: name as ScalarKind };
    if (name.startsWith('.')) return this.#known(name.slice(1), name);
    for (let inside = scope; ; inside = inside.slice(0, Math.max(0, inside.lastIndexOf('.')))) {
      const found = this.#named.get(joined(inside, name));
      if (found !== undefined) return found;
      if (inside === '') return this.#known(name, name);
    }
  }

  #known(fullName: string, written: string): ProtoType {
    const found = this.#named.get(fullName);
    if (found === undefined) throw invalidSchema(`type "${written}" is not defined`);
    return found;
  }
}

function presenceOf(
  { label, oneof, options }: RawField,
  type: ProtoType,
  { isMapEntry }: ProtoMessage,
  { syntax, options: fileOptions }: RawFile,
): Presence {
  if (label === 'repeated') return 'repeated';
  if (label === 'required') return 'required';
  if (isMapEntry) return type.kind === 'message' ? 'optional' : 'implicit';
  if (label === 'optional' || oneof !== null || type.kind === 'message') return 'optional';
  if (syntax !== 'edition') return syntax === 'proto3' ? 'implicit' : 'optional';
  const feature = 'features.field_presence';
  const presence = options.get(feature) ?? fileOptions.get(feature);
  if (presence === 'LEGACY_REQUIRED') return 'required';
  return presence === 'IMPLICIT' ? 'implicit' : 'optional';
}

function checkNumbers({ name, fields }: ProtoMessage): void {
  const numbers = new Set<number>();
  const names = new Set<string>();
  for (const field of fields) {
    if (field.number < 1 || field.number > NUMBER_MAX) {
      throw invalidSchema(`field "${field.name}" of message "${name}" has number ${field.number}`);
    }
    if (numbers.has(field.number)) {
      throw invalidSchema(`message "${name}" has two fields of number ${field.number}`);
    }
    if (names.has(field.name)) {
      throw invalidSchema(`message "${name}" has two fields "${field.name}"`);
    }
    numbers.add(field.number);
    names.add(field.name);
  }
}

function joined(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}

export function invalidSchema(reason: string): SqlError {
  return new SqlError('22023', `invalid Protobuf schema: ${reason}`);
}

/** For people: `message "shop.Order"`, `repeated int64`, `map`. */
export function fieldTypeName({ type, presence }: ProtoField): string {
  if (type.kind === 'message' && type.isMapEntry) return 'map';
  const name = 'name' in type ? `${type.kind} "${type.name}"` : type.kind;
  return presence === 'repeated' ? `repeated ${name}` : name;
}
