/** What the operators of one graph are made with. */

import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { SystemEnvironment } from '../expr/system-environment.ts';
import type { PlanNode } from '../plan/plan-node.ts';
import type { ValueSettings } from '../types/value.ts';
import type { OperatorContext, ProblemSink } from './operator.ts';

/** What every operator of a graph shares, and its own output. */
export interface GraphContext extends OperatorContext {
  /** Settings frozen at CREATE, or the session's. */
  readonly settings: ValueSettings;
  /**
   * In a view, a failing row is withheld and reported to `problems`; in a query `problems.onError` throws.
   */
  readonly isInView: boolean;
  /** In a query over inserted rows: does this node never retract? Absent in views, whose plans say it (properties). */
  neverRetracts?(node: PlanNode): boolean;
  /** Functions that need the session or the catalog; null: they are refused (views). */
  readonly environment: SystemEnvironment | null;
  /** For volatile functions in queries and DML; absent in views. */
  readonly random?: Random;
  readonly clock?: Clock;
  /** The instant of now(): the statement's, or the epoch's that runs. */
  nowUs(): bigint;
  /**
   * The sink of one node's problems, where they are written down with their columns; absent: `problems`. `number`: of its
   * operator in the graph (Graph.judgeAgain).
   */
  problemsOf?(node: PlanNode, number: number): ProblemSink;
  /** Rows of a batch that an operator puts out at most (1 and 7 in tests). */
  readonly batchRowsMax: number;
}

/** Is it proved that the node's output never takes a row back? */
export function neverRetracts(context: GraphContext, node: PlanNode): boolean {
  return context.neverRetracts?.(node) ?? node.properties?.isAppendOnly ?? false;
}
