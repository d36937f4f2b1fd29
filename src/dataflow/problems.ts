/**
 * Problems: what is kept out of views, counted and written down (semantics.md rules 11, 15, 18, 24, 27): late rows and rows
 * without a time as dead letters (a log), failing rows as weighted state of the view.
 *
 * A recorder gathers an epoch's problems as values and gives them as batches at its end; counters are state and go into
 * checkpoints. Cost: O(1) a bad row; nothing for good ones.
 */

import { must } from '../base/assert.ts';
import { weightOf } from '../batch/concat.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import type { RawRecord, RecordPlace } from '../connect/source.ts';
import type { PlanColumn, PlanNode } from '../plan/plan-node.ts';
import { INT8, TEXT, type Value } from '../types/data-type.ts';
import { formatValue, type ValueSettings } from '../types/value.ts';
import { type LateRow, lateValues } from './late-rows.ts';
import type { ProblemSink } from './operator.ts';
import type { EngineColumn, LetterCount } from './port.ts';
import { inputsOf } from './shared-subtrees.ts';

export const VIEW_ERRORS: readonly EngineColumn[] = [
  { name: 'view_id', type: INT8 },
  { name: 'sqlstate', type: TEXT },
  { name: 'message', type: TEXT },
  { name: 'row', type: TEXT },
];

/** Rule 24, in absolute weight; `withheld` counts the errors that stand now. */
export interface ProblemCounters {
  used: number;
  late: number;
  nullTime: number;
  withheld: number;
  lateAssignments: number;
}

export interface DeadLetter {
  readonly kind: LetterCount['kind'];
  readonly sourceId: number | null;
  readonly viewId: number | null;
  readonly split: string | null;
  /** null: `place` says it all. */
  readonly position: string | null;
  readonly row: string | null;
  readonly reason: string;
  readonly op: 'insert' | 'delete' | null;
  readonly sqlstate: string | null;
  /** Of a rejected record; absent: not known. */
  readonly place?: Omit<RecordPlace, 'position'> | undefined;
  /** The record as it came; absent: it is not known any more. */
  readonly raw?: RawRecord | undefined;
  /** Of a late row: what it takes to judge it again, a LateRow. */
  readonly lateRow?: string;
}

/** An epoch's problems of the whole engine, on their way into the stored relations. */
export class ProblemLog {
  #letters: DeadLetter[] = [];
  #errors: { readonly values: Value[]; readonly weight: number }[] = [];

  addLetter(letter: DeadLetter): void {
    this.#letters.push(letter);
  }

  addError(viewId: number, sqlstate: string, message: string, row: string, weight: number): void {
    this.#errors.push({ values: [BigInt(viewId), sqlstate, message, row], weight });
  }

  /** Takes over what another log has gathered. */
  absorb(other: ProblemLog): void {
    this.#letters.push(...other.#letters);
    this.#errors.push(...other.#errors);
    other.#letters = [];
    other.#errors = [];
  }

  /** The dead letters; forgets them. */
  takeLetters(): DeadLetter[] {
    const letters = this.#letters;
    this.#letters = [];
    return letters;
  }

  /** Rows for VIEW_ERRORS with their weights; forgets them. */
  takeErrors(): { readonly values: Value[]; readonly weight: number }[] {
    const errors = this.#errors;
    this.#errors = [];
    return errors;
  }
}

/** What a letter takes in its page beside its texts and bytes. */
const LETTER_BYTES = 48;

/** About what a letter takes. */
export function letterBytes({ split, position, row, reason, raw, lateRow }: DeadLetter): number {
  const bytes = (raw?.key?.length ?? 0) + (raw?.value?.length ?? 0);
  const record = bytes + (raw?.context?.length ?? 0);
  const texts = (split?.length ?? 0) + (position?.length ?? 0) + (row?.length ?? 0);
  return LETTER_BYTES + record + texts + reason.length + (lateRow?.length ?? 0);
}

/** The problems of one view. */
export class ViewProblems {
  readonly counters: ProblemCounters;
  readonly #viewId: number;
  readonly #settings: ValueSettings;
  #log: ProblemLog;
  readonly #keepsLateRows: boolean;
  /** A late row is judged again: is it late again? null: none is. */
  #isLateAgain: boolean | null = null;

  constructor(
    viewId: number,
    settings: ValueSettings,
    log: ProblemLog,
    keepsLateRows: boolean,
    counters: ProblemCounters,
  ) {
    this.#viewId = viewId;
    this.#settings = settings;
    this.#log = log;
    this.#keepsLateRows = keepsLateRows;
    this.counters = counters;
  }

  /** From now on problems go to `log`, and those gathered before as well. */
  moveTo(log: ProblemLog): void {
    if (log === this.#log) return;
    log.absorb(this.#log);
    this.#log = log;
  }

  /** `judge`: gives a late row to its operator once more, if it can; true: it is used now. */
  judgeAgain(judge: () => boolean): boolean {
    this.#isLateAgain = false;
    const isUsed = judge() && !this.#isLateAgain;
    this.#isLateAgain = null;
    if (isUsed) this.counters.late -= 1;
    return isUsed;
  }

  /** The sink of one node's operator, which has a number in its graph. */
  sinkOf(node: PlanNode, operator: number): ProblemSink {
    const shapes = columnsSeenBy(node);
    return {
      onLate: (batch, rows, port) => {
        const { columns } = must(inputsOf(node)[port]);
        this.#letters(batch, rows, 'late', [columns], { operator, port });
      },
      onNullTime: (batch, rows) => this.#letters(batch, rows, 'null_time', shapes, null),
      onUsed: (count, lateAssignments) => {
        this.counters.used += count;
        this.counters.lateAssignments += lateAssignments;
      },
      onError: (batch, row, error) => {
        const weight = weightOf(batch, row);
        this.counters.withheld += weight;
        const text = this.#rowText(batch, row, shapes);
        this.#log.addError(this.#viewId, error.sqlstate, error.message, text, weight);
      },
    };
  }

  #letters(
    batch: DeltaBatch,
    rows: Uint32Array,
    kind: 'late' | 'null_time',
    shapes: readonly (readonly PlanColumn[])[],
    input: Pick<LateRow, 'operator' | 'port'> | null,
  ): void {
    if (this.#isLateAgain !== null) {
      this.#isLateAgain = true;
      return;
    }
    for (const row of rows) {
      const weight = weightOf(batch, row);
      const copies = Math.abs(weight);
      if (kind === 'late') this.counters.late += copies;
      else this.counters.nullTime += copies;
      if (!this.#keepsLateRows) continue;
      const letter: DeadLetter = {
        kind,
        sourceId: null,
        viewId: this.#viewId,
        split: null,
        position: null,
        row: this.#rowText(batch, row, shapes),
        reason:
          kind === 'late'
            ? 'the row came after its window was closed'
            : 'the row has no time, or an infinite one',
        op: weight < 0 ? 'delete' : 'insert',
        sqlstate: null,
        ...(input === null ? {} : { lateRow: lateRowText(batch, row, shapes[0]!, input) }),
      };
      for (let copy = 0; copy < copies; copy++) this.#log.addLetter(letter);
    }
  }

  #rowText(batch: DeltaBatch, row: number, shapes: readonly (readonly PlanColumn[])[]): string {
    const width = batch.columns.length;
    const shape =
      shapes.find((one) => one.length === width) ?? shapes.find((one) => one.length < width);
    return rowText(batch, row, shape ?? [], this.#settings);
  }
}

function lateRowText(
  batch: DeltaBatch,
  row: number,
  columns: readonly PlanColumn[],
  input: Pick<LateRow, 'operator' | 'port'>,
): string {
  const late: LateRow = { ...input, values: lateValues(batch, row, columns) };
  return JSON.stringify(late);
}

/** A row as a JSON object of texts, the first columns of the batch. */
export function rowText(
  batch: DeltaBatch,
  row: number,
  columns: readonly EngineColumn[],
  settings: ValueSettings,
): string {
  const texts: Record<string, string | null> = {};
  columns.forEach(({ name, type }, index) => {
    const column = batch.columns[index];
    if (column === undefined) return;
    const value = readValue(batch.memory, column, type, row);
    texts[name] = value === null ? null : formatValue(type, value, settings);
  });
  return JSON.stringify(texts);
}

/** Columns of the batches about which an operator may complain. */
function columnsSeenBy(node: PlanNode): readonly (readonly PlanColumn[])[] {
  switch (node.kind) {
    case 'scan':
    case 'values':
      return [node.columns];
    case 'union':
      return [node.columns];
    case 'join':
      return [[...node.left.columns, ...node.right.columns], node.left.columns, node.right.columns];
    case 'set_operation':
      return [node.columns];
    case 'aggregate':
      return [node.columns, node.input.columns];
    default:
      return [node.input.columns, node.columns];
  }
}
