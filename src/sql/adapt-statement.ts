/** Statements of libpg-query's tree -> ours: rows, cursors, transactions, settings. */

import { notSupported, SqlError } from '../base/sql-error.ts';
import { formatInterval, parseInterval } from '../types/interval.ts';
import { DEFAULT_SETTINGS } from '../types/settings.ts';
import {
  type AdaptContext,
  node,
  type Raw,
  relationName,
  strings,
  unwrap,
} from './adapt-context.ts';
import {
  adaptAlterSchema,
  adaptAlterTable,
  adaptComment,
  adaptCreateAs,
  adaptCreateTable,
  adaptDrop,
  adaptIndex,
  adaptOptions,
  adaptRename,
  adaptView,
} from './adapt-definition.ts';
import { adaptTypeName } from './adapt-expr.ts';
import { adaptSelectItems, adaptTableRef, adaptWith } from './adapt-query.ts';
import type { SelectItem } from './ast.ts';
import type {
  Assignment,
  Copy,
  Fetch,
  Insert,
  OnConflict,
  SetStatement,
  Statement,
  TransactionStatement,
} from './statements.ts';

type StatementAdapter = (raw: Raw, context: AdaptContext) => Statement;

const ADAPTERS: Readonly<Record<string, StatementAdapter>> = {
  SelectStmt: adaptSelectStatement,
  InsertStmt: adaptInsert,
  UpdateStmt: (raw, c) =>
    node({
      kind: 'update',
      ...target(raw, c),
      assignments: adaptAssignments(raw.targetList, c),
      from: (raw.fromClause ?? []).map((item: Raw) => adaptTableRef(item, c)),
      where: optional(raw.whereClause, c),
      returning: returning(raw, c),
    }),
  DeleteStmt: (raw, c) =>
    node({
      kind: 'delete',
      ...target(raw, c),
      using: (raw.usingClause ?? []).map((item: Raw) => adaptTableRef(item, c)),
      where: optional(raw.whereClause, c),
      returning: returning(raw, c),
    }),
  TruncateStmt: (raw, c) =>
    node({
      kind: 'truncate',
      position: c.at(0),
      tables: raw.relations.map((item: Raw) => relationName(item.RangeVar, c)),
      restartIdentity: raw.restart_seqs === true,
      behavior: raw.behavior === 'DROP_CASCADE' ? 'cascade' : 'restrict',
    }),
  CopyStmt: adaptCopy,
  CreateStmt: adaptCreateTable,
  ViewStmt: adaptView,
  CreateTableAsStmt: adaptCreateAs,
  IndexStmt: adaptIndex,
  CreateSchemaStmt: adaptCreateSchema,
  DropStmt: adaptDrop,
  RenameStmt: adaptRename,
  AlterObjectSchemaStmt: adaptAlterSchema,
  AlterTableStmt: adaptAlterTable,
  CommentStmt: adaptComment,
  DeclareCursorStmt: adaptDeclare,
  FetchStmt: adaptFetch,
  ClosePortalStmt: (raw, c) =>
    node({ kind: 'close_cursor', position: c.at(0), name: raw.portalname ?? null }),
  TransactionStmt: adaptTransaction,
  VariableSetStmt: adaptSet,
  VariableShowStmt: (raw, c) => node({ kind: 'show_variable', position: c.at(0), name: raw.name }),
  ExplainStmt: (raw, c) =>
    node({
      kind: 'explain',
      position: c.at(0),
      options: adaptOptions(raw.options, c),
      view: null,
      statement: adaptStatement(raw.query, c),
    }),
  PrepareStmt: (raw, c) =>
    node({
      kind: 'prepare',
      position: c.at(0),
      name: raw.name,
      types: (raw.argtypes ?? []).map((item: Raw) => adaptTypeName(item.TypeName, c)),
      statement: adaptStatement(raw.query, c),
    }),
  ExecuteStmt: (raw, c) =>
    node({
      kind: 'execute',
      position: c.at(0),
      name: raw.name,
      args: (raw.params ?? []).map(c.expr),
    }),
  DeallocateStmt: (raw, c) =>
    node({ kind: 'deallocate', position: c.at(0), name: raw.name ?? null }),
  DiscardStmt: (raw, c) =>
    node({
      kind: 'discard',
      position: c.at(0),
      target: String(raw.target ?? 'DISCARD_ALL')
        .slice('DISCARD_'.length)
        .toLowerCase() as 'all',
    }),
  RefreshMatViewStmt: (raw, c) =>
    node({ kind: 'refresh', position: c.at(0), name: relationName(raw.relation, c) }),
};

/** Statements that a client sends and that do nothing here, or are refused by the session: command tags. */
const UTILITIES: Readonly<Record<string, string>> = {
  ListenStmt: 'LISTEN',
  UnlistenStmt: 'UNLISTEN',
  NotifyStmt: 'NOTIFY',
  LockStmt: 'LOCK TABLE',
  CheckPointStmt: 'CHECKPOINT',
  ConstraintsSetStmt: 'SET CONSTRAINTS',
  ReindexStmt: 'REINDEX',
  ClusterStmt: 'CLUSTER',
  LoadStmt: 'LOAD',
};

const FEATURES: Readonly<Record<string, string>> = {
  CreateEnumStmt: 'CREATE TYPE',
  CompositeTypeStmt: 'CREATE TYPE',
  CreateRangeStmt: 'CREATE TYPE',
  CreateTrigStmt: 'CREATE TRIGGER',
  CreateSeqStmt: 'CREATE SEQUENCE',
  CreatedbStmt: 'CREATE DATABASE',
  DropdbStmt: 'DROP DATABASE',
  DefineStmt: 'CREATE AGGREGATE, OPERATOR, TYPE or COLLATION',
  DoStmt: 'DO',
  CallStmt: 'CALL',
  MergeStmt: 'MERGE',
  RuleStmt: 'CREATE RULE',
};

export function adaptStatement(wrapped: Raw, c: AdaptContext): Statement {
  const [kind, raw] = unwrap(wrapped);
  const adapter = ADAPTERS[kind];
  if (adapter !== undefined) return adapter(raw, c);
  const position = c.at(0);
  if (kind === 'VacuumStmt') {
    const names = (raw.rels ?? []).map((item: Raw) =>
      relationName(item.VacuumRelation.relation, c),
    );
    return node({
      kind: 'utility',
      position,
      command: raw.is_vacuumcmd ? 'VACUUM' : 'ANALYZE',
      names,
    });
  }
  const command = UTILITIES[kind];
  if (command !== undefined) {
    const names = (raw.relations ?? []).flatMap((item: Raw) =>
      item.RangeVar === undefined ? [] : [relationName(item.RangeVar, c)],
    );
    return node({ kind: 'utility', position, command, names });
  }
  const isGrant = kind === 'GrantStmt' || kind === 'GrantRoleStmt';
  if (isGrant) {
    return node({ kind: 'unsupported', position, feature: raw.is_grant ? 'GRANT' : 'REVOKE' });
  }
  const words = kind
    .replace(/Stmt$/, '')
    .replace(/(?<=[a-z])(?=[A-Z])/g, ' ')
    .toUpperCase();
  return node({ kind: 'unsupported', position, feature: FEATURES[kind] ?? words });
}

function optional(raw: Raw, c: AdaptContext) {
  return raw === undefined ? null : c.expr(raw);
}

// ---------------------------------------------------------------------------------------------- rows

function adaptSelectStatement(raw: Raw, c: AdaptContext): Statement {
  const into = raw.intoClause;
  if (into === undefined)
    return node({ kind: 'select_statement', position: c.at(0), query: c.query(raw) });
  const { intoClause: _into, ...plain } = raw;
  const name = relationName(into.rel, c);
  return node({
    kind: 'create_table_as',
    position: name.position,
    name,
    columns: [],
    ifNotExists: false,
    isTemporary: into.rel.relpersistence === 't',
    query: c.query(plain),
    withData: true,
  });
}

function target(raw: Raw, c: AdaptContext) {
  const table = relationName(raw.relation, c);
  return {
    position: table.position,
    with: raw.withClause === undefined ? null : adaptWith(raw.withClause, c),
    table,
    alias: (raw.relation.alias?.aliasname ?? null) as string | null,
  };
}

function returning(raw: Raw, c: AdaptContext): SelectItem[] {
  const clause = raw.returningClause;
  if (clause?.options !== undefined) {
    throw notSupported('RETURNING WITH', { position: c.at(raw.relation.location) });
  }
  return adaptSelectItems(clause?.exprs, c);
}

function plainColumn(item: Raw, c: AdaptContext): { name: string; position: number } {
  const position = c.at(item.ResTarget.location);
  if (item.ResTarget.indirection !== undefined) {
    throw notSupported('assignment to a part of a column', { position });
  }
  return node({ name: item.ResTarget.name, position });
}

function adaptInsert(raw: Raw, c: AdaptContext): Insert {
  const override: Record<string, Insert['overriding']> = {
    OVERRIDING_SYSTEM_VALUE: 'system',
    OVERRIDING_USER_VALUE: 'user',
  };
  return node({
    kind: 'insert',
    ...target(raw, c),
    columns: (raw.cols ?? []).map((item: Raw) => plainColumn(item, c)),
    overriding: override[raw.override] ?? null,
    query: raw.selectStmt === undefined ? null : c.query(raw.selectStmt.SelectStmt),
    onConflict:
      raw.onConflictClause === undefined ? null : adaptOnConflict(raw.onConflictClause, c),
    returning: returning(raw, c),
  });
}

function adaptOnConflict(raw: Raw, c: AdaptContext): OnConflict {
  const position = c.at(raw.location);
  const columns = (raw.infer?.indexElems ?? []).map((item: Raw) => {
    if (item.IndexElem.name === undefined)
      throw notSupported('ON CONFLICT (expression)', { position });
    return item.IndexElem.name;
  });
  return node({
    kind: 'on_conflict',
    position,
    columns,
    constraint: raw.infer?.conname ?? null,
    indexWhere: optional(raw.infer?.whereClause, c),
    action: raw.action === 'ONCONFLICT_UPDATE' ? 'update' : 'nothing',
    assignments: adaptAssignments(raw.targetList, c),
    where: optional(raw.whereClause, c),
  });
}

/** (a, b) = row comes as one target a column, each with the same source: folded back into one. */
function adaptAssignments(list: Raw, c: AdaptContext): Assignment[] {
  const assignments: Assignment[] = [];
  const items = list ?? [];
  for (let i = 0; i < items.length; ) {
    const { position } = plainColumn(items[i], c);
    const multi = items[i].ResTarget.val.MultiAssignRef;
    const count = multi === undefined ? 1 : multi.ncolumns;
    const columns = items.slice(i, i + count).map((item: Raw) => plainColumn(item, c).name);
    const value = c.expr(multi === undefined ? items[i].ResTarget.val : multi.source);
    assignments.push(node({ kind: 'assignment', position, columns, value }));
    i += count;
  }
  return assignments;
}

function adaptCopy(raw: Raw, c: AdaptContext): Copy {
  const table = raw.relation === undefined ? null : relationName(raw.relation, c);
  const select = raw.query?.SelectStmt;
  if (raw.query !== undefined && select === undefined) {
    throw notSupported('COPY of a statement with RETURNING', { position: c.at(0) });
  }
  return node({
    kind: 'copy',
    position: table?.position ?? c.at(0),
    table,
    columns: strings(raw.attlist),
    query: select === undefined ? null : c.query(select),
    subscribe: null,
    direction: raw.is_from ? 'from' : 'to',
    file: raw.filename ?? null,
    isProgram: raw.is_program === true,
    options: adaptOptions(raw.options, c),
    where: optional(raw.whereClause, c),
  });
}

function adaptCreateSchema(raw: Raw, c: AdaptContext): Statement {
  const position = c.at(0);
  if (raw.schemaElts !== undefined) throw notSupported('CREATE SCHEMA with elements', { position });
  const name = raw.schemaname ?? raw.authrole?.rolename ?? '';
  return node({ kind: 'create_schema', position, name, ifNotExists: raw.if_not_exists === true });
}

// ---------------------------------------------------------------------------------------------- cursors

const CURSOR_BINARY = 0x1;
const CURSOR_SCROLL = 0x2;
const CURSOR_NO_SCROLL = 0x4;
const CURSOR_HOLD = 0x20;

function adaptDeclare(raw: Raw, c: AdaptContext): Statement {
  const options = raw.options ?? 0;
  let scroll: boolean | null = null;
  if (options & CURSOR_SCROLL) scroll = true;
  if (options & CURSOR_NO_SCROLL) scroll = false;
  return node({
    kind: 'declare_cursor',
    position: c.at(0),
    name: raw.portalname,
    isBinary: (options & CURSOR_BINARY) !== 0,
    scroll,
    isWithHold: (options & CURSOR_HOLD) !== 0,
    query: c.query(raw.query.SelectStmt),
    subscribe: null,
  });
}

const FETCH_ALL = 2147483647;

function adaptFetch(raw: Raw, c: AdaptContext): Fetch {
  const count = raw.howMany ?? 0;
  return node({
    kind: 'fetch',
    position: c.at(0),
    isMove: raw.ismove === true,
    cursor: raw.portalname,
    direction: String(raw.direction ?? 'FETCH_FORWARD')
      .slice('FETCH_'.length)
      .toLowerCase() as Fetch['direction'],
    count: Math.abs(Number(count)) >= FETCH_ALL ? 'all' : BigInt(count),
  });
}

// ---------------------------------------------------------------------------------------------- session

const TRANSACTION_ACTIONS: Readonly<Record<string, TransactionStatement['action']>> = {
  START: 'begin',
  BEGIN: 'begin',
  COMMIT: 'commit',
  ROLLBACK: 'rollback',
  SAVEPOINT: 'savepoint',
  RELEASE: 'release',
  ROLLBACK_TO: 'rollback_to',
  PREPARE: 'prepare',
  COMMIT_PREPARED: 'commit_prepared',
  ROLLBACK_PREPARED: 'rollback_prepared',
};

function adaptTransaction(raw: Raw, c: AdaptContext): TransactionStatement {
  const options = new Map<string, string | null>();
  for (const option of adaptOptions(raw.options, c)) options.set(option.name, option.value);
  const flag = (name: string): boolean | null =>
    options.has(name) ? options.get(name) === '1' : null;
  const kind = String(raw.kind ?? 'TRANS_STMT_BEGIN').slice('TRANS_STMT_'.length);
  return node({
    kind: 'transaction',
    position: c.at(0),
    action: TRANSACTION_ACTIONS[kind] ?? 'begin',
    savepoint: raw.savepoint_name ?? null,
    isolation: options.get('transaction_isolation') ?? null,
    isReadOnly: flag('transaction_read_only'),
    isDeferrable: flag('transaction_deferrable'),
    isChain: raw.chain === true,
  });
}

const HOUR_US = 3_600_000_000;

function hoursOf(text: string): string {
  const interval = parseInterval(text);
  const { months, days, microseconds } = interval;
  if (months !== 0 || days !== 0) {
    const value = `INTERVAL '${formatInterval(interval, DEFAULT_SETTINGS)}'`;
    throw new SqlError('22023', `invalid value for parameter "TimeZone": "${value}"`, {
      detail: `Cannot specify ${months !== 0 ? 'months' : 'days'} in time zone interval.`,
    });
  }
  return String(Number(microseconds) / HOUR_US);
}

function settingText(raw: Raw, c: AdaptContext): string {
  const expr = c.expr(raw);
  if (expr.kind === 'literal') return expr.text;
  // SET TIME ZONE INTERVAL '...': hours east, as a plain number says them too.
  if (expr.kind === 'cast' && expr.operand.kind === 'literal') {
    return hoursOf(expr.operand.text);
  }
  throw notSupported('an expression in SET', { position: expr.position });
}

function adaptSet(raw: Raw, c: AdaptContext): Statement {
  const position = c.at(0);
  const scope: SetStatement['scope'] = raw.is_local ? 'local' : 'session';
  switch (raw.kind) {
    case 'VAR_RESET':
      return node({ kind: 'reset', position, name: raw.name });
    case 'VAR_RESET_ALL':
      return node({ kind: 'reset', position, name: null });
    case 'VAR_SET_MULTI': {
      const name = String(raw.name).toLowerCase();
      if (name === 'transaction snapshot')
        throw notSupported('SET TRANSACTION SNAPSHOT', { position });
      return node({
        kind: 'set',
        position,
        scope,
        name,
        values: null,
        options: adaptOptions(raw.args, c),
      });
    }
    case 'VAR_SET_DEFAULT':
      return node({ kind: 'set', position, scope, name: raw.name, values: null, options: [] });
    case 'VAR_SET_CURRENT':
      throw notSupported('SET ... FROM CURRENT', { position });
    default:
      return node({
        kind: 'set',
        position,
        scope,
        name: raw.name,
        values: (raw.args ?? []).map((arg: Raw) => settingText(arg, c)),
        options: [],
      });
  }
}
