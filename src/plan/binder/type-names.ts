/** Type names of the AST to types, with PostgreSQL's checks of modifiers. */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { TypeName } from '../../sql/ast.ts';
import { arrayOf, type DataType, SCALAR_TYPES, withTypmod } from '../../types/data-type.ts';

const BY_NAME: ReadonlyMap<string, DataType> = new Map(SCALAR_TYPES.map((type) => [type.id, type]));

/** Names that PostgreSQL has beside the internal ones. */
const ALIASES: Readonly<Record<string, string>> = {
  integer: 'int4',
  int: 'int4',
  bigint: 'int8',
  smallint: 'int2',
  real: 'float4',
  float: 'float8',
  boolean: 'bool',
  decimal: 'numeric',
  string: 'text',
  '"char"': 'char',
  regprocedure: 'regproc',
  regoperator: 'regoper',
  sql_identifier: 'name',
  cardinal_number: 'int4',
  character_data: 'varchar',
  yes_or_no: 'varchar',
};

const VARLENA_HEADER = 4;
const CHAR_LENGTH_MAX = 10_485_760;

/** The type, or 42704 / 22023. */
export function resolveTypeName(name: TypeName): DataType {
  const { position } = name;
  const last = name.names.at(-1) as string;
  const schema = name.names.length > 1 ? name.names.at(-2) : undefined;
  if (last === 'unknown' || (schema !== undefined && !isSystemSchema(schema))) throw missing(name);
  if (/^(small|big)?serial[248]?$/.test(last)) {
    throw notSupported(`type ${last}`, { position });
  }
  const base = BY_NAME.get(ALIASES[last] ?? last);
  if (base === undefined) throw missing(name);
  if (name.isSetOf) throw notSupported('SETOF', { position });
  const type = withModifiers(base, name);
  if (name.arrayDimensions === 0) return type;
  const array = arrayOf(type);
  if (array === undefined) throw missing(name);
  return array;
}

function isSystemSchema(schema: string): boolean {
  return schema === 'pg_catalog' || schema === 'information_schema';
}

const KNOWN_ELSEWHERE = new Set([
  'money',
  'xml',
  'point',
  'line',
  'lseg',
  'box',
  'path',
  'polygon',
  'circle',
  'inet',
  'cidr',
  'macaddr',
  'bit',
  'varbit',
  'tsvector',
  'tsquery',
  'timetz',
  'int4range',
  'int8range',
  'numrange',
  'tsrange',
  'tstzrange',
  'daterange',
]);

function missing(name: TypeName): SqlError {
  const text = name.names.filter((part) => part !== 'pg_catalog').join('.');
  if (KNOWN_ELSEWHERE.has(text)) return notSupported(`type ${text}`, { position: name.position });
  return new SqlError('42704', `type "${text}" does not exist`, { position: name.position });
}

function withModifiers(type: DataType, name: TypeName): DataType {
  const { modifiers, position } = name;
  if (modifiers.length === 0) return type;
  switch (type.id) {
    case 'numeric':
      return withTypmod(type, numericTypmod(modifiers, position));
    case 'varchar':
    case 'bpchar':
      return withTypmod(
        type,
        lengthTypmod(type.id === 'bpchar' ? 'char' : 'varchar', modifiers, position),
      );
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return withTypmod(type, Math.min(6, modifiers[0] as number));
    case 'interval':
      return withTypmod(type, intervalTypmod(modifiers));
    default:
      throw new SqlError('42601', `type modifier is not allowed for type "${name.names.at(-1)}"`, {
        position,
      });
  }
}

function numericTypmod(modifiers: readonly number[], position: number): number {
  const [precision = 0, scale = 0] = modifiers;
  if (precision < 1 || precision > 1000) {
    const message = `NUMERIC precision ${precision} must be between 1 and 1000`;
    throw new SqlError('22023', message, { position });
  }
  if (scale < -1000 || scale > 1000) {
    const message = `NUMERIC scale ${scale} must be between -1000 and 1000`;
    throw new SqlError('22023', message, { position });
  }
  return ((precision << 16) | (scale & 0x7ff)) + VARLENA_HEADER;
}

function lengthTypmod(name: string, modifiers: readonly number[], position: number): number {
  const length = modifiers[0] as number;
  if (length < 1) {
    throw new SqlError('22023', `length for type ${name} must be at least 1`, { position });
  }
  if (length > CHAR_LENGTH_MAX) {
    const message = `length for type ${name} cannot exceed ${CHAR_LENGTH_MAX}`;
    throw new SqlError('22023', message, { position });
  }
  return length + VARLENA_HEADER;
}

const FULL_RANGE = 0x7fff;
const FULL_PRECISION = 0xffff;

function intervalTypmod(modifiers: readonly number[]): number {
  const [range = FULL_RANGE, precision = FULL_PRECISION] = modifiers;
  if (range === FULL_RANGE && precision === FULL_PRECISION) return -1;
  return ((range & FULL_RANGE) << 16) | (precision & FULL_PRECISION);
}

const SINGLE_FIELDS: Readonly<Record<number, string>> = {
  [1 << 1]: 'month',
  [1 << 2]: 'year',
  [1 << 3]: 'day',
  [1 << 10]: 'hour',
  [1 << 11]: 'minute',
  [1 << 12]: 'second',
};

/** `INTERVAL '5' MINUTE`: the unit that a bare number takes; null: no single field. */
export function intervalUnit(name: TypeName): string | null {
  const range = name.modifiers[0];
  if (name.names.at(-1) !== 'interval' || range === undefined) return null;
  return SINGLE_FIELDS[range] ?? null;
}
