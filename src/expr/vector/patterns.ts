/**
 * LIKE with a constant pattern over columns: `abc`, `abc%`, `%abc`, `%abc%` on the bytes, without strings. Other patterns,
 * and patterns that vary by row, go through the per-value body.
 */

import { Buffer } from 'node:buffer';
import { must } from '../../base/assert.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { viewData, viewLength, viewsEqualWords } from '../../memory/views.ts';
import { adaptBody } from '../adapt.ts';
import type { EvalContext } from '../eval-context.ts';
import { defineVector, functionById, type VectorBody } from '../registry.ts';
import { bodyOf } from '../scalar-body.ts';
import { allocValues, commonValidity, isValid } from './columns.ts';

const SIMPLE = /^(%?)([^%_\\]*)(%?)$/;

interface SimplePattern {
  readonly bytes: Uint8Array;
  readonly opensStart: boolean;
  readonly opensEnd: boolean;
}

/** The pattern of the whole column, where it is one and of the simple forms. */
function simplePattern(column: Column, n: number, ctx: EvalContext): SimplePattern | undefined {
  if (column.validity !== 0 || n === 0) return undefined;
  const { u8, u32 } = ctx.memory;
  for (let i = 1; i < n; i += 1) {
    if (!viewsEqualWords(u32, u8, column.values, column.values + 16 * i)) return undefined;
  }
  const length = viewLength(ctx.memory, column.values);
  const start = viewData(ctx.memory, column.values);
  const text = Buffer.from(ctx.memory.u8.slice(start, start + length)).toString('utf8');
  const match = SIMPLE.exec(text);
  if (match === null) return undefined;
  return {
    bytes: Buffer.from(match[2] as string, 'utf8'),
    opensStart: match[1] === '%',
    opensEnd: match[3] === '%' || (match[1] === '%' && match[2] === ''),
  };
}

function bytesAt(u8: Uint8Array, at: number, wanted: Uint8Array): boolean {
  for (let i = 0; i < wanted.length; i += 1) if (u8[at + i] !== wanted[i]) return false;
  return true;
}

function matchesAt(u8: Uint8Array, start: number, length: number, pattern: SimplePattern): boolean {
  const { bytes, opensStart, opensEnd } = pattern;
  const spare = length - bytes.length;
  if (spare < 0) return false;
  if (!opensStart) return (opensEnd || spare === 0) && bytesAt(u8, start, bytes);
  if (!opensEnd) return bytesAt(u8, start + spare, bytes);
  const first = bytes[0];
  for (let i = start; i <= start + spare; i += 1) {
    if (u8[i] === first && bytesAt(u8, i, bytes)) return true;
  }
  return bytes.length === 0;
}

function like(id: string, whenMatching: 0 | 1): VectorBody {
  let slow: VectorBody | undefined;
  return (args, n, ctx, call) => {
    const [text, patternColumn] = args as [Column, Column];
    const pattern = simplePattern(patternColumn, n, ctx);
    if (pattern === undefined) {
      slow ??= adaptBody(bodyOf(must(functionById(id))), true);
      return slow(args, n, ctx, call);
    }
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [text], n);
    const { memory } = ctx;
    const { u8 } = memory;
    for (let i = 0; i < n; i += 1) {
      if (!isValid(memory, validity, i)) continue;
      const view = text.values + 16 * i;
      const isMatch = matchesAt(u8, viewData(memory, view), viewLength(memory, view), pattern);
      u8[values + i] = isMatch ? whenMatching : 1 - whenMatching;
    }
    return { storage: 'u8', values, validity };
  };
}

defineVector('~~(text,text)', like('~~(text,text)', 1));
defineVector('!~~(text,text)', like('!~~(text,text)', 0));
