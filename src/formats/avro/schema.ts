/**
 * Avro schemas (specification 1.12, "Schema Declaration") as a tree: names resolved with their namespaces, logical types
 * recognised where they are valid and left out where not, as the specification says. No code is made of a schema's text.
 *
 * A named type that is used several times, also inside itself, is one object: the tree may have cycles.
 */

import { SqlError } from '../../base/sql-error.ts';

export type LogicalType =
  | { readonly kind: 'decimal'; readonly precision: number; readonly scale: number }
  | {
      readonly kind:
        | 'date'
        | 'time-millis'
        | 'time-micros'
        | 'timestamp-millis'
        | 'timestamp-micros'
        | 'timestamp-nanos'
        | 'local-timestamp-millis'
        | 'local-timestamp-micros'
        | 'local-timestamp-nanos'
        | 'uuid'
        | 'duration'
        | 'json'
        | 'time-nanos'
        | 'interval-micros'
        | 'interval-nanos'
        | 'interval-text'
        | 'date-text'
        | 'time-text'
        | 'timestamp-text'
        | 'instant-text';
    };

export type PrimitiveName =
  | 'null'
  | 'boolean'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'bytes'
  | 'string';

export interface AvroPrimitive {
  readonly kind: PrimitiveName;
  readonly logical: LogicalType | null;
}

export interface AvroFixed {
  readonly kind: 'fixed';
  /** With its namespace. */
  readonly name: string;
  readonly size: number;
  readonly logical: LogicalType | null;
}

export interface AvroEnum {
  readonly kind: 'enum';
  readonly name: string;
  readonly symbols: readonly string[];
}

export interface AvroArray {
  readonly kind: 'array';
  readonly items: AvroSchema;
}

export interface AvroMap {
  readonly kind: 'map';
  readonly values: AvroSchema;
}

export interface AvroUnion {
  readonly kind: 'union';
  readonly branches: readonly AvroSchema[];
}

export interface AvroField {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly type: AvroSchema;
  /** JSON; undefined: it has none. */
  readonly default: unknown;
}

export interface AvroRecord {
  readonly kind: 'record';
  readonly name: string;
  readonly fields: readonly AvroField[];
}

export type AvroSchema =
  | AvroPrimitive
  | AvroFixed
  | AvroEnum
  | AvroArray
  | AvroMap
  | AvroUnion
  | AvroRecord;

/** How deep types may lie in each other in a schema's text. */
const DEPTH_MAX = 100;
const FIXED_SIZE_MAX = 16 * 1024 * 1024;

const PRIMITIVES: ReadonlySet<string> = new Set<PrimitiveName>([
  'null',
  'boolean',
  'int',
  'long',
  'float',
  'double',
  'bytes',
  'string',
]);

/** Logical types without attributes, and what each may annotate. */
const LOGICAL_BASES: Readonly<Record<string, readonly string[]>> = {
  date: ['int'],
  'time-millis': ['int'],
  'time-micros': ['long'],
  'timestamp-millis': ['long'],
  'timestamp-micros': ['long'],
  'timestamp-nanos': ['long'],
  'local-timestamp-millis': ['long'],
  'local-timestamp-micros': ['long'],
  'local-timestamp-nanos': ['long'],
  uuid: ['string', 'fixed'],
  duration: ['fixed'],
};

/** Kafka Connect's mark of a string that holds JSON: there is no logical type for it. */
export const JSON_CONNECT_NAME = 'io.debezium.data.Json';

/** Its names of what has no logical type in Avro: what they annotate, and what they mean. */
const CONNECT_NAMES: Readonly<Record<string, readonly [base: string, LogicalType]>> = {
  [JSON_CONNECT_NAME]: ['string', { kind: 'json' }],
  'io.debezium.data.Uuid': ['string', { kind: 'uuid' }],
  'io.debezium.time.Date': ['int', { kind: 'date' }],
  'io.debezium.time.Time': ['int', { kind: 'time-millis' }],
  'io.debezium.time.MicroTime': ['long', { kind: 'time-micros' }],
  'io.debezium.time.NanoTime': ['long', { kind: 'time-nanos' }],
  'io.debezium.time.Timestamp': ['long', { kind: 'local-timestamp-millis' }],
  'io.debezium.time.MicroTimestamp': ['long', { kind: 'local-timestamp-micros' }],
  'io.debezium.time.NanoTimestamp': ['long', { kind: 'local-timestamp-nanos' }],
  'io.debezium.time.IsoDate': ['string', { kind: 'date-text' }],
  'io.debezium.time.IsoTime': ['string', { kind: 'time-text' }],
  'io.debezium.time.IsoTimestamp': ['string', { kind: 'timestamp-text' }],
  'io.debezium.time.ZonedTimestamp': ['string', { kind: 'instant-text' }],
  'io.debezium.time.MicroDuration': ['long', { kind: 'interval-micros' }],
  'io.debezium.time.NanoDuration': ['long', { kind: 'interval-nanos' }],
  'io.debezium.time.Interval': ['string', { kind: 'interval-text' }],
};

/** Its decimal of one scale, which may be negative. */
const CONNECT_DECIMAL = 'org.apache.kafka.connect.data.Decimal';
const CONNECT_PRECISION = 64;
/** Debezium's decimal of any scale: a record of both. */
const VARIABLE_DECIMAL = 'io.debezium.data.VariableScaleDecimal';

type Json = Readonly<Record<string, unknown>>;

/** The schema in `text`; `references`: texts of schemas whose names it uses, each before those that use it. 22023. */
export function parseAvroSchema(text: string, references: readonly string[] = []): AvroSchema {
  const parser = new SchemaParser();
  for (const reference of references) parser.parse(reference);
  return parser.parse(text);
}

class SchemaParser {
  /** Named types by full name. */
  readonly #named = new Map<string, AvroSchema>();

  parse(text: string): AvroSchema {
    let json: unknown;
    try {
      json = JSON.parse(text);
    } catch {
      // The name of a type alone is a schema too.
      if (!/^[\w.]+$/.test(text)) throw invalid('it is not JSON');
      json = text;
    }
    return this.#type(json, '', 0);
  }

  #type(json: unknown, namespace: string, depth: number): AvroSchema {
    if (depth > DEPTH_MAX) throw invalid('it is nested too deeply');
    if (typeof json === 'string') return this.#byName(json, namespace);
    if (Array.isArray(json)) return this.#union(json, namespace, depth);
    if (!isObject(json)) throw invalid(`${JSON.stringify(json)} is no type`);
    const { type } = json;
    if (typeof type !== 'string') return this.#type(type, namespace, depth + 1);
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(json, namespace, depth);
      case 'enum':
        return this.#enum(json, namespace);
      case 'fixed':
        return this.#fixed(json, namespace);
      case 'array':
        return { kind: 'array', items: this.#type(json.items, namespace, depth + 1) };
      case 'map':
        return { kind: 'map', values: this.#type(json.values, namespace, depth + 1) };
      default:
        return PRIMITIVES.has(type)
          ? { kind: type as PrimitiveName, logical: logicalOf(json, type, 0) }
          : this.#byName(type, namespace);
    }
  }

  #byName(name: string, namespace: string): AvroSchema {
    if (PRIMITIVES.has(name)) return { kind: name as PrimitiveName, logical: null };
    const found = this.#named.get(fullName(name, namespace)) ?? this.#named.get(name);
    if (found === undefined) throw invalid(`type "${name}" is not defined`);
    return found;
  }

  #union(json: readonly unknown[], namespace: string, depth: number): AvroSchema {
    const branches = json.map((branch) => this.#type(branch, namespace, depth + 1));
    if (branches.length === 0) throw invalid('a union has no branches');
    if (branches.some(({ kind }) => kind === 'union')) throw invalid('a union is in a union');
    return { kind: 'union', branches };
  }

  #record(json: Json, namespace: string, depth: number): AvroSchema {
    const fields: AvroField[] = [];
    const name = nameOf(json, namespace);
    const record: AvroRecord = { kind: 'record', name, fields };
    this.#define(name, record);
    if (!Array.isArray(json.fields)) throw invalid(`record "${name}" has no fields`);
    const own = namespaceOf(name);
    for (const field of json.fields as readonly unknown[]) {
      if (!isObject(field) || typeof field.name !== 'string') {
        throw invalid(`a field of record "${name}" has no name`);
      }
      if (fields.some((other) => other.name === field.name)) {
        throw invalid(`record "${name}" has two fields "${field.name}"`);
      }
      fields.push({
        name: field.name,
        aliases: stringsOf(field.aliases),
        type: this.#type(field.type, own, depth + 1),
        default: field.default,
      });
    }
    return record;
  }

  #enum(json: Json, namespace: string): AvroSchema {
    const name = nameOf(json, namespace);
    const symbols = stringsOf(json.symbols);
    if (symbols.length === 0) throw invalid(`enum "${name}" has no symbols`);
    return this.#define(name, { kind: 'enum', name, symbols });
  }

  #fixed(json: Json, namespace: string): AvroSchema {
    const name = nameOf(json, namespace);
    const size = json.size;
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > FIXED_SIZE_MAX) {
      throw invalid(`fixed "${name}" has no valid size`);
    }
    return this.#define(name, {
      kind: 'fixed',
      name,
      size,
      logical: logicalOf(json, 'fixed', size),
    });
  }

  #define(name: string, type: AvroSchema): AvroSchema {
    if (this.#named.has(name)) throw invalid(`type "${name}" is defined twice`);
    this.#named.set(name, type);
    return type;
  }
}

function isObject(json: unknown): json is Json {
  return typeof json === 'object' && json !== null && !Array.isArray(json);
}

function stringsOf(json: unknown): string[] {
  if (!Array.isArray(json)) return [];
  return json.filter((item): item is string => typeof item === 'string');
}

function nameOf(json: Json, namespace: string): string {
  const { name } = json;
  if (typeof name !== 'string' || name === '') throw invalid(`a type "${json.type}" has no name`);
  return fullName(name, typeof json.namespace === 'string' ? json.namespace : namespace);
}

function fullName(name: string, namespace: string): string {
  return name.includes('.') || namespace === '' ? name : `${namespace}.${name}`;
}

function namespaceOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

/** null where there is none, or one that does not fit: the plain type counts then. `size`: of a fixed. */
function logicalOf(json: Json, base: string, size: number): LogicalType | null {
  const connectName = String(json['connect.name']);
  const [annotated, logical] = CONNECT_NAMES[connectName] ?? [];
  if (logical !== undefined && annotated === base) return logical;
  if (connectName === CONNECT_DECIMAL && base === 'bytes') return connectDecimalOf(json);
  const name = json.logicalType;
  if (typeof name !== 'string') return null;
  if (name === 'decimal') return decimalOf(json, base, size);
  if (LOGICAL_BASES[name]?.includes(base) !== true) return null;
  if (base === 'fixed' && size !== (name === 'uuid' ? 16 : 12)) return null;
  return { kind: name } as LogicalType;
}

function decimalOf(json: Json, base: string, size: number): LogicalType | null {
  const { precision, scale = 0 } = json;
  if (base !== 'bytes' && (base !== 'fixed' || size === 0)) return null;
  if (!Number.isInteger(precision) || !Number.isInteger(scale)) return null;
  const digits = precision as number;
  const behind = scale as number;
  if (digits < 1 || behind < 0 || behind > digits) return null;
  return { kind: 'decimal', precision: digits, scale: behind };
}

function connectDecimalOf(json: Json): LogicalType | null {
  const parameters = isObject(json['connect.parameters']) ? json['connect.parameters'] : {};
  const scale = Number(json.scale ?? parameters.scale ?? 0);
  if (!Number.isInteger(scale)) return null;
  const { precision = CONNECT_PRECISION } = json;
  return { kind: 'decimal', precision: Number(precision), scale };
}

/** Whether a record is a number: its scale, and the unscaled number as bytes. */
export function isVariableDecimal({ name, fields }: AvroRecord): boolean {
  const kinds = fields.map((field) => `${field.name} ${field.type.kind}`).join();
  return name === VARIABLE_DECIMAL && kinds === 'scale int,value bytes';
}

function invalid(reason: string): SqlError {
  return new SqlError('22023', `invalid Avro schema: ${reason}`);
}

/** For people: `record "shop.Order"`, `long (timestamp-micros)`, `union of null, string`. */
export function schemaName(schema: AvroSchema): string {
  switch (schema.kind) {
    case 'record':
    case 'enum':
      return `${schema.kind} "${schema.name}"`;
    case 'fixed':
      return withLogical(`fixed(${schema.size})`, schema.logical);
    case 'array':
      return `array of ${schemaName(schema.items)}`;
    case 'map':
      return `map of ${schemaName(schema.values)}`;
    case 'union':
      return `union of ${schema.branches.map(schemaName).join(', ')}`;
    default:
      return withLogical(schema.kind, schema.logical);
  }
}

function withLogical(name: string, logical: LogicalType | null): string {
  if (logical === null) return name;
  if (logical.kind !== 'decimal') return `${name} (${logical.kind})`;
  return `${name} (decimal(${logical.precision},${logical.scale}))`;
}
