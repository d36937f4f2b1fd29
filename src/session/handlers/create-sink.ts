/** CREATE SINK: a dataflow whose changes go out. */

import { must } from '../../base/assert.ts';
import type { Random } from '../../base/random.ts';
import type { ConnectorDefinition, Json, SinkObject } from '../../catalog/objects.ts';
import { checkSinkOptions, hasSnapshot, probeSink } from '../../connect/connectors.ts';
import { planView, type ViewOptions } from '../../plan/planner.ts';
import type { QualifiedName, Query } from '../../sql/ast.ts';
import type { CreateSink } from '../../sql/statements.ts';
import { connectorDefinition, withOptionPlaces } from '../connector-options.ts';
import {
  changeOf,
  emitPeriod,
  engineColumns,
  frozenSettings,
  objectBase,
  placeForCreate,
  splitName,
} from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { OptionSecrets } from '../option-secrets.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';
import { viewOptions } from './create-materialized-view.ts';

export function planCreateSink(ast: CreateSink, { session }: HandlerContext): StatementPlan {
  if (ast.into !== null) refuse('CREATE SINK ... INTO', ast.position);
  return command(async () => {
    await withOptionPlaces(ast, () => createSink(ast, session));
    return 'CREATE SINK';
  });
}

/** `SELECT * FROM name`, as the parser would give it. */
function selectAll(name: QualifiedName): Query {
  const { position } = name;
  return {
    kind: 'query',
    position,
    with: null,
    body: {
      kind: 'select',
      position,
      distinct: null,
      items: [
        {
          kind: 'select_item',
          position,
          expr: { kind: 'star', position, qualifier: [] },
          alias: null,
        },
      ],
      from: [{ kind: 'table_name', position, name, alias: null, asOf: null }],
      where: null,
      groupBy: [],
      isGroupByDistinct: false,
      having: null,
      windows: [],
    },
    orderBy: [],
    limit: null,
    isWithTies: false,
    offset: null,
    isLocking: false,
  };
}

async function createSink(ast: CreateSink, session: SessionState): Promise<void> {
  const placement = await placeForCreate(ast.name, ast.ifNotExists, session, 'CREATE SINK');
  if (placement === null) return;
  const query = ast.query ?? selectAll(ast.from!);
  const planned = planView(query, [], sinkOptions(ast, session), session.plannerContext());
  const { catalog } = session;
  const connector = connectorDefinition(ast.options, ast.format, ast.position, catalog);
  const columns = engineColumns(planned.columns);
  const { isAppendOnly } = must(planned.plan.node.properties);
  const { fileRoots, clock, random } = session.database;
  const check = (options: ConnectorDefinition) =>
    checkSinkOptions(
      options,
      columns,
      { isAppendOnly, key: planned.plan.key },
      { fileRoots, clock },
    );
  const secrets = new OptionSecrets(connector, session);
  const uuid = randomUuid(random);
  const probed = await secrets.hidden(() => probeSink(check(secrets.plain), uuid));
  const sink: SinkObject = {
    kind: 'sink',
    ...objectBase(catalog.nextId, placement.name),
    schemaId: placement.schema.id,
    columns: planned.columns,
    sql: ast.queryText ?? `SELECT * FROM ${ast.from!.parts.join('.')}`,
    plan: planned.plan as unknown as Json,
    connector,
    intoTableId: null,
    uuid,
    dependsOn: planned.plan.relationIds,
    settings: frozenSettings(session),
  };
  session.running.addDdl(changeOf(catalog, [sink]), [
    {
      kind: 'create_sink',
      id: sink.id,
      name: sink.name,
      plan: planned.plan,
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

/** A version 4 UUID (RFC 9562). */
function randomUuid(random: Random): string {
  const bytes = random.bytes(16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return Buffer.from(bytes)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
