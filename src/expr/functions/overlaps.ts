/** (s1, e1) OVERLAPS (s2, e2): periods by their ends or lengths; the ends in either order; NULLs as in PostgreSQL. */

import { must } from '../../base/assert.ts';
import type { Value } from '../../types/data-type.ts';
import { type CallContext, defineGeneral, functionById, type ValueBody } from '../registry.ts';

type Time = bigint | null;

function inOrder(a: Time, b: Time): readonly [Time, Time] {
  if (a === null) return [b, a];
  return b !== null && b < a ? [b, a] : [a, b];
}

/** The first period's start is the earlier, or both start together. */
function overlap(a: Time, b: Time, c: Time, d: Time): boolean | null {
  const [start1, end1] = inOrder(a, b);
  const [start2, end2] = inOrder(c, d);
  if (start1 === null || start2 === null) return null;
  if (start1 === start2) return end1 === null || end2 === null ? null : true;
  const [later, laterEnd, earlierEnd] =
    start1 > start2 ? [start1, end1, end2] : [start2, end2, end1];
  if (earlierEnd === null) return null;
  if (later < earlierEnd) return true;
  return laterEnd === null ? null : false;
}

/** An end given as a length is its start plus that. */
function overlapsBody(type: string, first: string, second: string): ValueBody {
  const add = (start: Value, end: Value, kind: string, call: CallContext): Time => {
    if (kind !== 'interval' || start === null || end === null) return end as Time;
    const plus = must(must(functionById(`+(${type},interval)`)).value);
    return plus([start, end], call) as Time;
  };
  return ([a, b, c, d], call) =>
    overlap(
      a as Time,
      add(a ?? null, b ?? null, first, call),
      c as Time,
      add(c ?? null, d ?? null, second, call),
    );
}

for (const type of ['timestamp', 'timestamptz', 'time']) {
  for (const first of [type, 'interval']) {
    for (const second of [type, 'interval']) {
      defineGeneral(
        `overlaps(${type},${first},${type},${second})`,
        'bool',
        overlapsBody(type, first, second),
        { isStrict: false, volatility: type === 'timestamptz' ? 'stable' : 'immutable' },
      );
    }
  }
}
