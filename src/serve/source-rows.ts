/**
 * SELECT from an unstored source: a look at its records, outside the snapshot promise (semantics.md rule 25), bounded in rows and
 * time. Where that is not all there is, only a plain LIMIT may be answered: anything else would be a wrong answer.
 */

import { SqlError } from '../base/sql-error.ts';
import type { EnginePort } from '../dataflow/client.ts';
import type { PlanNode } from '../plan/plan-node.ts';
import type { OwnRows } from './own-writes.ts';
import type { QueryRequest } from './query-execution.ts';

const ROWS_MAX = 100_000;
const TIMEOUT_MS = 5_000;

/** The records of the sources that the query scans, as rows that belong to it alone. */
export async function sourceRows(
  { plan, limit: most, offset }: Pick<QueryRequest, 'plan' | 'limit' | 'offset'>,
  engine: EnginePort,
  signal: AbortSignal,
): Promise<OwnRows[]> {
  const wanted: Wanted = new Map();
  const isPlain = plan.order.length === 0 && Number.isFinite(most);
  collect(plan.node, isPlain ? most + offset : null, wanted);
  const all: OwnRows[] = [];
  for (const [relationId, { name, limit }] of wanted) {
    const limits = { rowsMax: Math.min(limit ?? ROWS_MAX, ROWS_MAX), timeoutMs: TIMEOUT_MS };
    const { packed, isWhole } = await engine.previewSource(relationId, limits);
    signal.throwIfAborted();
    if (!isWhole && (limit === null || limit > ROWS_MAX)) throw tooMuch(name);
    all.push({ relationId, isTruncated: true, packed });
  }
  return all;
}

/** By source: how many records are enough, whichever they are; null: all are needed. */
type Wanted = Map<number, { readonly name: string; readonly limit: number | null }>;

/** `limit`: of a LIMIT above, with nothing but expressions between. */
function collect(node: PlanNode, limit: number | null, wanted: Wanted): void {
  if (node.kind === 'scan') {
    const { kind, id, name } = node.relation;
    if (kind !== 'source') return;
    const known = wanted.get(id);
    const most =
      known?.limit === null || limit === null ? null : Math.max(known?.limit ?? 0, limit);
    wanted.set(id, { name, limit: most });
  } else if (node.kind === 'union') for (const input of node.inputs) collect(input, null, wanted);
  else if (node.kind === 'join' || node.kind === 'set_operation') {
    collect(node.left, null, wanted);
    collect(node.right, null, wanted);
  } else if (node.kind === 'project') collect(node.input, limit, wanted);
  else if (node.kind !== 'values') collect(node.input, limitOf(node), wanted);
}

function limitOf(node: PlanNode): number | null {
  if (node.kind !== 'top_n' || node.limit === null) return null;
  const isPlain = node.partition.length === 0 && node.order.length === 0;
  return isPlain ? node.limit + node.offset : null;
}

function tooMuch(name: string): SqlError {
  return new SqlError('54000', `source "${name}" has more records than a query reads directly`, {
    detail: `A query reads up to ${ROWS_MAX} records of a source, for at most ${TIMEOUT_MS / 1000} s.`,
    hint: `Add LIMIT (without WHERE, ORDER BY or GROUP BY), or CREATE MATERIALIZED VIEW ... FROM ${name} and read that.`,
  });
}
