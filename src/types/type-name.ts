/** Names of types: format_type's output, and the names that casts, regtype and options accept. */

import { SqlError } from '../base/sql-error.ts';
import { arrayOf, type DataType, SCALAR_TYPES, type TypeId, withTypmod } from './data-type.ts';

const NAMES: Readonly<Partial<Record<TypeId, string>>> = {
  bool: 'boolean',
  int2: 'smallint',
  int4: 'integer',
  int8: 'bigint',
  float4: 'real',
  float8: 'double precision',
  varchar: 'character varying',
  bpchar: 'character',
  char: '"char"',
  time: 'time without time zone',
  timestamp: 'timestamp without time zone',
  timestamptz: 'timestamp with time zone',
};

/** As format_type(oid, typmod): `numeric(10,2)`, `character varying(5)[]`. Error messages name types without typmod: see plainTypeName. */
export function typeName(type: DataType): string {
  if (type.element !== null) return `${typeName(type.element)}[]`;
  const name = NAMES[type.id] ?? type.id;
  return type.typmod === -1 ? name : withModifier(type, name);
}

/** As format_type_be, which PostgreSQL's messages use. */
export function plainTypeName(type: DataType): string {
  if (type.element !== null) return `${plainTypeName(type.element)}[]`;
  return NAMES[type.id] ?? type.id;
}

function withModifier(type: DataType, name: string): string {
  const { typmod } = type;
  switch (type.id) {
    case 'varchar':
    case 'bpchar':
      return `${name}(${typmod - 4})`;
    case 'numeric':
      return `${name}(${((typmod - 4) >> 16) & 0xffff},${(((typmod - 4) & 0x7ff) ^ 1024) - 1024})`;
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return name.replace(/^(timestamp|time)/, `$1(${typmod})`);
    case 'interval':
      return intervalName(typmod);
    default:
      return name;
  }
}

const INTERVAL_FIELDS: readonly (readonly [number, string])[] = [
  [4, 'year'],
  [2, 'month'],
  [8, 'day'],
  [1024, 'hour'],
  [2048, 'minute'],
  [4096, 'second'],
];

function intervalName(typmod: number): string {
  const range = (typmod >> 16) & 0x7fff;
  const precision = typmod & 0xffff;
  const digits = precision === 0xffff ? '' : `(${precision})`;
  if (range === 0x7fff) return `interval${digits}`;
  const named = INTERVAL_FIELDS.filter(([bit]) => (range & bit) !== 0).map(([, field]) => field);
  const last = named.at(-1)!;
  const text = named.length === 1 ? last : `${named[0]} to ${last}`;
  return `interval ${text}${last === 'second' ? digits : ''}`;
}

const ALIASES: Readonly<Record<string, TypeId>> = {
  boolean: 'bool',
  smallint: 'int2',
  integer: 'int4',
  int: 'int4',
  bigint: 'int8',
  real: 'float4',
  'double precision': 'float8',
  float: 'float8',
  decimal: 'numeric',
  dec: 'numeric',
  'character varying': 'varchar',
  'char varying': 'varchar',
  character: 'bpchar',
  '"char"': 'char',
  char: 'bpchar',
  string: 'text',
  'time without time zone': 'time',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
};

const BY_NAME: ReadonlyMap<string, DataType> = new Map<string, DataType>([
  ...SCALAR_TYPES.filter((type) => type.id !== 'char').map((type) => [type.id, type] as const),
  ...Object.entries(ALIASES).map(
    ([name, id]) => [name, SCALAR_TYPES.find((type) => type.id === id)!] as const,
  ),
]);

/**
 * A type by its written name: `int`, `pg_catalog.int4`, `numeric(10,2)`, `timestamp(3) with time zone`, `text[]`. 42704 for
 * an unknown one.
 */
export function parseTypeName(text: string): DataType {
  const trimmed = text.trim().replace(/\s+/g, ' ');
  const match = /^(.*?)((?: ?\[\d*\])*)$/.exec(trimmed)!;
  const element = scalarType(match[1]!.trim(), text);
  if (match[2] === '') return element;
  const array = arrayOf(element);
  if (array === undefined) throw unknownType(text);
  return array;
}

function scalarType(text: string, whole: string): DataType {
  const match = /^([^()]*?) ?(?:\(([^()]*)\))?( with(?:out)? time zone)?$/i.exec(text);
  if (match === null) throw unknownType(whole);
  const quoted = /^"(.*)"$/.exec(match[1]!.replace(/^pg_catalog\./i, ''));
  const plain =
    match[1]!.toLowerCase().replace(/^pg_catalog\./, '') + (match[3] ?? '').toLowerCase();
  const name = quoted === null ? plain : quoted[1] === 'char' ? '"char"' : quoted[1]!;
  const type = BY_NAME.get(name);
  if (type === undefined) throw unknownType(whole);
  if (match[2] === undefined)
    return name === 'char' || name === 'character' ? withTypmod(type, 5) : type;
  return withTypmod(type, typmodOf(type, match[2].split(','), whole));
}

function typmodOf(type: DataType, modifiers: readonly string[], whole: string): number {
  const numbers = modifiers.map((modifier) => Number(modifier.trim()));
  const [first = Number.NaN, second = 0] = numbers;
  if (numbers.some((n) => !Number.isInteger(n))) throw unknownType(whole);
  switch (type.id) {
    case 'varchar':
    case 'bpchar':
      if (first < 1)
        throw new SqlError(
          '22023',
          `length for type ${type.id === 'bpchar' ? 'char' : 'varchar'} must be at least 1`,
        );
      if (first > 10485760) {
        throw new SqlError(
          '22023',
          `length for type ${type.id === 'bpchar' ? 'char' : 'varchar'} cannot exceed 10485760`,
        );
      }
      return first + 4;
    case 'numeric':
      return numericTypmod(first, second);
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return Math.min(first, 6);
    case 'interval':
      return (0x7fff << 16) | Math.min(first, 6);
    default:
      throw new SqlError('42601', `type modifier is not allowed for type "${type.id}"`);
  }
}

/** The typmod of numeric(precision, scale); 22023 out of bounds. */
export function numericTypmod(precision: number, scale: number): number {
  if (precision < 1 || precision > 1000) {
    throw new SqlError('22023', `NUMERIC precision ${precision} must be between 1 and 1000`);
  }
  if (scale < -1000 || scale > 1000) {
    throw new SqlError('22023', `NUMERIC scale ${scale} must be between -1000 and 1000`);
  }
  return ((precision << 16) | (scale & 0x7ff)) + 4;
}

function unknownType(text: string): SqlError {
  return new SqlError('42704', `type "${text.trim()}" does not exist`);
}
