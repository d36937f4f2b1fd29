/** Opening a query for a session: its snapshot, its writes, what system relations show, where functions ask. */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import { MILLRACE_SCHEMA_ID } from '../catalog/catalog.ts';
import { systemRows } from '../catalog/system/system-rows.ts';
import type { EngineStatus } from '../dataflow/port.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { evaluateValue } from '../expr/scalar.ts';
import { callsSession } from '../expr/session-functions.ts';
import type { PlanNode, QueryPlan } from '../plan/plan-node.ts';
import { connectionRows, millraceRows } from '../serve/millrace-rows.ts';
import { type PointLookup, type PointRun, plainCount } from '../serve/point-lookup.ts';
import { PointRows } from '../serve/point-rows.ts';
import type { RowSource } from '../serve/row-source.ts';
import { scansOf } from '../serve/scans.ts';
import type { SystemRowsProvider } from '../serve/snapshot-inputs.ts';
import { TIMESTAMPTZ, type Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS, formatValue, typeName } from '../types/value.ts';
import { isCallable } from './callable.ts';
import { DATABASE_NAME } from './database.ts';
import type { SessionState } from './session-state.ts';
import { shownText } from './shown-text.ts';
import { checkRunning, checkView } from './view-health.ts';

/** A point lookup for the session's running statement; null: it must run as a query (own writes, a relation that was replaced). */
export function openPoint(
  lookup: PointLookup,
  plan: QueryPlan,
  parameters: readonly Value[],
  session: SessionState,
): RowSource | null {
  const transaction = session.running;
  const { database } = session;
  const { queries } = database;
  const limit = plainCount(plan.limit, parameters);
  const offset = plainCount(plan.offset, parameters);
  if (limit === undefined || offset === undefined) return null;
  const id = lookup.probe?.scan.relation.id ?? null;
  if (id !== null && !isPointReadable(id, lookup, session)) return null;
  const pin = transaction.pin();
  try {
    if (id !== null) checkRelation(id, session, pin.epoch);
    const run: PointRun = {
      reader: id === null ? null : must(queries.reader(id)),
      epoch: pin.epoch,
      parameters,
      limit: rowCount(limit, 'LIMIT') ?? Number.POSITIVE_INFINITY,
      offset: rowCount(offset, 'OFFSET') ?? 0,
      memory: queries.memories.acquire(),
      evaluation: {
        nowUs: transaction.startedUs,
        ...(lookup.needsSession ? { system: session.environment() } : {}),
        random: database.random,
        clock: database.clock,
      },
    };
    return new PointRows(lookup, run, pin, queries.memories);
  } catch (error) {
    pin.release();
    throw error;
  }
}

/** The relation is stored as it was when the lookup was made, and the transaction has not written to it. */
function isPointReadable(id: number, { probe }: PointLookup, session: SessionState): boolean {
  const { writes } = session.running;
  if (writes !== null && (writes.writesOf(id) !== undefined || writes.isNewTable(id))) return false;
  return session.database.queries.handle(id)?.schema === probe?.schema;
}

/** Runs `plan` (parameters bound) for the session's running statement. */
export async function openQuery(plan: QueryPlan, session: SessionState): Promise<RowSource> {
  const transaction = session.running;
  const { database } = session;
  const status = readsMillrace(plan.node) ? await database.engine.status() : null;
  const pin = transaction.pin();
  try {
    checkReadable(plan, session, pin.epoch);
    const environment = session.environment();
    const settings = session.valueSettings;
    const nowUs = transaction.startedUs;
    const scalar = {
      settings,
      nowUs,
      system: environment,
      random: database.random,
      clock: database.clock,
    };
    const count = (expr: BoundExpr | null, name: string) =>
      expr === null ? null : rowCount(evaluateValue(expr, [], scalar), name);
    return await database.queries.open({
      request: {
        plan,
        limit: count(plan.limit, 'LIMIT') ?? Number.POSITIVE_INFINITY,
        offset: count(plan.offset, 'OFFSET') ?? 0,
        settings,
        environment,
        nowUs,
        random: database.random,
        clock: database.clock,
      },
      pin,
      writes: transaction.writes,
      systemRows: systemRowsProvider(session, status),
      signal: session.signal,
      needsSession: callsSession(plan.node),
    });
  } catch (error) {
    pin.release();
    throw error;
  }
}

function rowCount(value: Value, clause: string): number | null {
  if (value === null) return null;
  const count = Number(value);
  if (count < 0) {
    throw new SqlError(clause === 'LIMIT' ? '2201W' : '2201X', `${clause} must not be negative`);
  }
  return count;
}

function readsMillrace(node: PlanNode): boolean {
  for (const { relation } of scansOf(node)) {
    if (relation.kind === 'system' && relation.schema === 'millrace') return true;
  }
  return false;
}

function checkReadable(plan: QueryPlan, session: SessionState, epoch: number): void {
  for (const { relation } of scansOf(plan.node)) checkRelation(relation.id, session, epoch);
}

function checkRelation(id: number, session: SessionState, epoch: number): void {
  session.running.noteRead(id);
  const relation = session.catalog.object(id);
  const allowsStale = session.variables.get('allow_stale_reads') === 'on';
  if (relation?.kind === 'materialized_view') {
    checkView(relation, session.database, epoch, allowsStale);
  } else if (relation?.kind === 'table' || relation?.kind === 'source') {
    if (!allowsStale) checkRunning(relation, session.database);
  }
}

function systemRowsProvider(
  session: SessionState,
  status: EngineStatus | null,
): SystemRowsProvider {
  const { database, catalog } = session;
  return (schema, name, columns) => {
    const schemaId = must(catalog.schema(schema)).id;
    const relation = must(
      catalog.systemRelations().find((one) => one.schema === schema && one.name === name),
    );
    const types = relation.columns.map((column) => column.type);
    if (schemaId === MILLRACE_SCHEMA_ID && name === 'connections') {
      return { types, rows: connectionRows(sessionRows(session)) };
    }
    if (schemaId === MILLRACE_SCHEMA_ID) {
      return {
        types,
        rows: millraceRows(
          name,
          must(status),
          catalog,
          database.queries,
          database.engine.control.published,
          new Set(columns.map((column) => must(relation.columns[column]).name)),
        ),
      };
    }
    const rows = systemRows(relation, {
      catalog,
      database: DATABASE_NAME,
      searchPath: session.searchPath,
      settings: session.variables.all(),
      sessions: sessionRows(session),
      cursors: [...session.cursors.values()],
      preparedStatements: [...session.prepared.values()]
        .filter((one) => one.name !== '')
        .map((one) => ({ name: one.name, statement: shownText(one.statement?.text ?? '') })),
      formatType: typeName,
      isCallable,
    });
    return { types, rows };
  };
}

function sessionRows({ database }: SessionState) {
  return [...database.sessions.values()].map((one) => ({
    processId: one.processId,
    user: one.user,
    applicationName: one.applicationName,
    clientAddress: one.clientAddress,
    state: one.state,
    query: one.query,
    startedText: timestampText(one.startedUs),
    statementUs: one.statementUs,
  }));
}

/** A timestamptz in its text form. */
export function timestampText(us: bigint): string {
  return formatValue(TIMESTAMPTZ, us, DEFAULT_SETTINGS);
}
