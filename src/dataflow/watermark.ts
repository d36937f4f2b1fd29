/**
 * Watermarks: arithmetic that keeps the ends of time in place, the watermark of one split as its rows come, and the
 * minimum over splits with idle and ended ones (semantics.md rules 13-18).
 */

import type { PlanNode, WatermarkColumn } from '../plan/plan-node.ts';
import { WATERMARK_END, WATERMARK_NONE } from './operator.ts';

/** `watermark + shiftUs`; the ends of time stay where they are. */
export function shiftWatermark(watermark: bigint, shiftUs: bigint): bigint {
  if (watermark === WATERMARK_NONE || watermark === WATERMARK_END) return watermark;
  const shifted = watermark + shiftUs;
  if (shifted <= WATERMARK_NONE) return WATERMARK_NONE + 1n;
  return shifted >= WATERMARK_END ? WATERMARK_END - 1n : shifted;
}

export function minWatermark(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

export function maxWatermark(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

/** Output watermarks of an operator that shifts its only input's. */
export function derivedWatermarks(
  columns: readonly WatermarkColumn[],
  input: readonly bigint[] | undefined,
): bigint[] {
  return columns.map(({ source, shiftUs }) =>
    shiftWatermark(input?.[source] ?? WATERMARK_NONE, BigInt(shiftUs)),
  );
}

/** One split's own watermark: the greatest time seen less the delay. */
export interface SplitWatermark {
  /** As its rows have moved it. */
  running: bigint;
  isIdle: boolean;
  isEnded: boolean;
}

/**
 * The watermark of a relation over its splits. W never goes back; idle splits leave the minimum; where all are idle it is
 * the maximum; ended ones count as the end of time, and when all have ended W is the end of time.
 */
export class RelationWatermark {
  readonly splits = new Map<string, SplitWatermark>();
  #current = WATERMARK_NONE;

  /** W as of the last epoch's end. */
  get current(): bigint {
    return this.#current;
  }

  split(name: string): SplitWatermark {
    let split = this.splits.get(name);
    if (split === undefined) {
      split = { running: WATERMARK_NONE, isIdle: false, isEnded: false };
      this.splits.set(name, split);
    }
    return split;
  }

  /** The least of the other active splits: what bounds W(r) of a row of `name` (rule 14). */
  othersMinimum(name: string): bigint {
    let least = WATERMARK_END;
    for (const [other, split] of this.splits) {
      if (other === name || split.isIdle || split.isEnded) continue;
      least = minWatermark(least, split.running);
    }
    return least;
  }

  /** Folds the splits into W at an epoch's end; returns whether W moved. */
  advance(): boolean {
    const next = maxWatermark(this.#current, this.#fold());
    const hasMoved = next > this.#current;
    this.#current = next;
    return hasMoved;
  }

  /** After recovery. */
  restore(current: bigint): void {
    this.#current = current;
  }

  #fold(): bigint {
    if (this.splits.size === 0) return WATERMARK_NONE;
    let least = WATERMARK_END;
    let greatest = WATERMARK_NONE;
    let activeCount = 0;
    let endedCount = 0;
    for (const split of this.splits.values()) {
      greatest = maxWatermark(greatest, split.running);
      if (split.isEnded) endedCount += 1;
      else if (!split.isIdle) {
        activeCount += 1;
        least = minWatermark(least, split.running);
      }
    }
    if (activeCount > 0) return least;
    return endedCount === this.splits.size ? WATERMARK_END : greatest;
  }
}

/**
 * How far the watermark number `index` of `node`'s output stands from the watermark that its rows carry: the sum of the
 * shifts down to the scan. null: the rows don't carry one (a stateful operator made them), so that they are judged by
 * their operator's watermark as of the epoch before (rule 14).
 */
export function rowWatermarkShift(node: PlanNode, index: number): bigint | null {
  const column = node.properties?.watermarks[index];
  if (column === undefined) return null;
  const shift = BigInt(column.shiftUs);
  const below = (input: PlanNode): bigint | null => {
    const rest = rowWatermarkShift(input, column.source);
    return rest === null ? null : rest + shift;
  };
  switch (node.kind) {
    case 'scan':
      return shift;
    case 'filter':
    case 'project':
    case 'table_function':
      return below(node.input);
    case 'window':
      return node.windowKind === 'session' ? null : below(node.input);
    case 'union': {
      const shifts = node.inputs.map((input) => {
        const at = input.properties?.watermarks.findIndex((w) => w.column === column.column) ?? -1;
        return rowWatermarkShift(input, at);
      });
      const [first] = shifts;
      if (first === undefined || first === null) return null;
      return shifts.every((other) => other === first) ? first + shift : null;
    }
    default:
      return null;
  }
}
