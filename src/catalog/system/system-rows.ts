/**
 * Rows of the system relations over a catalog snapshot, each value in PostgreSQL's text form (null = NULL), so that one
 * parser makes columns of them all. A relation that nothing here fills, and that PostgreSQL fills only when used, is empty.
 */

import type { DataType } from '../../types/data-type.ts';
import type { SystemRelation } from '../objects.ts';
import { informationSchemaRows } from './information-schema.ts';
import { constraintRows, indexRows } from './pg-constraints.ts';
import { foreignRows } from './pg-foreign.ts';
import { shownFunctions } from './pg-functions.ts';
import {
  attributeRows,
  classRows,
  defaultRows,
  descriptionRows,
  namespaceRows,
} from './pg-relations.ts';
import { serverRows } from './pg-server.ts';
import { pgViewRows } from './pg-views.ts';
import { functionNames, staticRows } from './postgres15.ts';
import { type SystemRowSource, type SystemRowsContext, zeroBased } from './system-row.ts';

const SOURCES: ReadonlyMap<string, SystemRowSource> = new Map<string, SystemRowSource>([
  ['pg_catalog.pg_namespace', namespaceRows],
  ['pg_catalog.pg_class', classRows],
  ['pg_catalog.pg_attribute', attributeRows],
  ['pg_catalog.pg_attrdef', defaultRows],
  ['pg_catalog.pg_description', descriptionRows],
  ['pg_catalog.pg_index', indexRows],
  ['pg_catalog.pg_constraint', constraintRows],
  ...foreignRows,
  ...pgViewRows,
  ...serverRows,
  ...informationSchemaRows,
]);

/** The text of a NOT NULL column that a row leaves out. */
function zeroOf(type: DataType): string {
  switch (type.storage) {
    case 'u8':
      return 'f';
    case 'view':
      return type.id === 'array' ? '{}' : '';
    default:
      return '0';
  }
}

function textOf(value: string | number | boolean): string {
  return typeof value === 'boolean' ? (value ? 't' : 'f') : String(value);
}

function unescapeCopy(field: string): string | null {
  if (field === '\\N') return null;
  if (!field.includes('\\')) return field;
  return field.replace(/\\(.)/g, (_, character: string) => COPY_ESCAPES[character] ?? character);
}

const COPY_ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  f: '\f',
  v: '\v',
};

/** The OID of a function that the fact sheet names; `-` is none. */
function functionOidText(name: string): string {
  if (name === '-' || /^\d+$/.test(name)) return name === '-' ? '0' : name;
  return String(functionNames().byName.get(name.replace(/^pg_catalog\./, '')) ?? 0);
}

/** What the fact sheet writes otherwise than the type's input: functions by name, vectors ("1 2") as zero-based arrays. */
function factText(type: DataType, text: string | null): string | null {
  if (text !== null && (type.id === 'regproc' || type.id === 'regoper'))
    return functionOidText(text);
  if (text === null || type.id !== 'array' || text.startsWith('{') || text.startsWith('['))
    return text;
  const items = text.split(' ').filter((item) => item !== '');
  return zeroBased(items);
}

/** The relation's rows, in its column order. */
export function* systemRows(
  relation: SystemRelation,
  context: SystemRowsContext,
): Generator<readonly (string | null)[]> {
  const fixed = relation.schema === 'pg_catalog' ? staticRows(relation.name) : undefined;
  const source = SOURCES.get(`${relation.schema}.${relation.name}`);
  if (fixed !== undefined && source === undefined) {
    const isShown = relation.name === 'pg_proc' ? shownFunctions(context.isCallable) : null;
    for (const line of fixed) {
      const fields = line.split('\t').map(unescapeCopy);
      if (isShown !== null && !isShown.has(Number(fields[0]))) continue;
      yield relation.columns.map((column, index) => factText(column.type, fields[index] ?? null));
    }
    return;
  }
  for (const row of source?.(context) ?? []) {
    yield relation.columns.map((column) => {
      const value = row[column.name];
      if (value !== undefined && value !== null) return textOf(value);
      return column.isNotNull === true && value === undefined ? zeroOf(column.type) : null;
    });
  }
}
