/** CREATE TABLE. */

import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { KeyConstraint, TableObject } from '../../catalog/objects.ts';
import { planRelation } from '../../plan/planner.ts';
import type { CreateTable } from '../../sql/statements.ts';
import { withOptionPlaces } from '../connector-options.ts';
import { createConnectorTable } from '../connector-relation.ts';
import {
  changeOf,
  constraintIndex,
  engineColumns,
  engineWatermark,
  frozenSettings,
  objectBase,
  placeForCreate,
  tableSchema,
} from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { checkKeyTypes } from '../key-types.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

export function planCreateTable(ast: CreateTable, { session }: HandlerContext): StatementPlan {
  if (ast.isTemporary) refuse('CREATE TEMPORARY TABLE', ast.position);
  if (ast.onConflict !== null) refuse('ON CONFLICT of a table', ast.position);
  if (ast.options.some(({ name }) => name.toLowerCase() === 'connector')) {
    return command(async () => {
      await withOptionPlaces(ast, () => createConnectorTable(ast, session));
      return 'CREATE TABLE';
    });
  }
  refuseConnectorClauses(ast);
  return command(async () => {
    await createTable(ast, session);
    return 'CREATE TABLE';
  });
}

/** What only a connector gives a meaning. */
function refuseConnectorClauses({ options, include, format }: CreateTable): void {
  const option = options[0];
  if (option !== undefined)
    throw notSupported(`table option "${option.name}"`, { position: option.position });
  const clause = include[0] ?? format;
  if (clause === null || clause === undefined) return;
  const word = clause.kind === 'include' ? 'INCLUDE' : 'FORMAT';
  throw new SqlError('42601', `${word} of a table needs WITH (connector = ...)`, {
    position: clause.position,
  });
}

async function createTable(ast: CreateTable, session: SessionState): Promise<void> {
  const placement = await placeForCreate(ast.name, ast.ifNotExists, session, 'CREATE TABLE');
  if (placement === null) return;
  const definition = planRelation(ast, session.plannerContext());
  const table: TableObject = {
    kind: 'table',
    ...objectBase(session.catalog.nextId, placement.name),
    schemaId: placement.schema.id,
    columns: definition.columns,
    constraints: definition.constraints,
    watermark: definition.watermark,
    isAppendOnly: ast.isAppendOnly,
    onConflict: null,
    connector: null,
    settings: frozenSettings(session),
  };
  addTable(table, session);
}

/** Puts a table with the indexes of its constraints into the running transaction. */
export function addTable(table: TableObject, session: SessionState): void {
  checkKeyTypes(table);
  const keys = table.constraints.filter((one): one is KeyConstraint => one.kind !== 'check');
  const indexes = keys.map((constraint, index) =>
    constraintIndex(table.id + 1 + index, table, constraint),
  );
  session.running.addDdl(changeOf(session.catalog, [table, ...indexes]), [
    {
      kind: 'create_table',
      id: table.id,
      name: table.name,
      columns: engineColumns(table.columns),
      schema: tableSchema(table),
      watermark: engineWatermark(table),
    },
  ]);
  session.database.queries.writeSetOf(session.running).addNewTable(table.id);
}
