/** CREATE MATERIALIZED VIEW: a dataflow that keeps the query's result, from its COMMIT on. */

import { closestName } from '../../base/closest-name.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { Json, MaterializedViewObject } from '../../catalog/objects.ts';
import { evaluateValue } from '../../expr/scalar.ts';
import { planExpression, planView, type ViewOptions } from '../../plan/planner.ts';
import type { Emit } from '../../sql/ast.ts';
import type { CreateMaterializedView, Option } from '../../sql/statements.ts';
import { INTERVAL } from '../../types/data-type.ts';
import type { Interval } from '../../types/interval.ts';
import { parseValue } from '../../types/value.ts';
import { changeOf, frozenSettings, objectBase, placeForCreate, viewSchema } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { command, type StatementPlan } from '../prepared-statement.ts';
import { refuse, type SessionState } from '../session-state.ts';

const OPTIONS = ['allowed_lateness', 'late_rows', 'on_error'];
const RESERVED: ReadonlySet<string> = new Set(['retention', 'ttl']);

export function planCreateMaterializedView(
  ast: CreateMaterializedView,
  { session }: HandlerContext,
): StatementPlan {
  if (ast.orReplace) refuse('CREATE OR REPLACE MATERIALIZED VIEW', ast.position);
  if (!ast.withData) refuse('WITH NO DATA', ast.position);
  return command(async () => {
    await createView(ast, session);
    return 'CREATE MATERIALIZED VIEW';
  });
}

async function createView(ast: CreateMaterializedView, session: SessionState): Promise<void> {
  const placement = await placeForCreate(
    ast.name,
    ast.ifNotExists,
    session,
    'CREATE MATERIALIZED VIEW',
  );
  if (placement === null) return;
  const options = viewOptions(ast.options, ast.emit, session);
  const planned = planView(ast.query, ast.columns, options, session.plannerContext());
  const view: MaterializedViewObject = {
    kind: 'materialized_view',
    ...objectBase(session.catalog.nextId, placement.name),
    schemaId: placement.schema.id,
    columns: planned.columns,
    sql: ast.queryText,
    plan: planned.plan as unknown as Json,
    properties: planned.properties,
    options: Object.fromEntries(ast.options.map(({ name, value }) => [name, value ?? ''])),
    dependsOn: planned.plan.relationIds,
    settings: frozenSettings(session),
  };
  for (const notice of planned.plan.notices) session.notice(notice);
  session.running.addDdl(changeOf(session.catalog, [view]), [
    {
      kind: 'create_view',
      id: view.id,
      name: view.name,
      plan: planned.plan,
      schema: viewSchema(view),
      settings: view.settings,
    },
  ]);
}

/** WITH (...) and EMIT of a view or sink. */
export function viewOptions(
  options: readonly Option[],
  emit: Emit | null,
  session: SessionState,
): ViewOptions {
  const given = new Map<string, Option>();
  for (const option of options) {
    checkName(option);
    given.set(option.name, option);
  }
  return {
    emit: emit?.mode ?? 'update',
    emitPosition: emit?.position,
    emitPeriodUs: emit?.period == null ? null : positiveUs(emit, session),
    allowedLatenessUs: durationUs(given.get('allowed_lateness'), session),
    lateRows: choice(given.get('late_rows'), ['dead_letter', 'drop']) ?? 'dead_letter',
    onError: choice(given.get('on_error'), ['fail', 'withhold']),
  };
}

function checkName({ name, position }: Option): void {
  if (OPTIONS.includes(name)) return;
  if (RESERVED.has(name))
    throw notSupported(`option "${name}" of a materialized view`, { position });
  const near = closestName(name, OPTIONS);
  throw new SqlError('22023', `unrecognized option "${name}" of a materialized view`, {
    position,
    hint: `${near === null ? '' : `Perhaps you meant "${near}". `}Options are: ${OPTIONS.join(', ')}.`,
  });
}

function choice<T extends string>(option: Option | undefined, values: readonly T[]): T | null {
  if (option === undefined) return null;
  const found = values.find((value) => value === option.value?.toLowerCase());
  if (found !== undefined) return found;
  throw new SqlError(
    '22023',
    `invalid value for option "${option.name}": "${option.value ?? ''}"`,
    {
      position: option.valuePosition,
      hint: `Values are: ${values.join(', ')}.`,
    },
  );
}

function intervalOf({ value, valuePosition }: Option, session: SessionState): Interval {
  try {
    return parseValue(INTERVAL, value ?? '', session.valueSettings) as Interval;
  } catch (error) {
    throw error instanceof SqlError ? error.at(valuePosition) : error;
  }
}

function durationUs(option: Option | undefined, session: SessionState): string {
  if (option === undefined) return '0';
  const value = intervalOf(option, session);
  if (value.months !== 0) {
    throw new SqlError('22023', `option "${option.name}" must not contain months or years`, {
      position: option.valuePosition,
    });
  }
  const us = fixedUs(value);
  if (us < 0n)
    throw new SqlError('22023', `option "${option.name}" must not be negative`, {
      position: option.valuePosition,
    });
  return String(us);
}

const DAY_US = 86_400_000_000n;

function fixedUs(value: Interval): bigint {
  return BigInt(value.days) * DAY_US + value.microseconds;
}

function positiveUs(emit: Emit, session: SessionState): string {
  const expr = planExpression(emit.period!, INTERVAL, session.plannerContext());
  const value = evaluateValue(expr, [], {
    settings: session.valueSettings,
    nowUs: session.running.startedUs,
  }) as Interval | null;
  if (value === null || value.months !== 0 || fixedUs(value) <= 0n) {
    throw new SqlError('22023', 'EMIT PERIODIC needs a positive interval without months', {
      position: emit.period!.position,
    });
  }
  return String(fixedUs(value));
}
