/**
 * Which casts there are, and in which contexts (pg_cast). Bodies are in functions/casts-*.ts under `cast(from,to)`.
 *
 * Besides the table: any type to a string type in an assignment and any string type to another explicitly, through the
 * output and input functions (I/O conversion); arrays by their elements; `coerce_typmod(type)` enforces lengths.
 */

import type { DataType, TypeId } from '../types/data-type.ts';
import { typeKey } from './signature.ts';
import { typeCategory } from './type-categories.ts';

export type CastContext = 'implicit' | 'assignment' | 'explicit';

const RANK: Readonly<Record<CastContext, number>> = { implicit: 0, assignment: 1, explicit: 2 };

const REG_TYPES: readonly TypeId[] = [
  'regclass',
  'regtype',
  'regproc',
  'regnamespace',
  'regrole',
  'regoper',
];

interface Targets {
  readonly implicit?: readonly TypeId[];
  readonly assignment?: readonly TypeId[];
  readonly explicit?: readonly TypeId[];
}

const OF_TYPE: Readonly<Partial<Record<TypeId, Targets>>> = {
  bool: { assignment: ['text', 'varchar', 'bpchar'], explicit: ['int4'] },
  int2: { implicit: ['int4', 'int8', 'float4', 'float8', 'numeric', 'oid', ...REG_TYPES] },
  int4: {
    implicit: ['int8', 'float4', 'float8', 'numeric', 'oid', ...REG_TYPES],
    assignment: ['int2'],
    explicit: ['bool', 'char'],
  },
  int8: {
    implicit: ['float4', 'float8', 'numeric', 'oid', ...REG_TYPES],
    assignment: ['int2', 'int4'],
  },
  float4: { implicit: ['float8'], assignment: ['int2', 'int4', 'int8', 'numeric'] },
  float8: { assignment: ['int2', 'int4', 'int8', 'float4', 'numeric'] },
  numeric: { implicit: ['float4', 'float8'], assignment: ['int2', 'int4', 'int8'] },
  oid: { implicit: REG_TYPES, assignment: ['int4', 'int8'] },
  text: { implicit: ['varchar', 'bpchar', 'name', 'regclass'], assignment: ['char'] },
  varchar: { implicit: ['text', 'bpchar', 'name', 'regclass'], assignment: ['char'] },
  bpchar: { implicit: ['text', 'varchar', 'name'], assignment: ['char'] },
  name: { implicit: ['text'], assignment: ['varchar', 'bpchar'] },
  char: { implicit: ['text'], assignment: ['varchar', 'bpchar'], explicit: ['int4'] },
  date: { implicit: ['timestamp', 'timestamptz'] },
  time: { implicit: ['interval'] },
  timestamp: { implicit: ['timestamptz'], assignment: ['date', 'time'] },
  timestamptz: { assignment: ['date', 'time', 'timestamp'] },
  interval: { assignment: ['time'] },
  json: { assignment: ['jsonb'] },
  jsonb: {
    assignment: ['json'],
    explicit: ['bool', 'numeric', 'int2', 'int4', 'int8', 'float4', 'float8'],
  },
};

const REG_TARGETS: Targets = { implicit: ['oid'], assignment: ['int4', 'int8'] };

/** The weakest context in which the table has this cast. */
function tableContext(from: TypeId, to: TypeId): CastContext | null {
  const targets = REG_TYPES.includes(from) ? REG_TARGETS : OF_TYPE[from];
  if (targets === undefined) return null;
  if (targets.implicit?.includes(to)) return 'implicit';
  if (targets.assignment?.includes(to)) return 'assignment';
  if (targets.explicit?.includes(to)) return 'explicit';
  return null;
}

/** The weakest context in which `from` becomes `to` (typmods aside); null: never. Same types: implicit. */
export function castContext(from: DataType, to: DataType): CastContext | null {
  if (from.oid === to.oid) return 'implicit';
  if (from.element !== null && to.element !== null) return castContext(from.element, to.element);
  const inTable = tableContext(from.id, to.id);
  if (inTable !== null) return inTable;
  if (from.id === 'unknown') return 'implicit';
  if (from.id === 'void' || to.id === 'void' || to.id === 'record' || to.id === 'unknown')
    return null;
  if (typeCategory(to) === 'S' || (to.id === 'char' && typeCategory(from) === 'S'))
    return 'assignment';
  if (typeCategory(from) === 'S') return 'explicit';
  return null;
}

export function canCast(from: DataType, to: DataType, context: CastContext): boolean {
  const needed = castContext(from, to);
  return needed !== null && RANK[needed] <= RANK[context];
}

/** The id of the cast's function; 'none': same type, nothing to do; null: no such cast in this context. */
export function findCast(
  from: DataType,
  to: DataType,
  context: CastContext,
): string | 'none' | null {
  if (from.oid === to.oid) return 'none';
  if (!canCast(from, to, context)) return null;
  return `cast(${typeKey(from)},${typeKey(to)})`;
}
