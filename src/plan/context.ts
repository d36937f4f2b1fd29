/** What planning a statement depends on besides its AST. */

import type { Catalog } from '../catalog/catalog.ts';
import type { DataType } from '../types/data-type.ts';
import type { ValueSettings } from '../types/value.ts';

export interface PlannerContext {
  readonly catalog: Catalog;
  readonly searchPath: readonly string[];
  /** Settings that literals and casts are read and written with. */
  readonly settings: ValueSettings;
  /** Types of $1.. as the client declared them; null or absent: to be inferred. */
  readonly parameterTypes?: readonly (DataType | null)[];
  /** For CURRENT_USER, SESSION_USER and their kin. */
  readonly user?: string;
  /** false: only the rewrites that plans need to be right or to run at all (tests compare both). */
  readonly optimize?: boolean;
}
