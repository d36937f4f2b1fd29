/** information_schema: the standard's view of schemas, tables, columns and constraints. Materialized views show as views. */

import { must } from '../../base/assert.ts';
import type { DataType } from '../../types/data-type.ts';
import { BOOTSTRAP_OWNER, type Catalog } from '../catalog.ts';
import {
  type CatalogColumn,
  type Constraint,
  isReadable,
  type ReadableObject,
  type SystemRelation,
} from '../objects.ts';
import type { SystemRow, SystemRowSource, SystemRowsContext } from './system-row.ts';

const yesNo = (value: boolean): string => (value ? 'YES' : 'NO');

function* readable(catalog: Catalog): Generator<readonly [ReadableObject, string]> {
  for (const object of catalog.objects())
    if (isReadable(object)) yield [object, catalog.schemaName(object)];
}

function tableType(kind: ReadableObject['kind']): string {
  if (kind === 'table') return 'BASE TABLE';
  return kind === 'source' ? 'FOREIGN' : 'VIEW';
}

function isWritable(object: ReadableObject): boolean {
  return object.kind === 'table' && object.connector === null;
}

function* schemata({ catalog, database }: SystemRowsContext): Generator<SystemRow> {
  for (const schema of catalog.schemas()) {
    yield { catalog_name: database, schema_name: schema.name, schema_owner: BOOTSTRAP_OWNER };
  }
}

function* tables({ catalog, database }: SystemRowsContext): Generator<SystemRow> {
  for (const [object, schema] of readable(catalog)) {
    yield {
      table_catalog: database,
      table_schema: schema,
      table_name: object.name,
      table_type: tableType(object.kind),
      is_insertable_into: yesNo(isWritable(object)),
      is_typed: 'NO',
    };
  }
  for (const relation of catalog.systemRelations()) {
    yield {
      table_catalog: database,
      table_schema: relation.schema,
      table_name: relation.name,
      table_type: relation.relkind === 'v' ? 'VIEW' : 'BASE TABLE',
      is_insertable_into: 'NO',
      is_typed: 'NO',
    };
  }
}

const BITS: Readonly<Record<string, number>> = {
  int2: 16,
  int4: 32,
  int8: 64,
  float4: 24,
  float8: 53,
};

/** numeric_precision, character_maximum_length and the like of a column. */
function shape(type: DataType): SystemRow {
  const bits = BITS[type.id];
  if (bits !== undefined) {
    return {
      numeric_precision: bits,
      numeric_precision_radix: 2,
      numeric_scale: type.id.startsWith('int') ? 0 : null,
    };
  }
  if (type.id === 'numeric') {
    const isBounded = type.typmod >= 4;
    return {
      numeric_precision: isBounded ? (type.typmod - 4) >> 16 : null,
      numeric_precision_radix: 10,
      numeric_scale: isBounded ? (type.typmod - 4) & 0x7ff : null,
    };
  }
  if (type.id === 'varchar' || type.id === 'bpchar') {
    return {
      character_maximum_length: type.typmod >= 4 ? type.typmod - 4 : null,
      character_octet_length: 1073741824,
    };
  }
  if (type.id === 'text') return { character_octet_length: 1073741824 };
  if (type.id === 'date') return { datetime_precision: 0 };
  if (
    type.id === 'timestamp' ||
    type.id === 'timestamptz' ||
    type.id === 'time' ||
    type.id === 'interval'
  )
    return { datetime_precision: 6 };
  return {};
}

function columnRow(
  context: SystemRowsContext,
  table: { readonly schema: string; readonly name: string; readonly isUpdatable: boolean },
  column: Pick<CatalogColumn, 'name' | 'type' | 'isNotNull' | 'defaultText' | 'generatedText'>,
  index: number,
): SystemRow {
  const { database, formatType } = context;
  const plain = formatType({ ...column.type, typmod: -1 });
  return {
    table_catalog: database,
    table_schema: table.schema,
    table_name: table.name,
    column_name: column.name,
    ordinal_position: index + 1,
    column_default: column.generatedText === null ? column.defaultText : null,
    is_nullable: yesNo(!column.isNotNull),
    data_type: column.type.id === 'array' ? 'ARRAY' : plain,
    ...shape(column.type),
    udt_catalog: database,
    udt_schema: 'pg_catalog',
    udt_name: column.type.element === null ? column.type.id : `_${column.type.element.id}`,
    dtd_identifier: index + 1,
    is_self_referencing: 'NO',
    is_identity: 'NO',
    is_generated: column.generatedText === null ? 'NEVER' : 'ALWAYS',
    generation_expression: column.generatedText,
    is_updatable: yesNo(table.isUpdatable),
  };
}

function* columns(context: SystemRowsContext): Generator<SystemRow> {
  for (const [object, schema] of readable(context.catalog)) {
    const table = { schema, name: object.name, isUpdatable: isWritable(object) };
    const hasConstraints = object.kind === 'table' || object.kind === 'source';
    for (const [index, column] of object.columns.entries()) {
      const shown = hasConstraints ? column : { ...column, isNotNull: false };
      yield columnRow(context, table, shown, index);
    }
  }
  for (const relation of context.catalog.systemRelations()) {
    const table = { schema: relation.schema, name: relation.name, isUpdatable: false };
    for (const [index, column] of relation.columns.entries()) {
      yield columnRow(context, table, systemColumn(column), index);
    }
  }
}

function systemColumn(column: SystemRelation['columns'][number]) {
  return {
    name: column.name,
    type: column.type,
    isNotNull: column.isNotNull === true,
    defaultText: null,
    generatedText: null,
  };
}

function* views({ catalog, database }: SystemRowsContext): Generator<SystemRow> {
  for (const [object, schema] of readable(catalog)) {
    if (object.kind !== 'view' && object.kind !== 'materialized_view') continue;
    yield {
      table_catalog: database,
      table_schema: schema,
      table_name: object.name,
      view_definition: ` ${object.sql};`,
      check_option: 'NONE',
      is_updatable: 'NO',
      is_insertable_into: 'NO',
      is_trigger_updatable: 'NO',
      is_trigger_deletable: 'NO',
      is_trigger_insertable_into: 'NO',
    };
  }
}

const CONSTRAINT_TYPE = { primary_key: 'PRIMARY KEY', unique: 'UNIQUE', check: 'CHECK' } as const;

function* constraints(catalog: Catalog): Generator<readonly [ReadableObject, string, Constraint]> {
  for (const [object, schema] of readable(catalog)) {
    if (object.kind !== 'table' && object.kind !== 'source') continue;
    for (const constraint of object.constraints) yield [object, schema, constraint];
  }
}

function* tableConstraints({ catalog, database }: SystemRowsContext): Generator<SystemRow> {
  for (const [object, schema, constraint] of constraints(catalog)) {
    yield {
      constraint_catalog: database,
      constraint_schema: schema,
      constraint_name: constraint.name,
      table_catalog: database,
      table_schema: schema,
      table_name: object.name,
      constraint_type: must(CONSTRAINT_TYPE[constraint.kind]),
      is_deferrable: 'NO',
      initially_deferred: 'NO',
      enforced: 'YES',
    };
  }
}

function* keyColumns({ catalog, database }: SystemRowsContext): Generator<SystemRow> {
  for (const [object, schema, constraint] of constraints(catalog)) {
    if (constraint.kind === 'check') continue;
    for (const [index, column] of constraint.columns.entries()) {
      yield {
        constraint_catalog: database,
        constraint_schema: schema,
        constraint_name: constraint.name,
        table_catalog: database,
        table_schema: schema,
        table_name: object.name,
        column_name: object.columns[column]!.name,
        ordinal_position: index + 1,
      };
    }
  }
}

function* checkConstraints({ catalog, database }: SystemRowsContext): Generator<SystemRow> {
  for (const [, schema, constraint] of constraints(catalog)) {
    if (constraint.kind !== 'check') continue;
    yield {
      constraint_catalog: database,
      constraint_schema: schema,
      constraint_name: constraint.name,
      check_clause: `(${constraint.text})`,
    };
  }
}

export const informationSchemaRows: readonly (readonly [string, SystemRowSource])[] = [
  ['information_schema.schemata', schemata],
  ['information_schema.tables', tables],
  ['information_schema.columns', columns],
  ['information_schema.views', views],
  ['information_schema.table_constraints', tableConstraints],
  ['information_schema.key_column_usage', keyColumns],
  ['information_schema.constraint_column_usage', keyColumns],
  ['information_schema.check_constraints', checkConstraints],
  [
    'information_schema.information_schema_catalog_name',
    ({ database }) => [{ catalog_name: database }],
  ],
  ['information_schema.enabled_roles', () => [{ role_name: BOOTSTRAP_OWNER }]],
  ['information_schema.applicable_roles', () => []],
  [
    'information_schema.character_sets',
    ({ database }) => [
      {
        character_set_name: 'UTF8',
        character_repertoire: 'UCS',
        form_of_use: 'UTF8',
        default_collate_catalog: database,
        default_collate_schema: 'pg_catalog',
        default_collate_name: 'C',
      },
    ],
  ],
];
