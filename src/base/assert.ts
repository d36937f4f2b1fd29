/** Beliefs of the code: a broken one ends the job that held it, never the server. */

/** Thrown when the code's own belief is broken; never a user's error. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError';
}

/** Asserts that `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Returns `value`, asserting that it is there. */
export function must<T>(
  value: T | null | undefined,
  message = 'a value that must exist is missing',
): T {
  if (value === null || value === undefined) throw new AssertionError(message);
  return value;
}

/** Closes a switch over a union: the compiler proves that it is never reached. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${JSON.stringify(value)}`);
}
