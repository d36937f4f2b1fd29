/** `substring(s, pattern)`, `~` and `!~` with a constant pattern of the kind that runs on bytes; others by value. */

import { Buffer } from 'node:buffer';
import { must } from '../../base/assert.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { viewBytes, viewData, viewLength, writeViewAt } from '../../memory/views.ts';
import { adaptBody } from '../adapt.ts';
import type { EvalContext } from '../eval-context.ts';
import { defineVector, functionById, type VectorBody } from '../registry.ts';
import { bodyOf } from '../scalar-body.ts';
import { type ByteRegex, byteRegexOf } from './byte-regex.ts';
import { allocValues, commonValidity, isValid, withNulls } from './columns.ts';
import { isConstantView } from './constant-views.ts';

type RegexBody = (regex: ByteRegex, text: Column, n: number, ctx: EvalContext) => Column;

/** `run` where the pattern is constant and for bytes, else the per-value body. */
function withByteRegex(id: string, run: RegexBody): VectorBody {
  let slow: VectorBody | undefined;
  return (args, n, ctx, call) => {
    const [text, pattern] = args as [Column, Column];
    if (isConstantView(ctx.memory, pattern, n)) {
      const regex = byteRegexOf(
        Buffer.from(viewBytes(ctx.memory, pattern.values)).toString('utf8'),
      );
      if (regex !== null) return run(regex, text, n, ctx);
    }
    slow ??= adaptBody(bodyOf(must(functionById(id))), true);
    return slow(args, n, ctx, call);
  };
}

/** The first group, else the whole match; NULL without one. The result shares the text's bytes. */
const substring: RegexBody = (regex, text, n, ctx) => {
  const values = allocValues(ctx, 'view', n);
  const { memory } = ctx;
  const { u8, u32 } = memory;
  memory.u32.fill(0, values >>> 2, (values >>> 2) + 4 * n);
  const nulls: number[] = [];
  for (let row = 0; row < n; row += 1) {
    if (!isValid(memory, text.validity, row)) continue;
    const view = text.values + 16 * row;
    const data = viewData(memory, view);
    const isFound = regex.search(u8, u32, data, data + viewLength(memory, view));
    const start = regex.hasGroup ? regex.groupStart : regex.matchStart;
    const end = regex.hasGroup ? regex.groupEnd : regex.matchEnd;
    if (isFound && start >= 0) writeViewAt(memory, values + 16 * row, start, end - start);
    else nulls.push(row);
  }
  return withNulls(ctx, { storage: 'view', values, validity: text.validity }, n, nulls);
};

function matching(whenFound: 0 | 1): RegexBody {
  return (regex, text, n, ctx) => {
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [text], n);
    const { memory } = ctx;
    const { u8, u32 } = memory;
    for (let row = 0; row < n; row += 1) {
      if (!isValid(memory, validity, row)) continue;
      const view = text.values + 16 * row;
      const data = viewData(memory, view);
      const isFound = regex.search(u8, u32, data, data + viewLength(memory, view));
      u8[values + row] = isFound ? whenFound : 1 - whenFound;
    }
    return { storage: 'u8', values, validity };
  };
}

defineVector('substring(text,text)', withByteRegex('substring(text,text)', substring));
defineVector('~(text,text)', withByteRegex('~(text,text)', matching(1)));
defineVector('!~(text,text)', withByteRegex('!~(text,text)', matching(0)));
