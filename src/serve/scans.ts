/** The scans of a plan, in the order in which a graph built from it numbers them. */

import type { PlanNode, ScanNode } from '../plan/plan-node.ts';

export function* scansOf(node: PlanNode): Generator<ScanNode> {
  if (node.kind === 'scan') yield node;
  else if (node.kind === 'union') for (const input of node.inputs) yield* scansOf(input);
  else if (node.kind === 'join' || node.kind === 'set_operation') {
    yield* scansOf(node.left);
    yield* scansOf(node.right);
  } else if (node.kind !== 'values') yield* scansOf(node.input);
}
