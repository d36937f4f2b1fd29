/** Text and bytea comparison over columns, on the bytes: UTF-8 byte order is the C collation's order. */

import { compareViews, viewsEqualWords } from '../../memory/views.ts';
import { defineVector, type VectorBody } from '../registry.ts';
import { allocValues, commonValidity, isValid } from './columns.ts';

function equality(whenEqual: 0 | 1): VectorBody {
  return ([a, b], n, ctx) => {
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const { memory } = ctx;
    const { u8, u32 } = memory;
    for (let i = 0; i < n; i += 1) {
      if (!isValid(memory, validity, i)) continue;
      const isEqual = viewsEqualWords(u32, u8, a!.values + 16 * i, b!.values + 16 * i);
      u8[values + i] = isEqual ? whenEqual : 1 - whenEqual;
    }
    return { storage: 'u8', values, validity };
  };
}

function order(test: (comparison: number) => boolean): VectorBody {
  return ([a, b], n, ctx) => {
    const values = allocValues(ctx, 'u8', n);
    const validity = commonValidity(ctx, [a!, b!], n);
    const { memory } = ctx;
    const { u8 } = memory;
    for (let i = 0; i < n; i += 1) {
      if (!isValid(memory, validity, i)) continue;
      u8[values + i] = test(compareViews(memory, a!.values + 16 * i, b!.values + 16 * i)) ? 1 : 0;
    }
    return { storage: 'u8', values, validity };
  };
}

for (const pair of [
  'text,text',
  'bytea,bytea',
  'uuid,uuid',
  'name,name',
  'name,text',
  'text,name',
]) {
  defineVector(`=(${pair})`, equality(1));
  defineVector(`<>(${pair})`, equality(0));
  defineVector(
    `<(${pair})`,
    order((c) => c < 0),
  );
  defineVector(
    `<=(${pair})`,
    order((c) => c <= 0),
  );
  defineVector(
    `>(${pair})`,
    order((c) => c > 0),
  );
  defineVector(
    `>=(${pair})`,
    order((c) => c >= 0),
  );
}
