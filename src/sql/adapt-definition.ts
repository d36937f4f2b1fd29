/** CREATE, DROP, ALTER and COMMENT of libpg-query's tree -> ours. */

import { notSupported, SqlError } from '../base/sql-error.ts';
import {
  type AdaptContext,
  node,
  type Raw,
  relationName,
  strings,
  unwrap,
} from './adapt-context.ts';
import { adaptTypeName, nullsOrder } from './adapt-expr.ts';
import type { QualifiedName, SortKey } from './ast.ts';
import type {
  AlterAction,
  ColumnDefinition,
  Constraint,
  CreateIndex,
  CreateTable,
  CreateView,
  ObjectKind,
  Option,
  ReferentialAction,
  Statement,
} from './statements.ts';

/** A name of a list of String nodes, without a place of its own. */
function nameOf(parts: readonly string[], position: number): QualifiedName {
  return node({ kind: 'qualified_name', position, parts });
}

// ---------------------------------------------------------------------------------------------- options

function optionText(arg: Raw): string | null {
  if (arg === undefined) return null;
  const [kind, body] = unwrap(arg);
  switch (kind) {
    case 'String':
      return body.sval ?? '';
    case 'Integer':
      return String(body.ival ?? 0);
    case 'Float':
      return body.fval ?? '0';
    case 'Boolean':
      return body.boolval ? 'true' : 'false';
    case 'TypeName':
      return strings(body.names).at(-1) ?? '';
    case 'A_Star':
      return '*';
    case 'A_Const':
      return body.isnull
        ? null
        : (body.sval?.sval ?? String(body.ival?.ival ?? body.fval?.fval ?? 0));
    default:
      return null;
  }
}

export function adaptOptions(list: Raw, c: AdaptContext): Option[] {
  return (list ?? []).map((item: Raw): Option => {
    const raw = item.DefElem;
    const position = c.at(raw.location);
    const items = raw.arg?.List?.items;
    return node({
      kind: 'option',
      position,
      name: raw.defnamespace === undefined ? raw.defname : `${raw.defnamespace}.${raw.defname}`,
      value: items === undefined ? optionText(raw.arg) : null,
      valuePosition: position,
      list: items === undefined ? null : items.map((entry: Raw) => optionText(entry) ?? ''),
    });
  });
}

// ---------------------------------------------------------------------------------------------- tables

export function adaptCreateTable(raw: Raw, c: AdaptContext): CreateTable {
  const name = relationName(raw.relation, c);
  const unsupported = (feature: string): never => {
    throw notSupported(feature, { position: name.position });
  };
  if (raw.inhRelations !== undefined) unsupported(raw.partbound ? 'PARTITION OF' : 'INHERITS');
  if (raw.partspec !== undefined) unsupported('PARTITION BY');
  if (raw.ofTypename !== undefined) unsupported('CREATE TABLE OF');
  if (raw.relation.relpersistence === 'u') unsupported('UNLOGGED');
  if (raw.accessMethod !== undefined) unsupported('USING of a table access method');
  if (raw.tablespacename !== undefined) unsupported('TABLESPACE');
  const columns: ColumnDefinition[] = [];
  const constraints: Constraint[] = [];
  for (const item of raw.tableElts ?? []) {
    const [kind, body] = unwrap(item);
    if (kind === 'ColumnDef') columns.push(adaptColumn(body, name, c));
    else if (kind === 'Constraint') constraints.push(adaptConstraint(body, [], c));
    else unsupported('LIKE in CREATE TABLE');
  }
  return node({
    kind: 'create_table',
    position: name.position,
    name,
    ifNotExists: raw.if_not_exists === true,
    columns,
    constraints,
    watermarks: [],
    include: [],
    options: adaptOptions(raw.options, c),
    format: null,
    isTemporary: raw.relation.relpersistence === 't',
    isAppendOnly: false,
    onConflict: null,
  });
}

/** A ColumnDef (unwrapped). */
export function adaptColumn(raw: Raw, table: QualifiedName, c: AdaptContext): ColumnDefinition {
  const position = c.at(raw.location);
  const found = { isNotNull: false, default: null, generated: null, identity: null } as {
    isNotNull: boolean;
    default: ColumnDefinition['default'];
    generated: ColumnDefinition['generated'];
    identity: ColumnDefinition['identity'];
  };
  const constraints: Constraint[] = [];
  for (const item of raw.constraints ?? []) {
    const body = item.Constraint;
    switch (body.contype) {
      case 'CONSTR_NOTNULL':
      case 'CONSTR_NULL':
        refuseContradiction(raw, table, c);
        found.isNotNull ||= body.contype === 'CONSTR_NOTNULL';
        break;
      case 'CONSTR_DEFAULT':
        found.default = c.expr(body.raw_expr);
        break;
      case 'CONSTR_GENERATED':
        if (body.generated_kind === 'v')
          throw notSupported('VIRTUAL generated column', { position });
        found.generated = c.expr(body.raw_expr);
        break;
      case 'CONSTR_IDENTITY':
        found.identity = body.generated_when === 'a' ? 'always' : 'by_default';
        break;
      default:
        if (!String(body.contype).startsWith('CONSTR_ATTR')) {
          constraints.push(adaptConstraint(body, [raw.colname], c));
        }
    }
  }
  return node({
    kind: 'column_definition',
    position,
    name: raw.colname,
    type: raw.typeName === undefined ? null : adaptTypeName(raw.typeName, c),
    ...found,
    collation:
      raw.collClause === undefined
        ? null
        : nameOf(strings(raw.collClause.collname), c.at(raw.collClause.location)),
    constraints,
  });
}

const CONSTRAINTS: Readonly<Record<string, Constraint['type']>> = {
  CONSTR_PRIMARY: 'primary_key',
  CONSTR_UNIQUE: 'unique',
  CONSTR_CHECK: 'check',
  CONSTR_FOREIGN: 'foreign_key',
};

const ACTIONS: Readonly<Record<string, ReferentialAction>> = {
  a: 'no action',
  r: 'restrict',
  c: 'cascade',
  n: 'set null',
  d: 'set default',
};

function adaptConstraint(raw: Raw, columns: readonly string[], c: AdaptContext): Constraint {
  const position = c.at(raw.location);
  const type = CONSTRAINTS[raw.contype];
  if (type === undefined) {
    throw notSupported(raw.contype === 'CONSTR_EXCLUSION' ? 'EXCLUDE' : 'this constraint', {
      position,
    });
  }
  if (raw.nulls_not_distinct) throw notSupported('NULLS NOT DISTINCT', { position });
  const own = strings(raw.keys ?? raw.fk_attrs);
  return node({
    kind: 'constraint',
    position,
    name: raw.conname ?? null,
    type,
    columns: own.length > 0 ? own : columns,
    check: raw.raw_expr === undefined ? null : c.expr(raw.raw_expr),
    references:
      raw.pktable === undefined
        ? null
        : node({
            table: relationName(raw.pktable, c),
            columns: strings(raw.pk_attrs),
            onDelete: ACTIONS[raw.fk_del_action] ?? 'no action',
            onUpdate: ACTIONS[raw.fk_upd_action] ?? 'no action',
          }),
  });
}

// ---------------------------------------------------------------------------------------------- views, indexes

/** `queryText` is filled in by parse.ts, which has the text. */
export function adaptView(raw: Raw, c: AdaptContext): CreateView {
  const name = relationName(raw.view, c);
  if (raw.withCheckOption !== undefined && raw.withCheckOption !== 'NO_CHECK_OPTION') {
    throw notSupported('WITH CHECK OPTION', { position: name.position });
  }
  return node({
    kind: 'create_view',
    position: name.position,
    name,
    columns: strings(raw.aliases),
    orReplace: raw.replace === true,
    isTemporary: raw.view.relpersistence === 't',
    options: adaptOptions(raw.options, c),
    query: c.query(raw.query.SelectStmt),
    queryText: '',
  });
}

/** CREATE TABLE AS and CREATE MATERIALIZED VIEW. */
export function adaptCreateAs(raw: Raw, c: AdaptContext): Statement {
  const name = relationName(raw.into.rel, c);
  const select = raw.query.SelectStmt;
  if (select === undefined)
    throw notSupported('CREATE TABLE AS EXECUTE', { position: name.position });
  const common = {
    position: name.position,
    name,
    columns: strings(raw.into.colNames),
    ifNotExists: raw.if_not_exists === true,
    query: c.query(select),
    withData: raw.into.skipData !== true,
  };
  if (raw.objtype !== 'OBJECT_MATVIEW') {
    const isTemporary = raw.into.rel.relpersistence === 't';
    return node({ kind: 'create_table_as', ...common, isTemporary });
  }
  return node({
    kind: 'create_materialized_view',
    ...common,
    orReplace: false,
    options: adaptOptions(raw.into.options, c),
    queryText: '',
    emit: null,
  });
}

export function adaptIndex(raw: Raw, c: AdaptContext): CreateIndex {
  const table = relationName(raw.relation, c);
  const keys = (raw.indexParams ?? []).map((item: Raw): SortKey => {
    const key = item.IndexElem;
    const expr =
      key.expr === undefined
        ? node({ kind: 'column_ref' as const, position: table.position, parts: [key.name] })
        : c.expr(key.expr);
    const direction = key.ordering === 'SORTBY_DESC' ? 'desc' : 'asc';
    const nulls = nullsOrder(key.nulls_ordering);
    return node({ kind: 'sort_key', position: expr.position, expr, direction, nulls });
  });
  if (raw.nulls_not_distinct)
    throw notSupported('NULLS NOT DISTINCT', { position: table.position });
  return node({
    kind: 'create_index',
    position: table.position,
    name: raw.idxname ?? null,
    table,
    ifNotExists: raw.if_not_exists === true,
    isUnique: raw.unique === true,
    method: raw.accessMethod ?? 'btree',
    keys,
    include: (raw.indexIncludingParams ?? []).map((item: Raw) => item.IndexElem.name),
    where: raw.whereClause === undefined ? null : c.expr(raw.whereClause),
  });
}

// ---------------------------------------------------------------------------------------------- drop, alter, comment

const OBJECTS: Readonly<Record<string, ObjectKind>> = {
  OBJECT_TABLE: 'table',
  OBJECT_VIEW: 'view',
  OBJECT_MATVIEW: 'materialized view',
  OBJECT_INDEX: 'index',
  OBJECT_SCHEMA: 'schema',
  OBJECT_COLUMN: 'column',
  OBJECT_TYPE: 'type',
  OBJECT_FUNCTION: 'function',
  OBJECT_SEQUENCE: 'sequence',
  OBJECT_DATABASE: 'database',
};

function objectKind(raw: string | undefined, verb: string, position: number): ObjectKind {
  const kind = OBJECTS[raw ?? ''];
  if (kind !== undefined) return kind;
  const words = (raw ?? 'OBJECT_THIS').slice('OBJECT_'.length).replaceAll('_', ' ');
  throw notSupported(`${verb} ${words}`, { position });
}

function objectName(raw: Raw, position: number): QualifiedName {
  const [kind, body] = unwrap(raw);
  if (kind === 'List') return nameOf(strings(body.items), position);
  if (kind === 'TypeName') return nameOf(strings(body.names), position);
  if (kind === 'ObjectWithArgs') return nameOf(strings(body.objname), position);
  return nameOf([body.sval ?? ''], position);
}

export function adaptDrop(raw: Raw, c: AdaptContext): Statement {
  const position = c.at(0);
  return node({
    kind: 'drop',
    position,
    object: objectKind(raw.removeType, 'DROP', position),
    names: raw.objects.map((item: Raw) => objectName(item, position)),
    ifExists: raw.missing_ok === true,
    behavior: raw.behavior === 'DROP_CASCADE' ? 'cascade' : 'restrict',
  });
}

export function adaptComment(raw: Raw, c: AdaptContext): Statement {
  const position = c.at(0);
  return node({
    kind: 'comment',
    position,
    object: objectKind(raw.objtype, 'COMMENT ON', position),
    name: objectName(raw.object, position),
    text: raw.comment ?? null,
  });
}

export function adaptRename(raw: Raw, c: AdaptContext): Statement {
  const isColumn = raw.renameType === 'OBJECT_COLUMN';
  const position = c.at(raw.relation?.location ?? 0);
  const object = objectKind(
    isColumn ? raw.relationType : raw.renameType,
    'ALTER ... RENAME of a',
    position,
  );
  const action: AlterAction = isColumn
    ? node({ kind: 'rename_column', column: raw.subname, newName: raw.newname })
    : node({ kind: 'rename', newName: raw.newname });
  const name =
    raw.relation === undefined
      ? nameOf([raw.subname ?? ''], position)
      : relationName(raw.relation, c);
  if (object === 'type' || object === 'function')
    throw notSupported(`ALTER ${object.toUpperCase()}`, { position });
  return node({
    kind: 'alter',
    position,
    object,
    name,
    ifExists: raw.missing_ok === true,
    actions: [action],
  });
}

export function adaptAlterSchema(raw: Raw, c: AdaptContext): Statement {
  const position = c.at(raw.relation?.location ?? 0);
  if (raw.relation === undefined)
    throw notSupported('ALTER ... SET SCHEMA of this object', { position });
  return node({
    kind: 'alter',
    position,
    object: objectKind(raw.objectType, 'ALTER', position),
    name: relationName(raw.relation, c),
    ifExists: raw.missing_ok === true,
    actions: [node({ kind: 'set_schema', schema: raw.newschema })],
  });
}

export function adaptAlterTable(raw: Raw, c: AdaptContext): Statement {
  const name = relationName(raw.relation, c);
  return node({
    kind: 'alter',
    position: name.position,
    object: objectKind(raw.objtype ?? 'OBJECT_TABLE', 'ALTER', name.position),
    name,
    ifExists: raw.missing_ok === true,
    actions: raw.cmds.map((item: Raw) => adaptAlterAction(item.AlterTableCmd, name, c)),
  });
}

function adaptAlterAction(raw: Raw, name: QualifiedName, c: AdaptContext): AlterAction {
  const { position } = name;
  const ifExists = raw.missing_ok === true;
  switch (raw.subtype) {
    case undefined:
    case 'AT_AddColumn':
      return node({
        kind: 'add_column',
        column: adaptColumn(raw.def.ColumnDef, name, c),
        ifNotExists: ifExists,
      });
    case 'AT_DropColumn':
      return node({ kind: 'drop_column', column: raw.name, ifExists });
    case 'AT_ColumnDefault':
      return node({
        kind: 'set_default',
        column: raw.name,
        default: raw.def === undefined ? null : c.expr(raw.def),
      });
    case 'AT_SetNotNull':
    case 'AT_DropNotNull':
      return node({
        kind: 'set_not_null',
        column: raw.name,
        isNotNull: raw.subtype === 'AT_SetNotNull',
      });
    case 'AT_AlterColumnType': {
      const def = raw.def.ColumnDef;
      const using = def.raw_default === undefined ? null : c.expr(def.raw_default);
      return node({
        kind: 'alter_type',
        column: raw.name,
        type: adaptTypeName(def.typeName, c),
        using,
      });
    }
    case 'AT_SetRelOptions':
      return node({ kind: 'set_options', options: adaptOptions(raw.def.List.items, c) });
    case 'AT_ResetRelOptions':
      return node({
        kind: 'reset_options',
        names: raw.def.List.items.map((item: Raw) => item.DefElem.defname),
      });
    case 'AT_AddConstraint':
      return node({
        kind: 'add_constraint',
        constraint: adaptConstraint(raw.def.Constraint, [], c),
      });
    case 'AT_DropConstraint':
      return node({ kind: 'drop_constraint', name: raw.name, ifExists });
    case 'AT_ChangeOwner':
      return node({ kind: 'owner_to', owner: raw.newowner.rolename ?? '' });
    default: {
      const words = String(raw.subtype)
        .slice(3)
        .replace(/(?<=[a-z])(?=[A-Z])/g, ' ');
      throw notSupported(`ALTER TABLE: ${words.toUpperCase()}`, { position });
    }
  }
}

/** NOT NULL and NULL of one column must not contradict each other. */
function refuseContradiction(raw: Raw, table: QualifiedName, c: AdaptContext): void {
  const all = (raw.constraints ?? []).map((item: Raw) => item.Constraint);
  const not = all.find((item: Raw) => item.contype === 'CONSTR_NOTNULL');
  const maybe = all.find((item: Raw) => item.contype === 'CONSTR_NULL');
  if (not === undefined || maybe === undefined) return;
  const message = `conflicting NULL/NOT NULL declarations for column "${raw.colname}" of table "${table.parts.at(-1)}"`;
  const position = c.at(Math.max(not.location, maybe.location));
  throw new SqlError('42601', message, { position });
}
