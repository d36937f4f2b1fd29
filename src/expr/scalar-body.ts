/** The per-value body of a definition. */

import { must } from '../base/assert.ts';
import type { FunctionDefinition, ValueBody } from './registry.ts';

/** Aggregates and the like have none and may not stand in a plain expression. */
export function bodyOf(definition: FunctionDefinition): ValueBody {
  return must(definition.value, `${definition.id} has no body`);
}
