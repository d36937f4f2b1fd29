/** CREATE SOURCE. */

import type { ConnectorDefinition, SourceObject } from '../../catalog/objects.ts';
import { checkSourceOptions } from '../../connect/connectors.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { planRelation } from '../../plan/planner.ts';
import type { CreateSource } from '../../sql/statements.ts';
import { connectorDefinition } from '../connector-options.ts';
import { changeOf, engineColumns, frozenSettings, objectBase, placeForCreate } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

export function planCreateSource(ast: CreateSource, { session }: HandlerContext): StatementPlan {
  const included = ast.include[0];
  if (included !== undefined) refuse(`INCLUDE ${included.what.toUpperCase()}`, ast.position);
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
  const definition = planRelation(ast, session.plannerContext());
  const connector = connectorDefinition(ast.options, ast.format, ast.position);
  const columns = engineColumns(definition.columns);
  const checked = checkSourceOptions(connector, columns, {
    fileRoots: session.database.fileRoots,
    clock: session.database.clock,
  });
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
