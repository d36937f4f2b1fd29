/**
 * CREATE SOURCE, and CREATE TABLE ... WITH (connector = ...): relations that a connector fills.
 *
 * Their rows are kept where it is a table (every row), and where records change rows (FORMAT UPSERT, DEBEZIUM: the newest row
 * of each key; semantics.md rule 26). The rows of any other source only pass through.
 */

import { notSupported, SqlError } from '../base/sql-error.ts';
import {
  type CatalogColumn,
  type CatalogObject,
  type ConnectorDefinition,
  constraintKey,
  isKeyedConnector,
  type KeyConstraint,
  type SourceObject,
  type TableObject,
} from '../catalog/objects.ts';
import {
  checkSourceOptions,
  defaultSourceColumns,
  fetchKeyFields,
  fetchMessageSchema,
  probeSource,
  sendsLetters,
} from '../connect/connectors.ts';
import { type CheckContext, OptionError } from '../connect/options.ts';
import type { IncludedField, SourceColumn } from '../connect/source.ts';
import type { FeedStore, Json } from '../dataflow/port.ts';
import { HIDDEN_STORAGES } from '../dataflow/source-store.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { evaluateValue } from '../expr/scalar.ts';
import type { WriterSchema } from '../formats/message-decoder.ts';
import type { BoundRelationDefinition } from '../plan/bound-statement.ts';
import { isVolatile } from '../plan/expr-facts.ts';
import { someExpr } from '../plan/expr-tree.ts';
import { planRelation } from '../plan/planner.ts';
import type { Constraint, CreateSource, CreateTable } from '../sql/statements.ts';
import { DEFAULT_SETTINGS, formatValue } from '../types/value.ts';
import { connectorDefinition } from './connector-options.ts';
import {
  changeOf,
  constraintIndex,
  engineColumns,
  frozenSettings,
  objectBase,
  placeForCreate,
  randomUuid,
} from './ddl.ts';
import { checkKeyTypes } from './key-types.ts';
import { OptionSecrets } from './option-secrets.ts';
import type { SessionState } from './session-state.ts';

export async function createSource(ast: CreateSource, session: SessionState): Promise<void> {
  const placement = await placeForCreate(ast.name, ast.ifNotExists, session, 'CREATE SOURCE');
  if (placement === null) return;
  const checked = await checkRelation(ast, session);
  const { definition, connector } = checked;
  const source: SourceObject = {
    kind: 'source',
    ...objectBase(session.catalog.nextId, placement.name),
    schemaId: placement.schema.id,
    ...definition,
    connector,
    settings: frozenSettings(session),
  };
  const store = isKeyedConnector(connector) ? storeOf(source) : null;
  if (store !== null) {
    session.notice(`source "${source.name}" keeps the newest row of each key`, {
      detail: `FORMAT ${connector.format?.toUpperCase()} needs them; views and queries read those rows.`,
    });
  }
  addRelation(source, [], checked, store, session);
}

export async function createConnectorTable(ast: CreateTable, session: SessionState): Promise<void> {
  const placement = await placeForCreate(ast.name, ast.ifNotExists, session, 'CREATE TABLE');
  if (placement === null) return;
  const checked = await checkRelation(ast, session);
  const { definition, connector } = checked;
  const table: TableObject = {
    kind: 'table',
    ...objectBase(session.catalog.nextId, placement.name),
    schemaId: placement.schema.id,
    ...definition,
    isAppendOnly: !isKeyedConnector(connector),
    onConflict: null,
    connector,
    settings: frozenSettings(session),
  };
  const keys = table.constraints.filter((one): one is KeyConstraint => one.kind !== 'check');
  const indexes = keys.map((key, index) => constraintIndex(table.id + 1 + index, table, key));
  addRelation(table, indexes, checked, storeOf(table), session);
}

interface CheckedRelation {
  readonly definition: BoundRelationDefinition;
  readonly connector: ConnectorDefinition;
  /** connect's own options. */
  readonly checked: Json;
  /** Of what rejected records go to; null: nothing. */
  readonly letterUuid: string | null;
}

/** Columns and options, checked; the outside world was asked. */
async function checkRelation(
  ast: CreateSource | CreateTable,
  session: SessionState,
): Promise<CheckedRelation> {
  const connector = connectorDefinition(ast.options, ast.format, ast.position, session.catalog);
  const secrets = new OptionSecrets(connector, session);
  return secrets.hidden(async () => {
    const { definition, check } = await describeRelation(ast, secrets.plain, session);
    const checked = check(secrets.plain);
    const isKeyed = isKeyedConnector(connector);
    if (isKeyed) checkKeyTypes(definition);
    if (ast.kind === 'create_table') refuseConstraints(ast, definition, isKeyed);
    const letterUuid = sendsLetters(checked) ? randomUuid(session.database.random) : null;
    await probeSource(checked, letterUuid);
    return { definition, connector, checked: secrets.seal(checked, check), letterUuid };
  });
}

interface DescribedRelation {
  readonly definition: BoundRelationDefinition;
  readonly check: (connector: ConnectorDefinition) => Json;
}

/** Columns, also those of a schema elsewhere, and what checks options against them. */
async function describeRelation(
  ast: CreateSource | CreateTable,
  connector: ConnectorDefinition,
  session: SessionState,
): Promise<DescribedRelation> {
  const context = checkContext(session);
  const schema = await fetchMessageSchema(connector, context);
  const key = hasNoKey(ast) ? await fetchKeyFields(connector, context) : null;
  const whole = withKey(withColumns(ast, connector, schema, key), key);
  const definition = planRelation(whole, session.plannerContext());
  return { definition, check: checkOf(definition, { ...context, schema }, session) };
}

function checkOf(
  { columns, constraints }: Pick<BoundRelationDefinition, 'columns' | 'constraints'>,
  context: CheckContext,
  session: SessionState,
) {
  const primary = constraints.find((one) => one.kind === 'primary_key');
  const key = primary?.kind === 'primary_key' ? primary.columns : null;
  const sourceColumns = columns.map((column) => sourceColumn(column, session));
  return (options: ConnectorDefinition): Json =>
    checkSourceOptions(options, sourceColumns, context, key);
}

/** What checks options of a relation that is there, but for the schema of its messages. */
export function relationCheck(relation: SourceObject | TableObject, session: SessionState) {
  return checkOf(relation, checkContext(session), session);
}

function checkContext({ database: { fileRoots, clock }, valueSettings }: SessionState) {
  return { fileRoots, clock, settings: valueSettings };
}

/** What the rows of a connector could break, with nobody there to be told. */
function refuseConstraints(
  ast: CreateTable,
  { constraints }: BoundRelationDefinition,
  isKeyed: boolean,
): void {
  const { position } = ast;
  if (isKeyed && ast.isAppendOnly) {
    throw new SqlError('42P16', 'records that change rows cannot fill an append-only table', {
      position,
    });
  }
  for (const { kind } of constraints) {
    if (kind === 'primary_key' && isKeyed) continue;
    if (kind === 'primary_key') throw notSupported('PRIMARY KEY with FORMAT PLAIN', { position });
    const word = kind === 'check' ? 'CHECK' : 'UNIQUE';
    throw notSupported(`${word} of a table with a connector`, { position });
  }
}

function storeOf({ columns, constraints, connector }: SourceObject | TableObject): FeedStore {
  const storages = columns.map((column) => column.type.storage);
  const isKeyed = connector !== null && isKeyedConnector(connector);
  const key = isKeyed ? constraintKey(columns, constraints) : null;
  const schema = {
    storages: isKeyed ? [...storages, ...HIDDEN_STORAGES] : storages,
    key,
    isAppendOnly: !isKeyed,
    indexes: [],
  };
  return { schema, indexIds: [] };
}

/** Puts the relation into the running transaction. */
function addRelation(
  relation: SourceObject | TableObject,
  indexes: readonly CatalogObject[],
  { checked, letterUuid }: CheckedRelation,
  store: FeedStore | null,
  session: SessionState,
): void {
  const { id, name, columns, watermark, settings } = relation;
  session.running.addDdl(changeOf(session.catalog, [relation, ...indexes]), [
    {
      kind: 'create_source',
      id,
      name,
      columns: engineColumns(columns),
      generated: columns.map((column) => column.generatedExpr as unknown as BoundExpr | null),
      notNull: columns.flatMap((column, index) => (column.isNotNull ? [index] : [])),
      watermark,
      connector: checked,
      settings,
      ...(store === null ? {} : { store }),
      ...(letterUuid === null ? {} : { letterUuid }),
    },
  ]);
}

function sourceColumn(column: CatalogColumn, session: SessionState): SourceColumn {
  const { name, type, generatedExpr, included } = column;
  const isGenerated = generatedExpr !== null;
  if (included === null) return { name, type, isGenerated, default: defaultOf(column, session) };
  const [kind, header = null] = included.split(/:(.*)/s);
  return { name, type, isGenerated, included: { kind, header } as IncludedField };
}

/** DEFAULT as an input text: evaluated once, so that a record is the same row whenever it is read. */
function defaultOf({ name, type, defaultExpr }: CatalogColumn, session: SessionState) {
  if (defaultExpr === null) return null;
  const expr = defaultExpr as unknown as BoundExpr;
  if (isVolatile(expr) || someExpr(expr, (part) => part.kind === 'now')) {
    throw new OptionError(
      '0A000',
      'DEFAULT of a column that a connector fills must be a constant',
      { clause: 'default', column: name },
      'A generated column may hold proctime(), and INCLUDE TIMESTAMP the time of a record.',
    );
  }
  const value = evaluateValue(expr, [], { settings: session.valueSettings, nowUs: 0n });
  return value === null ? null : formatValue(type, value, DEFAULT_SETTINGS);
}

/** Without a column list: the columns that the connector's records have. */
function withColumns<T extends CreateSource | CreateTable>(
  ast: T,
  connector: ConnectorDefinition,
  schema: WriterSchema | null,
  key: readonly SourceColumn[] | null,
): T {
  if (ast.columns.length > 0) return ast;
  const { position } = ast;
  const columns = defaultSourceColumns(connector, schema, key);
  if (columns === null) {
    throw new SqlError(
      '42601',
      `${ast.kind === 'create_source' ? 'CREATE SOURCE' : 'CREATE TABLE'} with connector "${connector.connector}" needs a list of columns`,
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

/** Whether neither columns nor a key are said. */
function hasNoKey({ columns, constraints }: CreateSource | CreateTable): boolean {
  return columns.length === 0 && constraints.every(({ type }) => type !== 'primary_key');
}

/** `key`: fields of the records' keys, the key of the rows; null: nothing is known of them. */
function withKey<T extends CreateSource | CreateTable>(
  ast: T,
  key: readonly SourceColumn[] | null,
): T {
  if (key === null) return ast;
  const { position } = ast;
  const primary: Constraint = {
    kind: 'constraint',
    position,
    name: null,
    type: 'primary_key',
    columns: key.map(({ name }) => name),
    check: null,
    references: null,
  };
  return { ...ast, constraints: [...ast.constraints, primary] };
}
