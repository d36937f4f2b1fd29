/** CREATE TABLE. */

import { must } from '../../base/assert.ts';
import { notSupported } from '../../base/sql-error.ts';
import type { KeyConstraint, TableObject } from '../../catalog/objects.ts';
import { planRelation } from '../../plan/planner.ts';
import type { CreateTable } from '../../sql/statements.ts';
import { isIdentityEquality, typeName } from '../../types/value.ts';
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
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

export function planCreateTable(ast: CreateTable, { session }: HandlerContext): StatementPlan {
  if (ast.isTemporary) refuse('CREATE TEMPORARY TABLE', ast.position);
  if (ast.onConflict !== null)
    refuse('ON CONFLICT of a table', ast.position, 'Say ON CONFLICT in the INSERT.');
  const option = ast.options[0];
  if (option?.name === 'connector') {
    throw notSupported('CREATE TABLE ... WITH (connector = ...)', {
      position: option.position,
      hint: 'CREATE SOURCE, and a materialized view over it.',
    });
  }
  if (option !== undefined)
    throw notSupported(`table option "${option.name}"`, { position: option.position });
  return command(async () => {
    await createTable(ast, session);
    return 'CREATE TABLE';
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

/**
 * Unique keys are kept by the bytes of their values: types whose equal values have several forms (1.0 and 1.00) would let
 * duplicates in.
 */
function checkKeyTypes({ columns, constraints }: TableObject): void {
  for (const constraint of constraints) {
    if (constraint.kind === 'check') continue;
    for (const index of constraint.columns) {
      const { name, type } = must(columns[index]);
      const hasOneForm = type.typmod !== -1 && (type.id === 'numeric' || type.id === 'bpchar');
      if (hasOneForm || isIdentityEquality(type)) continue;
      throw notSupported(`a unique key over column "${name}" of type ${typeName(type)}`, {
        hint:
          type.id === 'numeric'
            ? 'Give it a precision and scale: numeric(p,s).'
            : 'Use a type whose equal values look the same.',
      });
    }
  }
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
