/**
 * SourceRecords: what becomes of decoded records before a view sees them: columns at their places in the relation, generated
 * columns computed, records that fail or break NOT NULL taken out.
 *
 * Cost: O(columns) a batch where nothing is generated; nothing is copied unless a record is taken out.
 */

import { must } from '../base/assert.ts';
import type { Column, DeltaBatch } from '../batch/delta-batch.ts';
import { select } from '../batch/select.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { type CompiledExpr, compileExpr } from '../expr/evaluate.ts';
import { UPSERT } from '../formats/change-decoder.ts';
import type { Memory } from '../memory/memory.ts';
import type { Scratch } from '../memory/scratch.ts';
import type { ValueSettings } from '../types/settings.ts';
import type { CreateSourceAction } from './port.ts';
import { rowText } from './problems.ts';
import { isValid } from './rows.ts';
import { valueSettings } from './value-settings.ts';

export interface BrokenRecord {
  /** Its number in the batch. */
  readonly row: number;
  /** The columns that are known, as JSON. */
  readonly columns: string;
  readonly sqlstate: string;
  readonly reason: string;
}

/** By number in the batch. */
export type KnownProblems = ReadonlyMap<
  number,
  { readonly sqlstate: string; readonly reason: string }
>;
type Bad = Map<number, { readonly sqlstate: string; readonly reason: string }>;

/** Of records that change rows (source-store.ts). */
export interface ChangeFacts {
  /** u8: what each does; only UPSERT brings a row. */
  readonly ops: Column;
  readonly problems: KnownProblems;
}

export class SourceRecords {
  readonly #definition: CreateSourceAction;
  readonly #memory: Memory;
  readonly #scratch: Scratch;
  readonly #settings: ValueSettings;
  readonly #generated: readonly (CompiledExpr | null)[];

  constructor(definition: CreateSourceAction, memory: Memory, scratch: Scratch) {
    this.#definition = definition;
    this.#memory = memory;
    this.#scratch = scratch;
    this.#settings = valueSettings(definition.settings ?? {});
    const options = { settings: this.#settings, isInView: true };
    this.#generated = definition.generated.map((expr) =>
      expr === null ? null : compileExpr(expr, options),
    );
  }

  /** Columns that the connector has to fill so that `read` can be had: with those of the watermark and of NOT NULL. */
  neededFor(read: ReadonlySet<number>): readonly number[] {
    const { watermark, generated, notNull } = this.#definition;
    const needed = new Set<number>([...read, ...notNull]);
    if (watermark !== null) needed.add(watermark.column);
    for (const column of [...needed]) {
      const expr = generated[column] ?? null;
      if (expr !== null) addColumnsOf(expr, needed);
    }
    const filled = [...needed].filter((column) => (generated[column] ?? null) === null);
    return filled.sort((a, b) => a - b);
  }

  /** The relation's columns by number, generated ones computed; rows that fail or break NOT NULL are left out. */
  complete(
    batch: DeltaBatch,
    wanted: readonly number[],
    facts: ChangeFacts | null = null,
  ): { readonly rows: DeltaBatch | null; readonly rejected: readonly BrokenRecord[] } {
    const columns: Column[] = new Array(this.#definition.columns.length);
    wanted.forEach((column, index) => {
      columns[column] = must(batch.columns[index]);
    });
    const whole: DeltaBatch = { ...batch, columns };
    const bad: Bad = new Map(facts?.problems);
    const { u8 } = this.#memory;
    const bringsRow = (row: number) => facts === null || u8[facts.ops.values + row] === UPSERT;
    this.#generate(whole, columns, bad, bringsRow);
    this.#checkNotNull(whole, bad, bringsRow);
    if (bad.size === 0) return { rows: whole, rejected: [] };
    const known = this.#definition.columns.filter((_, index) => columns[index] !== undefined);
    const present = { ...whole, columns: columns.filter((column) => column !== undefined) };
    const rejected = [...bad].map(([row, problem]) => {
      return { row, columns: rowText(present, row, known, this.#settings), ...problem };
    });
    return { rows: this.#without(whole, bad), rejected };
  }

  #generate(
    whole: DeltaBatch,
    columns: Column[],
    bad: Bad,
    bringsRow: (row: number) => boolean,
  ): void {
    const memory = this.#memory;
    const scratch = this.#scratch;
    this.#generated.forEach((expr, index) => {
      if (expr === null || !this.#isComputable(index, columns)) return;
      columns[index] = expr.evaluate(whole, {
        memory,
        scratch,
        nowUs: 0n,
        onError: (row, { sqlstate, message }) => {
          if (!bad.has(row) && bringsRow(row)) bad.set(row, { sqlstate, reason: message });
        },
      });
    });
  }

  /** Are all the columns there of which a generated column is made? */
  #isComputable(index: number, columns: readonly (Column | undefined)[]): boolean {
    const needed = new Set<number>();
    addColumnsOf(must(this.#definition.generated[index]), needed);
    return [...needed].every((column) => columns[column] !== undefined);
  }

  #checkNotNull(whole: DeltaBatch, bad: Bad, bringsRow: (row: number) => boolean): void {
    for (const index of this.#definition.notNull) {
      const column = whole.columns[index];
      if (column === undefined || column.validity === 0) continue;
      const { name } = must(this.#definition.columns[index]);
      for (let row = 0; row < whole.rowCount; row++) {
        if (isValid(whole.memory, column, row) || bad.has(row) || !bringsRow(row)) continue;
        bad.set(row, { sqlstate: '23502', reason: `null value in column "${name}"` });
      }
    }
  }

  #without(whole: DeltaBatch, bad: ReadonlyMap<number, unknown>): DeltaBatch | null {
    const memory = this.#memory;
    const scratch = this.#scratch;
    const kept = whole.rowCount - bad.size;
    if (kept === 0) return null;
    const sel = scratch.alloc(kept * 4);
    for (let row = 0, at = sel >>> 2; row < whole.rowCount; row++) {
      if (!bad.has(row)) memory.u32[at++] = row;
    }
    const present = whole.columns.flatMap((column, index) => (column === undefined ? [] : [index]));
    const dense = { ...whole, columns: present.map((index) => must(whole.columns[index])) };
    const gathered = select(dense, sel, kept, scratch);
    const columns: Column[] = new Array(whole.columns.length);
    present.forEach((index, at) => {
      columns[index] = must(gathered.columns[at]);
    });
    return { ...gathered, columns };
  }
}

/** Adds the columns that an expression reads. Expressions are plain JSON trees. */
function addColumnsOf(expr: BoundExpr, into: Set<number>): void {
  if (expr.kind === 'column') {
    into.add(expr.index);
    return;
  }
  for (const part of Object.values(expr)) visitPart(part, into);
}

function visitPart(part: unknown, into: Set<number>): void {
  if (Array.isArray(part)) for (const item of part) visitPart(item, into);
  else if (isExpression(part)) addColumnsOf(part, into);
  else if (typeof part === 'object' && part !== null && 'condition' in part) {
    for (const item of Object.values(part)) visitPart(item, into);
  }
}

function isExpression(part: unknown): part is BoundExpr {
  return typeof part === 'object' && part !== null && 'kind' in part && 'type' in part;
}
