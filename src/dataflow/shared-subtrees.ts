/**
 * Which subtrees of a view's plan run once although they stand in it more than once (a CTE read twice, a self-join): equal
 * subtrees of a view give equal deltas, since nothing in a view is volatile.
 *
 * Only operators that keep state or make windows are shared: the others cost less than they would save, and a windowing
 * operator keeps an input of its own, so that rule 24 (in = used + late + null_time + withheld) counts both sides alike.
 * Cost: O(size of the plan).
 */

import type { PlanNode } from '../plan/plan-node.ts';

const SHARED_KINDS: ReadonlySet<PlanNode['kind']> = new Set([
  'window',
  'aggregate',
  'join',
  'set_operation',
  'top_n',
  'over',
  'emit_on_close',
  'temporal_filter',
]);

/** Inputs of a node, by port. */
export function inputsOf(node: PlanNode): readonly PlanNode[] {
  switch (node.kind) {
    case 'scan':
    case 'values':
      return [];
    case 'union':
      return node.inputs;
    case 'join':
    case 'set_operation':
      return [node.left, node.right];
    default:
      return [node.input];
  }
}

/** For the nodes that are to be shared, a number that equal subtrees have in common. */
export function sharedSubtrees(plan: PlanNode): ReadonlyMap<PlanNode, number> {
  const numbers = new Map<string, number>();
  const uses: number[] = [];
  const numberOf = new Map<PlanNode, number>();
  const visit = (node: PlanNode): number => {
    const inputs = inputsOf(node).map(visit);
    const own = { ...node, input: null, left: null, right: null, inputs };
    const text = JSON.stringify(own);
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    uses[number] = (uses[number] ?? 0) + 1;
    numberOf.set(node, number);
    return number;
  };
  visit(plan);
  const isShared = (node: PlanNode, number: number): boolean =>
    SHARED_KINDS.has(node.kind) && (uses[number] ?? 0) > 1;
  return new Map([...numberOf].filter(([node, number]) => isShared(node, number)));
}
