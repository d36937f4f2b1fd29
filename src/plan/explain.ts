/** EXPLAIN: a plan as text, JSON or a Mermaid graph; the stream stage shows what is proved of each node. */

import { must, unreachable } from '../base/assert.ts';
import { durationText } from '../base/duration.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { typeName } from '../types/value.ts';
import { inputsOf } from './build.ts';
import type {
  PlanColumn,
  PlanNode,
  QueryPlan,
  ScanNode,
  SortKey,
  StreamPlan,
} from './plan-node.ts';

export interface ExplainOptions {
  /** Also output columns with their types. */
  readonly isVerbose: boolean;
  /** The scan that finds its rows by a key or an index, and so reads no others. */
  readonly lookup?: KeyedScan | null;
}

export interface KeyedScan {
  readonly scan: ScanNode;
  readonly by: 'key' | 'index';
  /** Names of the key's or index's columns. */
  readonly columns: readonly string[];
}

/** One line a node, inputs indented below. */
export function explainNode(
  node: PlanNode,
  options: ExplainOptions = { isVerbose: false },
): string {
  const lines: string[] = [];
  writeNode(node, 0, options, lines);
  return lines.join('\n');
}

/** A SELECT: the presentation order and limit stand above the plan. */
export function explainQuery(
  plan: QueryPlan,
  options: ExplainOptions = { isVerbose: false },
): string {
  const lines: string[] = [];
  let depth = 0;
  const { columns } = plan.node;
  if (plan.limit !== null || plan.offset !== null) {
    const limit = plan.limit === null ? '' : ` ${exprText(plan.limit, [])}`;
    const offset = plan.offset === null ? '' : ` offset ${exprText(plan.offset, [])}`;
    lines.push(line(depth++, `Limit${limit}${offset}`));
  }
  if (plan.order.length > 0) lines.push(line(depth++, `Sort ${orderText(plan.order, columns)}`));
  writeNode(plan.node, depth, options, lines);
  return lines.join('\n');
}

export function explainStream(
  plan: StreamPlan,
  options: ExplainOptions = { isVerbose: false },
  root: 'Materialize' | 'Sink' = 'Materialize',
): string {
  const period = plan.emitPeriodUs === null ? '' : ` every ${usText(plan.emitPeriodUs)}`;
  const columns = plan.node.columns;
  const key = plan.key === null ? 'none' : `(${names(plan.key, columns)})`;
  const head = `${root} key=${key} emit=${plan.emit}${period} on_error=${plan.onError}`;
  const lines = [head];
  writeNode(plan.node, 1, options, lines);
  return lines.join('\n');
}

function line(depth: number, text: string): string {
  return depth === 0 ? text : `${'   '.repeat(depth - 1)}-> ${text}`;
}

function writeNode(node: PlanNode, depth: number, options: ExplainOptions, lines: string[]): void {
  const { lookup } = options;
  const keyed = lookup?.scan === node ? ` by ${lookup.by} (${lookup.columns.join(', ')})` : '';
  lines.push(line(depth, nodeText(node) + keyed + propertiesText(node)));
  if (options.isVerbose) {
    const output = node.columns.map((column) => `${column.name} ${typeName(column.type)}`);
    lines.push(`${'   '.repeat(depth)}   output: ${output.join(', ')}`);
  }
  for (const input of inputsOf(node)) writeNode(input, depth + 1, options, lines);
}

/** A node's label: its name and what it does. */
export function nodeText(node: PlanNode): string {
  switch (node.kind) {
    case 'scan': {
      const { schema, name, kind } = node.relation;
      const columns = node.columns.map((column) => column.name).join(', ');
      const label = kind.replace('_', ' ');
      return `Scan ${label} ${schema}.${name} [${columns}]`;
    }
    case 'values':
      return `Values ${node.rows.length} row${node.rows.length === 1 ? '' : 's'}`;
    case 'filter':
      return `Filter ${exprText(node.predicate, node.input.columns)}`;
    case 'project':
      return `Project [${projectText(node.expressions, node)}]`;
    case 'join':
      return joinText(node);
    case 'aggregate':
      return aggregateText(node);
    case 'union':
      return 'Union';
    case 'set_operation':
      return `${node.operation === 'intersect' ? 'Intersect' : 'Except'}${node.isAll ? ' all' : ''}`;
    case 'window':
      return windowText(node);
    case 'top_n': {
      const { input } = node;
      const limit = node.limit === null ? '' : ` limit ${node.limit}`;
      const offset = node.offset === 0 ? '' : ` offset ${node.offset}`;
      const rank = node.withRank ? ' with rank' : '';
      return `TopN${partitionText(node.partition, input)}${orderPart(node.order, input)}${limit}${offset}${rank}`;
    }
    case 'over': {
      const { input } = node;
      const calls = node.calls.map((call) => callText(call.function, call.args, input.columns));
      return `Over [${calls.join(', ')}]${partitionText(node.partition, input)}${orderPart(node.order, input)}`;
    }
    case 'emit_on_close':
      return `EmitOnClose ${must(node.columns[node.column]).name}`;
    case 'temporal_filter': {
      const from =
        node.validFrom === null ? '' : ` from ${must(node.columns[node.validFrom]).name}`;
      const until =
        node.validUntil === null ? '' : ` until ${must(node.columns[node.validUntil]).name}`;
      return `TemporalFilter${from}${until}`;
    }
    case 'unique_key':
      return `UniqueKey by (${names(node.key, node.columns)}) on_duplicate_key=${node.onDuplicate}`;
    case 'table_function': {
      const args = node.args.map((arg) => exprText(arg, node.input.columns)).join(', ');
      return `TableFunction ${bareName(node.function)}(${args})${node.isOuter ? ' outer' : ''}`;
    }
    default:
      return unreachable(node);
  }
}

function projectText(expressions: readonly BoundExpr[], node: PlanNode): string {
  const input = must(inputsOf(node)[0]).columns;
  return expressions
    .map((expr, i) => {
      const text = exprText(expr, input);
      const { name } = must(node.columns[i]);
      return text === name ? text : `${text} as ${name}`;
    })
    .join(', ');
}

function joinText(node: Extract<PlanNode, { kind: 'join' }>): string {
  const both = [...node.left.columns, ...node.right.columns];
  const equals = node.nullsEqual ? 'is not distinct from' : '=';
  const keys = node.leftKeys.map((key, i) => {
    const left = must(node.left.columns[key]).name;
    return `${left} ${equals} ${must(node.right.columns[must(node.rightKeys[i])]).name}`;
  });
  const residual = node.residual === null ? [] : [exprText(node.residual, both)];
  const conditions = [...keys, ...residual];
  const on = conditions.length === 0 ? '' : ` on ${conditions.join(' and ')}`;
  const { interval } = node;
  const bounds =
    interval === undefined
      ? ''
      : ` interval [${usText(interval.lowerUs)}, ${usText(interval.upperUs)}]`;
  const name = `${node.joinKind[0]?.toUpperCase()}${node.joinKind.slice(1)}Join`;
  return `${name}${on}${bounds}`;
}

function aggregateText(node: Extract<PlanNode, { kind: 'aggregate' }>): string {
  const { columns } = node.input;
  const calls = node.calls.map((call) => {
    const distinct = call.isDistinct ? 'distinct ' : '';
    const order = call.orderBy.length === 0 ? '' : ` order by ${orderText(call.orderBy, columns)}`;
    const args = names(call.args, columns);
    const filter = call.filter === null ? '' : ` filter ${must(columns[call.filter]).name}`;
    return `${bareName(call.function)}(${distinct}${args}${order})${filter}`;
  });
  const by = node.keys.length === 0 ? '' : ` by (${names(node.keys, columns)})`;
  const closes = node.closeOn
    ? ` closes on ${must(columns[must(node.keys[node.closeOn.key])]).name}`
    : '';
  const what = calls.length === 0 ? 'Distinct' : `Aggregate [${calls.join(', ')}]`;
  return `${what}${by}${closes}`;
}

function windowText(node: Extract<PlanNode, { kind: 'window' }>): string {
  const name = `${node.windowKind[0]?.toUpperCase()}${node.windowKind.slice(1)}`;
  const time = must(node.input.columns[node.time]).name;
  const hasSlide = node.windowKind === 'hop' || node.windowKind === 'cumulate';
  const slide = hasSlide ? ` slide ${usText(node.slideUs)}` : '';
  const offset = node.offsetUs === '0' ? '' : ` offset ${usText(node.offsetUs)}`;
  const size = node.windowKind === 'session' ? 'gap' : 'size';
  const lateness =
    node.allowedLatenessUs === '0' ? '' : ` lateness ${usText(node.allowedLatenessUs)}`;
  const partition = partitionText(node.partition, node.input);
  return `${name} on ${time}${slide} ${size} ${usText(node.sizeUs)}${offset}${partition}${lateness}`;
}

/** Plans hold lengths of time as texts of microseconds. */
function usText(us: string): string {
  return durationText(BigInt(us));
}

function partitionText(partition: readonly number[], input: PlanNode): string {
  return partition.length === 0 ? '' : ` partition by (${names(partition, input.columns)})`;
}

function orderPart(order: readonly SortKey[], input: PlanNode): string {
  return order.length === 0 ? '' : ` order by ${orderText(order, input.columns)}`;
}

function orderText(order: readonly SortKey[], columns: readonly PlanColumn[]): string {
  return order
    .map((key) => {
      const direction = key.descending ? ' desc' : '';
      const isUsual = key.nullsFirst === key.descending;
      const nulls = isUsual ? '' : key.nullsFirst ? ' nulls first' : ' nulls last';
      return `${must(columns[key.column]).name}${direction}${nulls}`;
    })
    .join(', ');
}

function names(indexes: readonly number[], columns: readonly PlanColumn[]): string {
  return indexes.map((index) => must(columns[index]).name).join(', ');
}

function callText(id: string, args: readonly number[], columns: readonly PlanColumn[]): string {
  return `${bareName(id)}(${names(args, columns)})`;
}

function bareName(id: string): string {
  const end = id.indexOf('(');
  return end < 0 ? id : id.slice(0, end);
}

function propertiesText(node: PlanNode): string {
  const { properties } = node;
  if (properties === undefined) return '';
  const parts: string[] = [];
  if (properties.key !== null) parts.push(`key=(${names(properties.key, node.columns)})`);
  if (properties.isAppendOnly) parts.push('append-only');
  if (properties.watermarks.length > 0) {
    const columns = [...new Set(properties.watermarks.map((w) => w.column))];
    parts.push(`watermark=(${names(columns, node.columns)})`);
  }
  const state = stateText(node);
  if (state !== null) parts.push(`state=${state}`);
  return parts.length === 0 ? '' : ` {${parts.join(' ')}}`;
}

/** What a node keeps, and what bounds it. */
function stateText(node: PlanNode): string | null {
  switch (node.kind) {
    case 'aggregate':
      return node.keys.length === 0 ? 'one row' : node.closeOn ? 'open windows' : 'groups';
    case 'join':
      return node.interval === undefined ? 'both inputs' : 'rows within the interval';
    case 'window':
      return node.windowKind === 'session'
        ? node.watermark === null
          ? 'sessions'
          : 'open sessions'
        : null;
    case 'top_n':
      return node.limit === 1 && node.offset === 0 && node.input.properties?.isAppendOnly
        ? 'one row a partition'
        : 'partitions';
    case 'over':
      return 'partitions';
    case 'set_operation':
      return 'both inputs';
    case 'emit_on_close':
      return 'open rows';
    case 'temporal_filter':
      return 'live rows';
    case 'unique_key':
      return node.input.properties?.isAppendOnly ? 'one row a key' : 'live rows';
    default:
      return null;
  }
}

const PRECEDENCE_FREE = /^[a-z_][a-z0-9_ ]*$/;

/** An expression as SQL, columns by the names of the input. */
export function exprText(expr: BoundExpr, columns: readonly PlanColumn[]): string {
  const text = (part: BoundExpr): string => exprText(part, columns);
  switch (expr.kind) {
    case 'column':
      return columns[expr.index]?.name ?? `#${expr.index}`;
    case 'literal':
      return literalText(expr.text, expr.type.storage);
    case 'parameter':
      return `$${expr.index + 1}`;
    case 'now':
      return 'now()';
    case 'and':
    case 'or':
      return `(${expr.args.map(text).join(` ${expr.kind} `)})`;
    case 'not':
      return `(not ${text(expr.arg)})`;
    case 'is':
      return `(${text(expr.arg)} is ${expr.negated ? 'not ' : ''}${expr.test})`;
    case 'coalesce':
      return `coalesce(${expr.args.map(text).join(', ')})`;
    case 'array':
      return `array[${expr.elements.map(text).join(', ')}]`;
    case 'case': {
      const branches = expr.branches.map(
        (branch) => `when ${text(branch.condition)} then ${text(branch.result)}`,
      );
      const otherwise = expr.otherwise === null ? '' : ` else ${text(expr.otherwise)}`;
      return `case ${branches.join(' ')}${otherwise} end`;
    }
    case 'call':
      return operatorOrCall(bareName(expr.function), expr.args.map(text), typeName(expr.type));
    default:
      return unreachable(expr);
  }
}

function operatorOrCall(name: string, args: readonly string[], type: string): string {
  if (name === 'cast' || name === 'assign') return `${args[0]}::${type}`;
  if (PRECEDENCE_FREE.test(name) && !/^(any|all) /.test(name)) return `${name}(${args.join(', ')})`;
  return args.length === 1
    ? `(${name}${args[0]})`
    : `(${args[0]} ${name} ${args.slice(1).join(', ')})`;
}

function literalText(text: string | null, storage: string): string {
  if (text === null) return 'null';
  const isNumber = /^-?\d+(\.\d+)?$/.test(text) && storage !== 'view';
  return isNumber ? text : `'${text.replaceAll("'", "''")}'`;
}

/** The plan for machines: the nodes as they are, expressions as text beside them. */
export function explainJson(node: PlanNode): string {
  const shape = (part: PlanNode): object => ({
    node: part.kind,
    label: nodeText(part),
    columns: part.columns.map((column) => ({ name: column.name, type: typeName(column.type) })),
    ...(part.properties === undefined ? {} : { properties: part.properties }),
    inputs: inputsOf(part).map(shape),
  });
  return JSON.stringify(shape(node), null, 2);
}

/** A Mermaid flowchart: inputs point at what reads them. */
export function explainMermaid(node: PlanNode): string {
  const lines = ['flowchart BT'];
  let count = 0;
  const visit = (part: PlanNode): string => {
    const id = `n${count++}`;
    lines.push(`  ${id}["${nodeText(part).replaceAll('"', '#quot;')}"]`);
    for (const input of inputsOf(part)) lines.push(`  ${visit(input)} --> ${id}`);
    return id;
  };
  visit(node);
  return lines.join('\n');
}
