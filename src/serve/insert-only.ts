/** Whether a plan, given a snapshot of inserted rows as one epoch, only ever puts rows out and takes none back. */

import { unreachable } from '../base/assert.ts';
import type { PlanNode } from '../plan/plan-node.ts';

export function isInsertOnly(node: PlanNode): boolean {
  switch (node.kind) {
    case 'scan':
    case 'values':
      return true;
    case 'filter':
    case 'project':
    case 'window':
    case 'table_function':
      return !('windowKind' in node && node.windowKind === 'session') && isInsertOnly(node.input);
    case 'union':
      return node.inputs.every(isInsertOnly);
    case 'join':
      return node.joinKind === 'inner' && isInsertOnly(node.left) && isInsertOnly(node.right);
    // They put out once, at the end of the epoch, whatever came before.
    case 'aggregate':
    case 'top_n':
    case 'over':
    case 'set_operation':
      return true;
    case 'emit_on_close':
    case 'temporal_filter':
    case 'unique_key':
      return false;
    default:
      return unreachable(node);
  }
}
