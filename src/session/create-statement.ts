/** The CREATE statement that makes an object as it is. */

import { must } from '../base/assert.ts';
import type { Catalog } from '../catalog/catalog.ts';
import {
  type CatalogColumn,
  type ConnectorDefinition,
  type IndexObject,
  type RelationObject,
  referencedSecret,
  type SourceObject,
  type TableObject,
} from '../catalog/objects.ts';
import { quoteIdentifier } from '../catalog/system/pg-views.ts';
import { isHiddenOption } from '../connect/sealed-options.ts';
import { typeName } from '../types/value.ts';

const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`;

function columnText(column: CatalogColumn): string {
  const parts = [quoteIdentifier(column.name), typeName(column.type)];
  if (column.isNotNull) parts.push('NOT NULL');
  if (column.defaultText !== null) parts.push(`DEFAULT ${column.defaultText}`);
  if (column.generatedText !== null)
    parts.push(`GENERATED ALWAYS AS (${column.generatedText}) STORED`);
  return parts.join(' ');
}

function bodyLines(relation: TableObject | SourceObject): string[] {
  const lines = relation.columns.filter(({ included }) => included === null).map(columnText);
  for (const constraint of relation.constraints) {
    const name = `CONSTRAINT ${quoteIdentifier(constraint.name)}`;
    if (constraint.kind === 'check') lines.push(`${name} CHECK (${constraint.text})`);
    else {
      const columns = constraint.columns
        .map((column) => quoteIdentifier(relation.columns[column]!.name))
        .join(', ');
      lines.push(
        `${name} ${constraint.kind === 'primary_key' ? 'PRIMARY KEY' : 'UNIQUE'} (${columns})`,
      );
    }
  }
  const { watermark } = relation;
  if (watermark !== null) {
    lines.push(
      `WATERMARK FOR ${quoteIdentifier(relation.columns[watermark.column]!.name)} AS ${watermark.text}`,
    );
  }
  return lines;
}

/** INCLUDE KEY AS k, HEADER 'trace' AS t ... */
function includeText({ columns }: TableObject | SourceObject): string {
  const items = columns.flatMap(({ name, included }) => {
    if (included === null) return [];
    const [what, header] = included.split(/:(.*)/s);
    const argument = header === undefined ? '' : ` ${literal(header)}`;
    return [`${what?.toUpperCase()}${argument} AS ${quoteIdentifier(name)}`];
  });
  return items.length === 0 ? '' : ` INCLUDE ${items.join(', ')}`;
}

const HIDDEN = '********';
/** The password of a URL is nobody else's business. */
const URL_PASSWORD = /(?<=:\/\/[^:@/]*:).*(?=@)/;

function optionTexts(options: Readonly<Record<string, string>>, catalog: Catalog): string[] {
  return Object.entries(options).map(([name, value]) => {
    const id = referencedSecret(value);
    if (id !== null) return `${name} = secret ${quoteIdentifier(must(catalog.object(id)).name)}`;
    const shown = isHiddenOption(name) ? HIDDEN : value.replace(URL_PASSWORD, HIDDEN);
    return `${name} = ${literal(shown)}`;
  });
}

function connectorText(connector: ConnectorDefinition, catalog: Catalog): string {
  const withClause = ` WITH (${optionTexts(connector.options, catalog).join(', ')})`;
  if (connector.format === null) return withClause;
  const encodeOptions = optionTexts(connector.encodeOptions, catalog);
  const parenthesised = encodeOptions.length === 0 ? '' : ` (${encodeOptions.join(', ')})`;
  return `${withClause} FORMAT ${connector.format.toUpperCase()} ENCODE ${(connector.encode ?? 'json').toUpperCase()}${parenthesised}`;
}

export function createStatement(
  object: Exclude<RelationObject, IndexObject>,
  catalog: Catalog,
): string {
  const name = `${quoteIdentifier(catalog.schemaName(object))}.${quoteIdentifier(object.name)}`;
  switch (object.kind) {
    case 'table': {
      const body = `CREATE TABLE ${name} (\n  ${bodyLines(object).join(',\n  ')}\n)`;
      if (object.connector === null) return `${body}${object.isAppendOnly ? ' APPEND ONLY' : ''}`;
      return `${body}${includeText(object)}${connectorText(object.connector, catalog)}`;
    }
    case 'source':
      return `CREATE SOURCE ${name} (\n  ${bodyLines(object).join(',\n  ')}\n)${includeText(object)}${connectorText(object.connector, catalog)}`;
    case 'view':
      return `CREATE VIEW ${name} AS ${object.sql}`;
    case 'materialized_view': {
      const options = Object.entries(object.options).map(
        ([key, value]) => `${key} = ${literal(value)}`,
      );
      const withClause = options.length === 0 ? '' : ` WITH (${options.join(', ')})`;
      return `CREATE MATERIALIZED VIEW ${name}${withClause} AS ${object.sql}`;
    }
    case 'sink':
      return `CREATE SINK ${name} AS ${object.sql}${connectorText(object.connector, catalog)}`;
  }
}
