/** `s = ANY (list)` and `s <> ALL (list)` over texts with a short constant list: compares views, makes no strings. */

import { must } from '../../base/assert.ts';
import type { Column } from '../../batch/delta-batch.ts';
import { viewBytes, viewsEqualWords } from '../../memory/views.ts';
import type { ArrayValue } from '../../types/array.ts';
import { TEXT, type Value } from '../../types/data-type.ts';
import { decodeBytes } from '../../types/value.ts';
import { adaptBody } from '../adapt.ts';
import type { EvalContext } from '../eval-context.ts';
import { type CallContext, defineVector, functionById, type VectorBody } from '../registry.ts';
import { bodyOf } from '../scalar-body.ts';
import { allocValues, isValid } from './columns.ts';
import { isConstantView } from './constant-views.ts';
import { writeValue } from './values.ts';

/** Longer lists are searched as sets by the per-value body. */
const LIST_LENGTH_MAX = 16;

/** Views of the list's texts in scratch; null: not a constant, short, not empty list without NULLs. */
function listViews(
  list: Column,
  n: number,
  ctx: EvalContext,
  call: CallContext,
): { readonly views: number; readonly count: number } | null {
  if (!isConstantView(ctx.memory, list, n)) return null;
  const array = decodeBytes(call.argTypes[1]!, viewBytes(ctx.memory, list.values)) as ArrayValue;
  const items = array.items as readonly Value[];
  const isShort = items.length > 0 && items.length <= LIST_LENGTH_MAX;
  if (!isShort || items.includes(null)) return null;
  const views = allocValues(ctx, 'view', items.length);
  items.forEach((item, i) => {
    writeValue(ctx, TEXT, views, i, item!);
  });
  return { views, count: items.length };
}

function member(id: string, whenMember: 0 | 1): VectorBody {
  let slow: VectorBody | undefined;
  return (args, n, ctx, call) => {
    const [text, list] = args as [Column, Column];
    const found = listViews(list, n, ctx, call);
    if (found === null) {
      slow ??= adaptBody(bodyOf(must(functionById(id))), false);
      return slow(args, n, ctx, call);
    }
    const values = allocValues(ctx, 'u8', n);
    const { memory } = ctx;
    const { u8, u32 } = memory;
    const end = found.views + 16 * found.count;
    for (let row = 0; row < n; row += 1) {
      if (!isValid(memory, text.validity, row)) continue;
      let view = found.views;
      while (view < end && !viewsEqualWords(u32, u8, text.values + 16 * row, view)) view += 16;
      u8[values + row] = view < end ? whenMember : 1 - whenMember;
    }
    return { storage: 'u8', values, validity: text.validity };
  };
}

defineVector('any =(text,text)', member('any =(text,text)', 1));
defineVector('all <>(text,text)', member('all <>(text,text)', 0));
