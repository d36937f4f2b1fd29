/** For tests: a graph in a memory of its own, fed with pictures or values, its output summed up as text. */

import { buildBatch } from '../batch/build-batch.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { fromPicture, toPicture } from '../batch/pretty.ts';
import { selectRange } from '../batch/select.ts';
import { Memory } from '../memory/memory.ts';
import { Scratch } from '../memory/scratch.ts';
import type { PlanColumn, PlanNode, ScanNode, WatermarkColumn } from '../plan/plan-node.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { DEFAULT_SETTINGS } from '../types/settings.ts';
import { buildGraph, type Graph } from './graph.ts';

export interface BenchProblem {
  readonly kind: 'late' | 'null_time' | 'error';
  readonly text: string;
}

export class GraphBench {
  readonly memory: Memory;
  readonly graph: Graph;
  readonly problems: BenchProblem[] = [];
  used = 0;
  /** Output batches of this epoch as picture lines, in the order in which they came. */
  lines: string[] = [];
  nowUs = 0n;
  epoch = 0;
  readonly #scratch: Scratch;
  readonly #types: readonly DataType[];
  readonly #batchRowsMax: number;
  readonly #totals = new Map<string, number>();

  /** `cells`: an earlier bench's memory and root cells, to continue from (a restart). */
  constructor(plan: PlanNode, batchRowsMax = 1024, before?: GraphBench) {
    this.memory = before?.memory ?? Memory.create();
    this.#scratch = new Scratch(this.memory);
    this.#types = plan.columns.map(({ type }) => type);
    this.#batchRowsMax = batchRowsMax;
    if (before !== undefined) {
      this.#totals = before.#totals;
      this.nowUs = before.nowUs;
    }
    let cell = 0;
    this.graph = buildGraph(plan, {
      memory: this.memory,
      scratch: this.#scratch,
      output: { onDelta: (batch) => this.#take(batch) },
      rootCell: () => this.memory.rootCell(cell++),
      settings: DEFAULT_SETTINGS,
      isInView: true,
      environment: null,
      nowUs: () => this.nowUs,
      batchRowsMax,
      problems: {
        onLate: (batch, rows) => this.#note('late', batch, rows),
        onNullTime: (batch, rows) => this.#note('null_time', batch, rows),
        onUsed: (count) => {
          this.used += count;
        },
        onError: (_batch, _row, { sqlstate }) =>
          this.problems.push({ kind: 'error', text: sqlstate }),
      },
    });
  }

  #note(kind: 'late' | 'null_time', batch: DeltaBatch, rows: Uint32Array): void {
    for (const row of rows) this.problems.push({ kind, text: `${batch.columns.length}:${row}` });
  }

  #take(batch: DeltaBatch): void {
    for (const line of toPicture(batch, this.#types).split('\n')) {
      this.lines.push(line);
      const [, sign, copies, row] = /^([+-])(\d*) ?(.*)$/.exec(line)!;
      const weight = (sign === '-' ? -1 : 1) * (copies === '' ? 1 : Number(copies));
      const total = (this.#totals.get(row!) ?? 0) + weight;
      if (total === 0) this.#totals.delete(row!);
      else this.#totals.set(row!, total);
    }
  }

  picture(scan: number, text: string): void {
    const mark = this.#scratch.mark();
    const types = this.graph.scans[scan]!.node.columns.map(({ type }) => type);
    this.#push(scan, fromPicture(text, this.#scratch, types));
    this.#scratch.release(mark);
  }

  rows(scan: number, rows: readonly (readonly Value[])[], weights: readonly number[]): void {
    if (rows.length === 0) return;
    const mark = this.#scratch.mark();
    const types = this.graph.scans[scan]!.node.columns.map(({ type }) => type);
    this.#push(scan, buildBatch(types, rows, this.#scratch, weights));
    this.#scratch.release(mark);
  }

  #push(scan: number, batch: DeltaBatch): void {
    for (let from = 0; from < batch.rowCount; from += this.#batchRowsMax) {
      const n = Math.min(this.#batchRowsMax, batch.rowCount - from);
      this.graph.scans[scan]!.push(selectRange(batch, from, n, this.#scratch));
    }
  }

  /** Ends the epoch; the output's lines, sorted. */
  end(watermarks: readonly bigint[] = []): string {
    this.graph.scans.forEach((scan, i) => {
      const watermark = watermarks[i];
      if (watermark !== undefined) scan.setWatermarks([watermark]);
    });
    this.epoch += 1;
    const mark = this.#scratch.mark();
    this.graph.endEpoch({ epoch: this.epoch, nowUs: this.nowUs });
    this.#scratch.release(mark);
    const { lines } = this;
    this.lines = [];
    return lines.sort().join('\n');
  }

  /** The sum of all output so far: `weight row` lines, sorted. */
  total(): string {
    return [...this.#totals]
      .map(([row, weight]) => `${weight} ${row}`)
      .sort()
      .join('\n');
  }
}

export function column(name: string, type: DataType): PlanColumn {
  return { name, type };
}

/** A scan of a relation of its own; `watermark`: the column that carries one. */
export function scanNode(
  id: number,
  columns: readonly PlanColumn[],
  watermark?: number,
  isAppendOnly = false,
): ScanNode {
  const watermarks: WatermarkColumn[] =
    watermark === undefined ? [] : [{ column: watermark, source: 0, shiftUs: '0' }];
  return {
    kind: 'scan',
    relation: { kind: 'table', id, schema: 'public', name: `t${id}` },
    columnIndexes: columns.map((_, index) => index),
    columns,
    properties: { key: null, isAppendOnly, watermarks },
  };
}
