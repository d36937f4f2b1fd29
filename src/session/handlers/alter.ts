/** ALTER ... RENAME, SET SCHEMA, OWNER TO: changes of the catalog alone; ALTER SOURCE ... DROP NOT NULL. */

import { SqlError } from '../../base/sql-error.ts';
import { constraintKey, isReadable, type RelationObject } from '../../catalog/objects.ts';
import type { DdlAction } from '../../dataflow/port.ts';
import type { Alter, AlterAction } from '../../sql/statements.ts';
import { alreadyExists, changeOf, findObject, missingRelation } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

const SUPPORTED: ReadonlySet<AlterAction['kind']> = new Set([
  'rename',
  'rename_column',
  'set_schema',
  'owner_to',
]);

/** An action that only sources know. */
function dropsNotNull(object: Alter['object'], action: AlterAction): boolean {
  return object === 'source' && action.kind === 'set_not_null' && !action.isNotNull;
}

const ACTIONS: Readonly<Record<AlterAction['kind'], string>> = {
  rename: 'RENAME',
  rename_column: 'RENAME COLUMN',
  set_schema: 'SET SCHEMA',
  swap_with: 'SWAP WITH',
  set_options: 'SET (...)',
  reset_options: 'RESET (...)',
  add_column: 'ADD COLUMN',
  drop_column: 'DROP COLUMN',
  set_default: 'ALTER COLUMN ... SET DEFAULT',
  set_not_null: 'ALTER COLUMN ... SET NOT NULL',
  alter_type: 'ALTER COLUMN ... TYPE',
  add_constraint: 'ADD CONSTRAINT',
  drop_constraint: 'DROP CONSTRAINT',
  owner_to: 'OWNER TO',
};

export function planAlter(ast: Alter, { session }: HandlerContext): StatementPlan {
  const unsupported = ast.actions.find(
    (action) =>
      ast.object === 'secret' || !(SUPPORTED.has(action.kind) || dropsNotNull(ast.object, action)),
  );
  if (unsupported !== undefined) {
    refuse(`ALTER ${ast.object.toUpperCase()} ... ${ACTIONS[unsupported.kind]}`, ast.position);
  }
  return command(async () => {
    await alter(ast, session);
    return `ALTER ${ast.object.toUpperCase()}`;
  });
}

async function alter(ast: Alter, session: SessionState): Promise<void> {
  const transaction = session.running;
  transaction.requireWritable(`ALTER ${ast.object.toUpperCase()}`);
  await transaction.lockCatalog(session.lockWait);
  if (ast.object === 'schema') {
    renameSchema(ast, session);
    return;
  }
  const found = findObject(ast.object, ast.name, session, 'ALTER');
  if (found === null) {
    if (!ast.ifExists) throw missingRelation(ast.name);
    session.notice(`relation "${ast.name.parts.join('.')}" does not exist, skipping`);
    return;
  }
  for (const action of ast.actions) applyAction(action, found.id, session);
}

function applyAction(action: AlterAction, id: number, session: SessionState): void {
  const object = session.catalog.object(id) as RelationObject;
  switch (action.kind) {
    case 'rename':
      checkFree(object.schemaId, action.newName, session);
      put({ ...object, name: action.newName }, session, [
        { kind: 'rename', id, name: action.newName },
      ]);
      return;
    case 'set_schema': {
      const schema = session.catalog.requireSchema(action.schema);
      checkFree(schema.id, object.name, session);
      put({ ...object, schemaId: schema.id }, session, []);
      return;
    }
    case 'rename_column':
      renameColumn(object, action.column, action.newName, session);
      return;
    case 'set_not_null':
      dropNotNull(object, action.column, session);
      return;
    case 'owner_to':
      if (action.owner !== 'millrace')
        throw new SqlError('42704', `role "${action.owner}" does not exist`);
      return;
    default:
      refuse(`ALTER ... ${ACTIONS[action.kind]}`, 0);
  }
}

function put(object: RelationObject, session: SessionState, actions: readonly DdlAction[]): void {
  const isKnownToEngine = object.kind !== 'index' && object.kind !== 'view';
  session.running.addDdl(changeOf(session.catalog, [object]), isKnownToEngine ? actions : []);
}

function checkFree(schemaId: number, name: string, { catalog }: SessionState): void {
  if (catalog.relationIn(schemaId, name) !== undefined) throw alreadyExists(name);
}

/** Plans refer to columns by number, so that only the name changes. */
function renameColumn(
  object: RelationObject,
  column: string,
  newName: string,
  session: SessionState,
): void {
  if (!isReadable(object)) throw new SqlError('42809', `"${object.name}" has no columns to rename`);
  const index = object.columns.findIndex((one) => one.name === column);
  if (index < 0) throw new SqlError('42703', `column "${column}" does not exist`);
  if (object.columns.some((one) => one.name === newName)) {
    throw new SqlError('42701', `column "${newName}" of relation "${object.name}" already exists`);
  }
  const columns = object.columns.map((one, at) => (at === index ? { ...one, name: newName } : one));
  put({ ...object, columns }, session, []);
}

/** Records with NULL in the column are taken from now on; those that were rejected wait for REPLAY DEAD LETTERS. */
function dropNotNull(object: RelationObject, name: string, session: SessionState): void {
  if (object.kind !== 'source') throw new SqlError('42809', `"${object.name}" is not a source`);
  const column = object.columns.findIndex((one) => one.name === name);
  if (column < 0) {
    throw new SqlError('42703', `column "${name}" of relation "${object.name}" does not exist`);
  }
  if (constraintKey(object.columns, object.constraints)?.includes(column)) {
    throw new SqlError('42P16', `column "${name}" is in a primary key`);
  }
  const columns = object.columns.map((one, at) =>
    at === column ? { ...one, isNotNull: false } : one,
  );
  if (object.columns[column]!.isNotNull) {
    put({ ...object, columns }, session, [{ kind: 'drop_not_null', id: object.id, column }]);
  }
}

function renameSchema(ast: Alter, session: SessionState): void {
  const { catalog } = session;
  const schema = catalog.requireSchema(ast.name.parts.at(-1)!, ast.name.position);
  for (const action of ast.actions) {
    if (action.kind !== 'rename') refuse(`ALTER SCHEMA ... ${ACTIONS[action.kind]}`, ast.position);
    else if (catalog.schema(action.newName) !== undefined) {
      throw new SqlError('42P06', `schema "${action.newName}" already exists`);
    } else if (!catalog.objects().includes(schema)) {
      throw new SqlError('42501', `permission denied for schema ${schema.name}`);
    } else session.running.addDdl(changeOf(catalog, [{ ...schema, name: action.newName }]), []);
  }
}
