/** CREATE SOURCE. */

import { SqlError } from '../../base/sql-error.ts';
import type { CatalogColumn, ConnectorDefinition, SourceObject } from '../../catalog/objects.ts';
import {
  checkSourceOptions,
  defaultSourceColumns,
  fetchMessageSchema,
  probeSource,
} from '../../connect/connectors.ts';
import type { IncludedField, SourceColumn } from '../../connect/source.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { WriterSchema } from '../../formats/message-decoder.ts';
import { planRelation } from '../../plan/planner.ts';
import type { CreateSource } from '../../sql/statements.ts';
import { connectorDefinition } from '../connector-options.ts';
import { changeOf, engineColumns, frozenSettings, objectBase, placeForCreate } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

export function planCreateSource(ast: CreateSource, { session }: HandlerContext): StatementPlan {
  if (ast.format !== null && ast.format.format.toLowerCase() !== 'plain') {
    refuse(`FORMAT ${ast.format.format.toUpperCase()}`, ast.format.position);
  }
  return command(async () => {
    await createSource(ast, session);
    return 'CREATE SOURCE';
  });
}

async function createSource(ast: CreateSource, session: SessionState): Promise<void> {
  const placement = await placeForCreate(ast.name, ast.ifNotExists, session, 'CREATE SOURCE');
  if (placement === null) return;
  const connector = connectorDefinition(ast.options, ast.format, ast.position);
  const context = {
    fileRoots: session.database.fileRoots,
    clock: session.database.clock,
    settings: session.valueSettings,
  };
  const schema = await fetchMessageSchema(connector, context);
  const definition = planRelation(withColumns(ast, connector, schema), session.plannerContext());
  const columns = engineColumns(definition.columns);
  const checked = checkSourceOptions(connector, definition.columns.map(sourceColumn), {
    ...context,
    schema,
  });
  await probeSource(checked);
  const source: SourceObject = {
    kind: 'source',
    ...objectBase(session.catalog.nextId, placement.name),
    schemaId: placement.schema.id,
    columns: definition.columns,
    constraints: definition.constraints,
    watermark: definition.watermark,
    connector: connector satisfies ConnectorDefinition,
    settings: frozenSettings(session),
  };
  session.running.addDdl(changeOf(session.catalog, [source]), [
    {
      kind: 'create_source',
      id: source.id,
      name: source.name,
      columns,
      generated: source.columns.map(
        (column) => column.generatedExpr as unknown as BoundExpr | null,
      ),
      notNull: source.columns.flatMap((column, index) => (column.isNotNull ? [index] : [])),
      watermark: source.watermark,
      connector: checked,
    },
  ]);
}

function sourceColumn({ name, type, generatedExpr, included }: CatalogColumn): SourceColumn {
  const isGenerated = generatedExpr !== null;
  if (included === null) return { name, type, isGenerated };
  const [kind, header = null] = included.split(/:(.*)/s);
  return { name, type, isGenerated, included: { kind, header } as IncludedField };
}

/** Without a column list: the columns that the connector's records have. */
function withColumns(
  ast: CreateSource,
  connector: ConnectorDefinition,
  schema: WriterSchema | null,
): CreateSource {
  if (ast.columns.length > 0) return ast;
  const { position } = ast;
  const columns = defaultSourceColumns(connector, schema);
  if (columns === null) {
    throw new SqlError(
      '42601',
      `CREATE SOURCE with connector "${connector.connector}" needs a list of columns`,
      { position },
    );
  }
  return {
    ...ast,
    columns: columns.map(({ name, type }) => ({
      kind: 'column_definition',
      position,
      name,
      type: {
        kind: 'type_name',
        position,
        names: ['pg_catalog', (type.element ?? type).id],
        modifiers: [],
        arrayDimensions: type.element === null ? 0 : 1,
        isSetOf: false,
      },
      isNotNull: false,
      default: null,
      generated: null,
      identity: null,
      collation: null,
      constraints: [],
    })),
  };
}
