/**
 * Graph: the operators of one plan, wired. The worker keeps one for each view and sink; serve makes one for an ad-hoc
 * query, pushes a snapshot through it as one epoch, and throws it away.
 *
 * Operators are made from the root down, so that each is given its output; cells of durable state are numbered in the
 * same order and are therefore the same after recovery. Equal subtrees of a view are made once (shared-subtrees.ts). An epoch: `push` into scans any number of times, then `endEpoch`
 * calls every operator once, inputs before the operators that they feed.
 */

import { assert, must, unreachable } from '../base/assert.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { PlanNode, ScanNode } from '../plan/plan-node.ts';
import { type GraphContext, neverRetracts } from './graph-context.ts';
import { type LateRow, lateBatch } from './late-rows.ts';
import { type DeltaSink, type EpochContext, type Operator, WATERMARK_NONE } from './operator.ts';
import { AggregateOperator } from './operators/aggregate.ts';
import { EmitOnCloseOperator } from './operators/emit-on-close.ts';
import { FilterOperator } from './operators/filter.ts';
import { JoinOperator } from './operators/join.ts';
import { OverOperator } from './operators/over.ts';
import { ProjectOperator } from './operators/project.ts';
import { SessionOperator } from './operators/session.ts';
import { SetOperationOperator } from './operators/set-operation.ts';
import { TableFunctionOperator } from './operators/table-function.ts';
import { TemporalFilterOperator } from './operators/temporal-filter.ts';
import { TopNOperator } from './operators/top-n.ts';
import { TopOneOperator } from './operators/top-one.ts';
import { UnionOperator } from './operators/union.ts';
import { UniqueKeyOperator } from './operators/unique-key.ts';
import { ValuesOperator } from './operators/values.ts';
import { WindowOperator } from './operators/window.ts';
import { inputsOf, sharedSubtrees } from './shared-subtrees.ts';

/** Where a relation's rows enter. */
export class GraphScan {
  readonly node: ScanNode;
  readonly #output: CountingSink;
  #watermarks: readonly bigint[];

  constructor(node: ScanNode, output: CountingSink) {
    this.node = node;
    this.#output = output;
    this.#watermarks = (node.properties?.watermarks ?? []).map(() => WATERMARK_NONE);
  }

  get watermarks(): readonly bigint[] {
    return this.#watermarks;
  }

  get rowsIn(): number {
    return this.#output.rows;
  }

  /** A batch of the scan's own columns. */
  push(batch: DeltaBatch): void {
    if (batch.rowCount > 0) this.#output.onDelta(batch);
  }

  /** A batch of all stored columns of the relation. */
  pushRelation(batch: DeltaBatch): void {
    const columns = this.node.columnIndexes.map((index) => {
      const column = batch.columns[index];
      assert(column !== undefined, `relation ${this.node.relation.name} has no column ${index}`);
      return column;
    });
    this.push({ ...batch, columns });
  }

  /** `relation`: W of each watermark column of the relation, as of this epoch's end. */
  setWatermarks(relation: readonly bigint[]): void {
    this.#watermarks = (this.node.properties?.watermarks ?? []).map(
      ({ source }) => relation[source] ?? WATERMARK_NONE,
    );
  }
}

/** A scan or an operator. */
interface WatermarkSource {
  readonly watermarks: readonly bigint[];
}

/** One operator with what it reads. */
interface Step {
  readonly operator: Operator;
  readonly inputs: readonly WatermarkSource[];
  readonly input: { rows: number };
  readonly output: CountingSink;
}

interface MadeOperator {
  readonly node: PlanNode;
  readonly operator: Operator;
}

export interface OperatorCounts {
  readonly name: string;
  readonly rows: number;
  readonly bytes: number;
  readonly rowsIn: number;
  readonly rowsOut: number;
}

export class Graph {
  readonly scans: readonly GraphScan[];
  readonly #operators: readonly MadeOperator[];
  readonly #steps: readonly Step[];
  readonly #output: { readonly rows: number };
  readonly #root: WatermarkSource;

  constructor(
    { scans, operators }: Pick<GraphBuilder, 'scans' | 'operators'>,
    steps: readonly Step[],
    root: WatermarkSource,
    output: { readonly rows: number },
  ) {
    this.#output = output;
    this.scans = scans;
    this.#operators = operators;
    this.#steps = steps;
    this.#root = root;
  }

  /** Watermarks of the root's output. */
  get watermarks(): readonly bigint[] {
    return this.#root.watermarks;
  }

  /**
   * A row that was late comes to its operator once more, judged by the watermark of the epoch before; false: it cannot. One that
   * is taken back can only leave a session, which knows its rows: elsewhere the row may never have come in.
   */
  judgeAgain(
    { operator: number, port, values }: LateRow,
    weight: 1 | -1,
    scratch: Scratch,
  ): boolean {
    const { node, operator } = must(this.#operators[number], 'a late row of no operator');
    if (weight < 0 && !(operator instanceof SessionOperator)) return false;
    const columns = must(inputsOf(node)[port]).columns;
    operator.onDelta(port, lateBatch(columns, values, weight, scratch));
    return true;
  }

  /** A statement that took rows back has ended, inside an epoch. */
  endStatement(): void {
    for (const { operator } of this.#steps) operator.onStatementEnd?.();
  }

  /** Ends the epoch: everything pushed before is in the output when it returns. */
  endEpoch(epoch: EpochContext): void {
    for (const { operator, inputs } of this.#steps) {
      operator.onEpochEnd(
        epoch,
        inputs.map((input) => input.watermarks),
      );
    }
  }

  /** Earliest instant at which an operator acts without input; null: none does. */
  nextTimerUs(): bigint | null {
    let earliest: bigint | null = null;
    for (const { operator } of this.#steps) {
      const timer = operator.nextTimerUs?.() ?? null;
      if (timer !== null && (earliest === null || timer < earliest)) earliest = timer;
    }
    return earliest;
  }

  /** Why an operator holds back what it has; null: none does. */
  get stall(): string | null {
    for (const { operator } of this.#steps) {
      const stall = operator.stall?.() ?? null;
      if (stall !== null) return stall;
    }
    return null;
  }

  /** Rows that have come out since the graph was made. */
  get rowsOut(): number {
    return this.#output.rows;
  }

  /** Root first. */
  operatorCounts(): OperatorCounts[] {
    const counts = this.#steps.map(({ operator, input, output }) => ({
      name: operator.name,
      ...operator.stateSize(),
      rowsIn: input.rows,
      rowsOut: output.rows,
    }));
    return counts.reverse();
  }

  stateBytes(): number {
    return this.#steps.reduce((sum, { operator }) => sum + operator.stateSize().bytes, 0);
  }
}

/** Makes the operators of `plan`; their output goes to `context.output`. */
export function buildGraph(plan: PlanNode, context: GraphContext): Graph {
  const shared = context.isInView ? sharedSubtrees(plan) : new Map<PlanNode, number>();
  const builder = new GraphBuilder(context, shared);
  const output = new CountingSink(context.output);
  const root = builder.build(plan, output);
  return new Graph(builder, inOrder(builder.steps, root), root, output);
}

class CountingSink implements DeltaSink {
  rows = 0;
  readonly #to: DeltaSink;

  constructor(to: DeltaSink) {
    this.#to = to;
  }

  onDelta(batch: DeltaBatch): void {
    this.rows += batch.rowCount;
    this.#to.onDelta(batch);
  }
}

/** A port of an operator as the output of another. */
class PortSink implements DeltaSink {
  readonly #operator: Operator;
  readonly #port: number;
  readonly #count: { rows: number };

  constructor(operator: Operator, port: number, count: { rows: number }) {
    this.#operator = operator;
    this.#port = port;
    this.#count = count;
  }

  onDelta(batch: DeltaBatch): void {
    this.#count.rows += batch.rowCount;
    this.#operator.onDelta(this.#port, batch);
  }
}

/** The output of an operator that several read. */
class FanOut implements DeltaSink {
  readonly #outputs: DeltaSink[];

  constructor(first: DeltaSink) {
    this.#outputs = [first];
  }

  add(output: DeltaSink): void {
    this.#outputs.push(output);
  }

  onDelta(batch: DeltaBatch): void {
    for (const output of this.#outputs) output.onDelta(batch);
  }
}

interface SharedOperator {
  readonly operator: Operator;
  readonly output: FanOut;
}

class GraphBuilder {
  readonly scans: GraphScan[] = [];
  /** In the order in which they were made. */
  readonly operators: MadeOperator[] = [];
  readonly steps = new Map<WatermarkSource, Step>();
  readonly #context: GraphContext;
  readonly #shared: ReadonlyMap<PlanNode, number>;
  readonly #made = new Map<number, SharedOperator>();

  /** `shared`: nodes whose operators are made once for each number. */
  constructor(context: GraphContext, shared: ReadonlyMap<PlanNode, number>) {
    this.#context = context;
    this.#shared = shared;
  }

  build(node: PlanNode, to: DeltaSink): WatermarkSource {
    if (node.kind === 'scan') {
      const scan = new GraphScan(node, new CountingSink(to));
      this.scans.push(scan);
      return scan;
    }
    const number = this.#shared.get(node);
    if (number === undefined) return this.#buildOperator(node, to);
    const made = this.#made.get(number);
    if (made !== undefined) {
      made.output.add(to);
      return made.operator;
    }
    const output = new FanOut(to);
    const operator = this.#buildOperator(node, output);
    this.#made.set(number, { operator, output });
    return operator;
  }

  #buildOperator(node: Exclude<PlanNode, ScanNode>, to: DeltaSink): Operator {
    const output = new CountingSink(to);
    const number = this.operators.length;
    const problems = this.#context.problemsOf?.(node, number) ?? this.#context.problems;
    const operator = makeOperator(node, { ...this.#context, output, problems });
    this.operators.push({ node, operator });
    const input = { rows: 0 };
    const inputs: WatermarkSource[] = [];
    this.steps.set(operator, { operator, inputs, input, output });
    inputsOf(node).forEach((child, port) => {
      inputs.push(this.build(child, new PortSink(operator, port, input)));
    });
    if (operator instanceof EmitOnCloseOperator) {
      const sessions = this.#sessionsBelow(inputs[0]);
      if (sessions !== null) operator.readSessions(sessions);
    }
    return operator;
  }

  /** The sessions whose rows `source` gives one for one, or grouped. */
  #sessionsBelow(source: WatermarkSource | undefined): SessionOperator | null {
    if (source === undefined || source instanceof SessionOperator) return source ?? null;
    const passes =
      source instanceof FilterOperator ||
      source instanceof ProjectOperator ||
      source instanceof AggregateOperator;
    return passes ? this.#sessionsBelow(this.steps.get(source)?.inputs[0]) : null;
  }
}

/** Inputs before what they feed, the root last. */
function inOrder(steps: ReadonlyMap<WatermarkSource, Step>, root: WatermarkSource): Step[] {
  const order: Step[] = [];
  const seen = new Set<WatermarkSource>();
  const visit = (source: WatermarkSource): void => {
    const step = steps.get(source);
    if (step === undefined || seen.has(source)) return;
    seen.add(source);
    for (const input of step.inputs) visit(input);
    order.push(step);
  };
  visit(root);
  return order;
}

/** Ids of the relations that a plan scans, each once. */
export function scannedRelations(node: PlanNode): readonly number[] {
  if (node.kind === 'scan') return [node.relation.id];
  return [...new Set(inputsOf(node).flatMap(scannedRelations))];
}

function makeOperator(node: Exclude<PlanNode, ScanNode>, context: GraphContext): Operator {
  switch (node.kind) {
    case 'values':
      return new ValuesOperator(node, context);
    case 'filter':
      return new FilterOperator(node, context);
    case 'project':
      return new ProjectOperator(node, context);
    case 'join':
      return new JoinOperator(node, context);
    case 'aggregate':
      return new AggregateOperator(node, context);
    case 'union':
      return new UnionOperator(node, context);
    case 'set_operation':
      return new SetOperationOperator(node, context);
    case 'window':
      return node.windowKind === 'session'
        ? new SessionOperator(node, context)
        : new WindowOperator(node, context);
    case 'top_n':
      return node.limit === 1 && node.offset === 0 && neverRetracts(context, node.input)
        ? new TopOneOperator(node, context)
        : new TopNOperator(node, context);
    case 'over':
      return new OverOperator(node, context);
    case 'emit_on_close':
      return new EmitOnCloseOperator(node, context);
    case 'temporal_filter':
      return new TemporalFilterOperator(node, context);
    case 'unique_key':
      return new UniqueKeyOperator(node, context);
    case 'table_function':
      return new TableFunctionOperator(node, context);
    default:
      return unreachable(node);
  }
}
