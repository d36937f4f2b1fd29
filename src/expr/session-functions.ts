/** Which plans need the session's own thread: those that call functions of the SystemEnvironment. */

import './builtins.ts';
import { functionById } from './registry.ts';

/** Does some call within `tree` (a plan or an expression: plain JSON) ask the session? O(size of the tree). */
export function callsSession(tree: unknown): boolean {
  if (typeof tree !== 'object' || tree === null) return false;
  if (Array.isArray(tree)) return tree.some(callsSession);
  const { kind, function: id } = tree as { readonly kind?: unknown; readonly function?: unknown };
  if (kind === 'call' && typeof id === 'string' && functionById(id)?.needsSession === true)
    return true;
  return Object.values(tree).some(callsSession);
}
