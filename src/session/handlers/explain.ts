/** EXPLAIN: the logical plan, and for views the stream plan with what is proved of it. */

import { must } from '../../base/assert.ts';
import { closestName } from '../../base/closest-name.ts';
import { SqlError } from '../../base/sql-error.ts';
import {
  explainJson,
  explainMermaid,
  explainNode,
  explainQuery,
  explainStream,
  type KeyedScan,
} from '../../plan/explain.ts';
import type { QueryPlan, StreamPlan } from '../../plan/plan-node.ts';
import { planDml, planQuery, planView } from '../../plan/planner.ts';
import { lookupShape } from '../../serve/point-shape.ts';
import { ValueRows } from '../../serve/row-source.ts';
import type { Explain, Option } from '../../sql/statements.ts';
import { JSON_TYPE, TEXT } from '../../types/data-type.ts';
import { findObject, notFound } from '../ddl.ts';
import type { HandlerContext } from '../dispatch.ts';
import { plainField, type StatementPlan } from '../prepared-statement.ts';
import { refuse } from '../session-state.ts';
import { viewOptions } from './create-materialized-view.ts';
import { planOfSink } from './create-sink.ts';

const OPTIONS = [
  'analyze',
  'verbose',
  'costs',
  'format',
  'stage',
  'timing',
  'buffers',
  'summary',
  'settings',
];

function checkOption({ name, position }: Option): void {
  if (OPTIONS.includes(name)) return;
  const near = closestName(name, OPTIONS);
  throw new SqlError('42601', `unrecognized EXPLAIN option "${name}"`, {
    position,
    hint: near === null ? undefined : `Perhaps you meant "${near}".`,
  });
}

export function planExplain(ast: Explain, context: HandlerContext): StatementPlan {
  const { session } = context;
  ast.options.forEach(checkOption);
  const option = (name: string) =>
    ast.options.find((one) => one.name === name)?.value?.toLowerCase() ?? null;
  if (ast.options.some((one) => one.name === 'analyze' && one.value !== 'false'))
    refuse('EXPLAIN ANALYZE', ast.position);
  checkStage(ast);
  const format = formatOf(option('format'), ast);
  const text = explained(ast, context, format);
  const type = format === 'json' ? JSON_TYPE : TEXT;
  const rows = format === 'text' ? text.split('\n').map((line) => [line]) : [[text]];
  return {
    parameterTypes: [],
    fields: [plainField('QUERY PLAN', type)],
    run: async () => ({
      kind: 'rows',
      rows: new ValueRows([type], rows, session.database.queries.memories),
      tag: () => 'EXPLAIN',
    }),
  };
}

/** A query has a logical plan, a view that and a stream plan: both are shown. */
function checkStage(ast: Explain): void {
  const stages = ast.options.filter((one) => one.name === 'stage');
  const [first, second] = stages;
  if (second !== undefined) {
    throw new SqlError('42601', 'conflicting or redundant options', { position: second.position });
  }
  const stage = first?.value?.toLowerCase() ?? null;
  if (first === undefined || stage === 'logical' || stage === 'stream') return;
  if (stage === 'fragments') refuse('EXPLAIN (STAGE fragments)', first.position);
  throw new SqlError('22023', `unrecognized value for EXPLAIN option "stage": "${stage}"`, {
    position: first.position,
    hint: 'Stages are: logical, stream.',
  });
}

type ExplainFormat = 'text' | 'json' | 'mermaid';

function formatOf(text: string | null, ast: Explain): ExplainFormat {
  if (text === null || text === 'text' || text === 'json' || text === 'mermaid')
    return text ?? 'text';
  throw new SqlError('22023', `unrecognized value for EXPLAIN option "format": "${text}"`, {
    position: ast.position,
    hint: 'Formats are: text, json, mermaid.',
  });
}

interface RenderParts {
  readonly lookup?: KeyedScan | null;
  /** What the first line of a stream plan says. */
  readonly root?: 'Materialize' | 'Sink';
}

/** A query's own text: its presentation order and limit stand above the plan. */
function render(
  plan: QueryPlan | StreamPlan,
  format: ExplainFormat,
  isVerbose: boolean,
  { lookup = null, root }: RenderParts = {},
): string {
  if (format === 'json') return explainJson(plan.node);
  if (format === 'mermaid') return explainMermaid(plan.node);
  if ('emit' in plan) return explainStream(plan, { isVerbose }, root);
  return explainQuery(plan, { isVerbose, lookup });
}

/** The scan that the query does without, as it asks a key or an index (PointLookup). */
function keyedScan(plan: QueryPlan, { session }: HandlerContext): KeyedScan | null {
  const { queries } = session.database;
  const probe = lookupShape(plan, (id) => queries.handle(id)?.schema)?.probe ?? null;
  if (probe === null) return null;
  const { scan, schema, index } = probe;
  const stored = index === 0 ? must(schema.key) : must(schema.indexes[index - 1]).columns;
  const columns = stored.map((at) => must(scan.columns[scan.columnIndexes.indexOf(at)]).name);
  return { scan, by: index === 0 ? 'key' : 'index', columns };
}

function explained(ast: Explain, context: HandlerContext, format: ExplainFormat): string {
  const { session, declaredTypes } = context;
  const isVerbose = ast.options.some((one) => one.name === 'verbose' && one.value !== 'false');
  if (ast.view !== null) {
    const view = findObject('materialized view', ast.view, session, 'EXPLAIN');
    if (view?.kind !== 'materialized_view') throw notFound('materialized view', ast.view);
    return render(view.plan as unknown as StreamPlan, format, isVerbose);
  }
  const statement = ast.statement;
  switch (statement?.kind) {
    case 'select_statement': {
      const plan = planQuery(statement.query, session.plannerContext(declaredTypes));
      return render(plan, format, isVerbose, { lookup: keyedScan(plan, context) });
    }
    case 'insert':
    case 'update':
    case 'delete':
      return render(
        planDml(statement, session.plannerContext(declaredTypes)).rows,
        format,
        isVerbose,
      );
    case 'create_materialized_view': {
      const options = viewOptions(statement.options, statement.emit, session);
      const planned = planView(
        statement.query,
        statement.columns,
        options,
        session.plannerContext(),
      );
      const stream = render(planned.plan, format, isVerbose);
      if (format !== 'text') return stream;
      return `Logical plan\n${explainNode(planned.logical, { isVerbose })}\nStream plan\n${stream}`;
    }
    case 'create_sink':
      return render(planOfSink(statement, session), format, isVerbose, { root: 'Sink' });
    default:
      return refuse(
        `EXPLAIN of ${statement?.kind.replaceAll('_', ' ').toUpperCase() ?? 'this'}`,
        ast.position,
      );
  }
}
