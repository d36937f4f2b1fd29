/**
 * to_char(timestamp, format) with a constant format: most formats show no more than the day, hour, minute or second, so the
 * text is made once for each of those that a batch has, and rows share it.
 */

import { SqlError } from '../../base/sql-error.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { type PictureNode, parsePicture } from '../../types/format-picture.ts';
import { adaptBody } from '../adapt.ts';
import type { EvalContext } from '../eval-context.ts';
import {
  type CallContext,
  defineVector,
  mustFunction,
  type ValueBody,
  type VectorBody,
} from '../registry.ts';
import { bodyOf } from '../scalar-body.ts';
import { allocValues, isValid } from './columns.ts';
import { isConstantView } from './constant-views.ts';
import { finishByValue } from './slow-rows.ts';
import { columnReader, writeValue } from './values.ts';

const ID = 'to_char(timestamp,text)';
const WORD = 0x1_0000_0000;
const EXACT_MAX = Number.MAX_SAFE_INTEGER;

const SECOND = 1e6;
const MINUTE = 60e6;
const HOUR = 3600e6;
const DAY = 86400e6;

/** What a keyword tells apart; a keyword that is not here: microseconds. */
const UNITS: ReadonlyMap<string, number> = new Map([
  ...words('SS SSSS SSSSS', SECOND),
  ...words('MI', MINUTE),
  ...words('HH HH12 HH24 AM PM A.M. P.M.', HOUR),
  ...words(
    'YYYY YYY YY Y Y,YYY IYYY IYY IY I MM MONTH MON DD DDD DAY DY D ID IDDD W WW IW CC J Q RM',
    DAY,
  ),
]);

function words(keywords: string, unit: number): [string, number][] {
  return keywords.split(' ').map((keyword) => [keyword, unit]);
}

function unitOf(format: string): number {
  const units = parsePicture(format).map(({ keyword }: PictureNode) =>
    keyword === null ? DAY : (UNITS.get(keyword) ?? 1),
  );
  return Math.min(DAY, ...units);
}

let slow: VectorBody | undefined;

const toChar: VectorBody = (args, n, ctx, call) => {
  const [, format] = args as [Column, Column];
  const fast = isConstantView(ctx.memory, format, n) ? byFormat(args, n, ctx, call) : null;
  if (fast !== null) return fast;
  slow ??= adaptBody(bodyOf(mustFunction(ID)), true);
  return slow(args, n, ctx, call);
};

/** null: the format shows microseconds, or is refused (row by row). */
function byFormat(
  args: readonly Column[],
  n: number,
  ctx: EvalContext,
  call: CallContext,
): Column | null {
  try {
    const format = columnReader(ctx.memory, args[1]!, call.argTypes[1]!)(0) as string;
    const unit = unitOf(format);
    return unit > 1 ? byUnit(args, format, unit, n, ctx, call) : null;
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    return null;
  }
}

function byUnit(
  args: readonly Column[],
  format: string,
  unit: number,
  n: number,
  ctx: EvalContext,
  call: CallContext,
): Column {
  const time = args[0]!;
  const values = allocValues(ctx, 'view', n);
  const { memory } = ctx;
  memory.u32.fill(0, values >>> 2, (values >>> 2) + 4 * n);
  const body = bodyOf(mustFunction(ID));
  /** Row in which each unit's text stands first. */
  const rows = new Map<number, number>();
  const late: number[] = [];
  let lastNumber = Number.NaN;
  let lastRow = 0;
  for (let row = 0; row < n; row += 1) {
    if (!isValid(memory, time.validity, row)) continue;
    const word = (time.values >>> 2) + 2 * row;
    const us = memory.i32[word + 1]! * WORD + memory.u32[word]!;
    if (us > EXACT_MAX || us < -EXACT_MAX) {
      late.push(row);
      continue;
    }
    const number = Math.floor(us / unit);
    if (number !== lastNumber) {
      lastRow = rows.get(number) ?? row;
      lastNumber = number;
      if (lastRow === row) {
        rows.set(number, row);
        writeText(body, number * unit, format, values, row, ctx, call);
      }
    }
    if (lastRow !== row) copyView(memory.u32, values, lastRow, row);
  }
  const column: Column = { storage: 'view', values, validity: time.validity };
  return finishByValue(ID, args, late, column, n, ctx, call);
}

function writeText(
  body: ValueBody,
  us: number,
  format: string,
  values: number,
  row: number,
  ctx: EvalContext,
  call: CallContext,
): void {
  const text = body([BigInt(us), format], call);
  if (text !== null) writeValue(ctx, call.type, values, row, text);
}

function copyView(u32: Uint32Array, values: number, fromRow: number, toRow: number): void {
  const from = (values >>> 2) + 4 * fromRow;
  const to = (values >>> 2) + 4 * toRow;
  u32[to] = u32[from]!;
  u32[to + 1] = u32[from + 1]!;
  u32[to + 2] = u32[from + 2]!;
  u32[to + 3] = u32[from + 3]!;
}

defineVector(ID, toChar);
