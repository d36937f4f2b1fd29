/** SHOW, DESCRIBE: settings, lists of objects, and objects' definitions. */

import { must } from '../../base/assert.ts';
import { SqlError } from '../../base/sql-error.ts';
import { isReadable, kindName, type RelationObject } from '../../catalog/objects.ts';
import { indexDefinition } from '../../catalog/system/pg-views.ts';
import { ValueRows } from '../../serve/row-source.ts';
import type { Describe, ShowCreate, ShowObjects, ShowVariable } from '../../sql/statements.ts';
import { BOOL, type DataType, INT8, TEXT, type Value } from '../../types/data-type.ts';
import { typeName } from '../../types/value.ts';
import { createStatement } from '../create-statement.ts';
import { DATABASE_NAME } from '../database.ts';
import { findObject, notFound, splitName } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { plainField, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

type Column = readonly [name: string, type: DataType];

/** A statement that answers with rows of its own. */
function table(
  columns: readonly Column[],
  rows: () => Promise<Value[][]>,
  session: SessionState,
  tag: string,
): StatementPlan {
  const types = columns.map(([, type]) => type);
  return {
    parameterTypes: [],
    fields: columns.map(([name, type]) => plainField(name, type)),
    run: async () => ({
      kind: 'rows',
      rows: new ValueRows(types, await rows(), session.database.queries.memories),
      tag: () => tag,
    }),
  };
}

export function planShowVariable(ast: ShowVariable, { session }: HandlerContext): StatementPlan {
  const { variables } = session;
  if (ast.name.toLowerCase() === 'all') {
    const columns: Column[] = [
      ['name', TEXT],
      ['setting', TEXT],
      ['description', TEXT],
    ];
    return table(
      columns,
      async () => variables.all().map(({ name, value, description }) => [name, value, description]),
      session,
      'SHOW',
    );
  }
  variables.get(ast.name);
  return table(
    [[variables.nameOf(ast.name), TEXT]],
    async () => [[variables.show(ast.name)]],
    session,
    'SHOW',
  );
}

const KIND: Readonly<Partial<Record<ShowObjects['objects'], RelationObject['kind']>>> = {
  sources: 'source',
  tables: 'table',
  views: 'view',
  'materialized views': 'materialized_view',
  sinks: 'sink',
  indexes: 'index',
};

export function planShowObjects(ast: ShowObjects, { session }: HandlerContext): StatementPlan {
  const like = ast.like === null ? null : likePattern(ast.like);
  const shown = (name: string) => like === null || like.test(name);
  const kind = KIND[ast.objects];
  if (kind !== undefined) return listRelations(ast, kind, shown, session);
  switch (ast.objects) {
    case 'jobs':
      return showJobs(session);
    case 'schemas':
      return table(
        [['schema', TEXT]],
        async () =>
          session.catalog
            .schemas()
            .map(({ name }) => [name])
            .filter(([name]) => shown(name!)),
        session,
        'SHOW SCHEMAS',
      );
    case 'secrets':
      return table(
        [['name', TEXT]],
        async () =>
          secretNames(session)
            .filter(shown)
            .map((name) => [name]),
        session,
        'SHOW SECRETS',
      );
    case 'databases':
      return table([['database', TEXT]], async () => [[DATABASE_NAME]], session, 'SHOW DATABASES');
    case 'columns':
      return describeColumns(must(ast.from), session, 'SHOW COLUMNS');
    default:
      return refuse(`SHOW ${ast.objects.toUpperCase()}`, ast.position);
  }
}

function secretNames({ catalog }: SessionState): string[] {
  return catalog
    .secrets()
    .map(({ name }) => name)
    .sort();
}

/** LIKE with % and _ over short names. */
function likePattern(pattern: string): RegExp {
  const source = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replaceAll('%', '.*')
    .replaceAll('_', '.');
  return new RegExp(`^${source}$`, 's');
}

function listRelations(
  ast: ShowObjects,
  kind: RelationObject['kind'],
  shown: (name: string) => boolean,
  session: SessionState,
): StatementPlan {
  const schema =
    ast.from === null || kind === 'index'
      ? null
      : session.catalog.requireSchema(must(ast.from.parts.at(-1)), ast.from.position);
  const columns: Column[] = [
    ['schema', TEXT],
    ['name', TEXT],
  ];
  const rows = async () =>
    session.catalog
      .objects()
      .filter((object): object is RelationObject => object.kind === kind && shown(object.name))
      .filter((object) => schema === null || object.schemaId === schema.id)
      .map((object) => [session.catalog.schemaName(object), object.name])
      .sort((a, b) => (a.join('\u0000') < b.join('\u0000') ? -1 : 1));
  return table(columns, rows, session, `SHOW ${ast.objects.toUpperCase()}`);
}

function showJobs(session: SessionState): StatementPlan {
  const columns: Column[] = [
    ['id', INT8],
    ['name', TEXT],
    ['kind', TEXT],
    ['state', TEXT],
    ['rows', INT8],
  ];
  const rows = async () =>
    (await session.database.engine.status()).jobs.map((job) => [
      BigInt(job.id),
      job.name,
      job.kind.replaceAll('_', ' '),
      job.state,
      BigInt(job.rowCount),
    ]);
  return table(columns, rows, session, 'SHOW JOBS');
}

export function planDescribe(ast: Describe, { session }: HandlerContext): StatementPlan {
  return describeColumns(ast.name, session, 'DESCRIBE');
}

function describeColumns(
  name: Describe['name'],
  session: SessionState,
  tag: string,
): StatementPlan {
  const found = session.catalog.findRelation(splitName(name), session.searchPath);
  if (found === undefined)
    throw new SqlError('42P01', `relation "${name.parts.join('.')}" does not exist`, {
      position: name.position,
    });
  if (found.kind !== 'system' && !isReadable(found)) {
    throw new SqlError(
      '42809',
      `"${found.name}" is ${/^[aeiou]/.test(kindName(found)) ? 'an' : 'a'} ${kindName(found)}: it has no columns to describe`,
      { position: name.position },
    );
  }
  const columns: Column[] = [
    ['column', TEXT],
    ['type', TEXT],
    ['nullable', BOOL],
    ['default', TEXT],
  ];
  const rows = async () =>
    found.columns.map((column) => [
      column.name,
      typeName(column.type),
      column.isNotNull !== true,
      'defaultText' in column ? (column.defaultText ?? null) : null,
    ]);
  return table(columns, rows, session, tag);
}

export function planShowCreate(ast: ShowCreate, { session }: HandlerContext): StatementPlan {
  const found = findObject(ast.object, ast.name, session, 'SHOW CREATE');
  if (found === null) throw notFound(ast.object, ast.name);
  const columns: Column[] = [
    ['name', TEXT],
    ['create_sql', TEXT],
  ];
  const text =
    found.kind === 'index'
      ? indexDefinition(session.catalog, found)
      : createStatement(found, session.catalog);
  return table(
    columns,
    async () => [[`${session.catalog.schemaName(found)}.${found.name}`, text]],
    session,
    `SHOW CREATE ${ast.object.toUpperCase()}`,
  );
}
