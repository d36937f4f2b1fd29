/**
 * The thread of threads.test.ts: adds its offset; fails for negative numbers; dies of what is not a
 * number.
 */

import { SqlError } from '../base/sql-error.ts';
import { type PortError, threadSelf, toPortError } from '../base/threads.ts';

export interface EchoIn {
  readonly id: number;
  readonly value: number;
}

export interface EchoOut {
  readonly id: number;
  readonly value: number;
  readonly error: PortError | null;
}

function add(value: number, offset: number): number {
  if (value < 0) throw new SqlError('22003', 'value out of range', { hint: 'less' });
  return value + offset;
}

const self = threadSelf<EchoIn, EchoOut, { offset: number }>();
self.onMessage(({ id, value }) => {
  if (Number.isNaN(value)) throw new Error('not a number');
  try {
    self.post({ id, value: add(value, self.data.offset), error: null });
  } catch (error) {
    self.post({ id, value: 0, error: toPortError(error) });
  }
});
