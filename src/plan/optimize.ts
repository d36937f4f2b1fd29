/**
 * The order in which the rules run. Each rule keeps what a plan means; with `optimize: false` only those run that plans
 * need to be possible at all (hash keys, temporal filters).
 */

import type { PlanNode } from './plan-node.ts';
import { type RelationLookup, withProperties } from './properties.ts';
import { findIntervalJoins } from './rules/find-interval-joins.ts';
import { findTemporalFilters } from './rules/find-temporal-filters.ts';
import { dropUnreadRank, findTopN } from './rules/find-top-n.ts';
import { foldConstants } from './rules/fold-constants.ts';
import { mergeProjects } from './rules/merge-projects.ts';
import { pruneColumns } from './rules/prune-columns.ts';
import { pushFilters } from './rules/push-filters.ts';

export interface OptimizeOptions {
  readonly optimize: boolean;
  /** Views move with now(); a query has one instant. */
  readonly isView: boolean;
  readonly relations: RelationLookup;
}

/** The plan that runs, with properties. */
export function optimizePlan(logical: PlanNode, options: OptimizeOptions): PlanNode {
  let node = pushFilters(options.optimize ? foldConstants(logical) : logical);
  if (options.isView) node = findTemporalFilters(node);
  if (options.optimize) {
    node = mergeProjects(node);
    node = findTopN(node);
    node = pruneColumns(node);
    node = dropUnreadRank(mergeProjects(node));
  }
  if (!options.isView) return node;
  node = withProperties(node, options.relations);
  if (!options.optimize) return node;
  const bounded = findIntervalJoins(node);
  return bounded === node ? node : withProperties(bounded, options.relations);
}
