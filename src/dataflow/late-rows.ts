/**
 * A late row as its dead letter keeps it, exactly, so that it can be judged again: the columns of the operator that found it late,
 * as texts that do not depend on any settings.
 */

import { must } from '../base/assert.ts';
import { buildBatch } from '../batch/build-batch.ts';
import type { DeltaBatch } from '../batch/delta-batch.ts';
import { readValue } from '../batch/read-value.ts';
import type { Scratch } from '../memory/scratch.ts';
import { DEFAULT_SETTINGS, formatValue, parseValue } from '../types/value.ts';
import type { EngineColumn } from './port.ts';

/** JSON. */
export interface LateRow {
  /** Its number in the graph. */
  readonly operator: number;
  readonly port: number;
  readonly values: readonly (string | null)[];
}

/** A row of a batch with these columns. */
export function lateValues(
  batch: DeltaBatch,
  row: number,
  columns: readonly EngineColumn[],
): LateRow['values'] {
  return columns.map(({ type }, index) => {
    const value = readValue(batch.memory, must(batch.columns[index]), type, row);
    return value === null ? null : formatValue(type, value, DEFAULT_SETTINGS);
  });
}

/** The row again, in scratch. */
export function lateBatch(
  columns: readonly EngineColumn[],
  values: LateRow['values'],
  weight: 1 | -1,
  scratch: Scratch,
): DeltaBatch {
  const types = columns.map(({ type }) => type);
  const row = types.map((type, index) => {
    const text = values[index] ?? null;
    return text === null ? null : parseValue(type, text, DEFAULT_SETTINGS);
  });
  return buildBatch(types, [row], scratch, [weight]);
}
