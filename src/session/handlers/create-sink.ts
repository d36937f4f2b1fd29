/** CREATE SINK: a dataflow whose changes go out. */

import { must } from '../../base/assert.ts';
import type { ConnectorDefinition, Json, SinkObject } from '../../catalog/objects.ts';
import { checkSinkOptions, hasSnapshot, probeSink, uniqueKeyOf } from '../../connect/connectors.ts';
import type { StreamPlan } from '../../plan/plan-node.ts';
import { planView, type ViewOptions } from '../../plan/planner.ts';
import { withUniqueKey } from '../../plan/unique-key.ts';
import type { QualifiedName, Query } from '../../sql/ast.ts';
import { namedTable, selectQuery, star } from '../../sql/make-query.ts';
import type { CreateSink } from '../../sql/statements.ts';
import { connectorDefinition, withOptionPlace, withOptionPlaces } from '../connector-options.ts';
import {
  changeOf,
  emitPeriod,
  engineColumns,
  frozenSettings,
  objectBase,
  placeForCreate,
  randomUuid,
  splitName,
} from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { OptionSecrets } from '../option-secrets.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';
import { viewOptions } from './create-materialized-view.ts';

export function planCreateSink(ast: CreateSink, { session }: HandlerContext): StatementPlan {
  return command(async () => {
    await withOptionPlaces(ast, () => createSink(ast, session));
    return 'CREATE SINK';
  });
}

/** `SELECT * FROM name` */
function selectAll(name: QualifiedName): Query {
  const { position } = name;
  return selectQuery(position, [star(position)], namedTable(name, position));
}

/** A sink's dataflow and options, checked, but for what only the outside world can tell. */
interface PlannedSink {
  readonly plan: StreamPlan;
  readonly columns: SinkObject['columns'];
  readonly connector: ConnectorDefinition;
  readonly secrets: OptionSecrets;
  /** Of the connector's options with their secrets' values. */
  readonly checked: Json;
  check(options: ConnectorDefinition): Json;
}

function planSink(ast: CreateSink, session: SessionState): PlannedSink {
  if (ast.into !== null) refuse('CREATE SINK ... INTO', ast.position);
  const query = ast.query ?? selectAll(ast.from!);
  const context = session.plannerContext();
  const { plan, columns } = planView(query, [], sinkOptions(ast, session), context);
  const connector = connectorDefinition(ast.options, ast.format, ast.position, session.catalog);
  const check = checkOf(plan, columns, session);
  const secrets = new OptionSecrets(connector, session);
  const common = { columns, connector, secrets, check };
  try {
    const checked = check(secrets.plain);
    const unique = uniqueKeyOf(checked);
    if (unique === null) return { ...common, plan, checked };
    return { ...common, plan: withUniqueKey(plan, unique, context), checked };
  } catch (error) {
    throw secrets.withStars(error);
  }
}

function checkOf(plan: StreamPlan, columns: SinkObject['columns'], session: SessionState) {
  const sent = engineColumns(columns);
  const { isAppendOnly } = must(plan.node.properties);
  const { fileRoots, clock } = session.database;
  return (options: ConnectorDefinition): Json =>
    checkSinkOptions(options, sent, { isAppendOnly, key: plan.key }, { fileRoots, clock });
}

/** What checks options of a sink that is there. */
export function sinkCheck({ plan, columns }: SinkObject, session: SessionState) {
  return checkOf(plan as unknown as StreamPlan, columns, session);
}

/** EXPLAIN CREATE SINK: what it would run; nothing outside is asked. */
export function planOfSink(ast: CreateSink, session: SessionState): StreamPlan {
  try {
    return planSink(ast, session).plan;
  } catch (error) {
    throw withOptionPlace(error, ast);
  }
}

async function createSink(ast: CreateSink, session: SessionState): Promise<void> {
  const placement = await placeForCreate(ast.name, ast.ifNotExists, session, 'CREATE SINK');
  if (placement === null) return;
  const { plan, columns, connector, secrets, checked, check } = planSink(ast, session);
  const { catalog } = session;
  const uuid = randomUuid(session.database.random);
  const probed = await secrets.hidden(() => probeSink(checked, uuid));
  const sink: SinkObject = {
    kind: 'sink',
    ...objectBase(catalog.nextId, placement.name),
    schemaId: placement.schema.id,
    columns,
    sql: ast.queryText ?? `SELECT * FROM ${ast.from!.parts.join('.')}`,
    plan: plan as unknown as Json,
    connector,
    intoTableId: null,
    uuid,
    dependsOn: plan.relationIds,
    settings: frozenSettings(session),
  };
  for (const notice of plan.notices) session.notice(notice);
  session.running.addDdl(changeOf(catalog, [sink]), [
    {
      kind: 'create_sink',
      id: sink.id,
      name: sink.name,
      plan,
      settings: sink.settings,
      connector: secrets.seal(probed, check),
      uuid,
      hasSnapshot: hasSnapshot(probed),
    },
  ]);
}

/** Its own EMIT clause; FROM a view that is EMIT PERIODIC without one: the view's period. */
function sinkOptions(ast: CreateSink, session: SessionState): ViewOptions {
  const own = viewOptions([], ast.emit, session);
  if (ast.emit !== null || ast.from === null) return own;
  const emitPeriodUs = emitPeriod(
    session.catalog.findRelation(splitName(ast.from), session.searchPath),
  );
  return emitPeriodUs === null ? own : { ...own, emit: 'periodic', emitPeriodUs };
}
