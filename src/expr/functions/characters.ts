/** Strings as PostgreSQL counts them: by code points. Cost: O(1) set-up without surrogates, else O(length). */

const SURROGATE = /[\ud800-\udfff]/;

export function charLength(text: string): number {
  if (!SURROGATE.test(text)) return text.length;
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Characters [start, end) of the text, by code points. */
export function sliceChars(
  text: string,
  start: number,
  end: number = Number.POSITIVE_INFINITY,
): string {
  if (!SURROGATE.test(text))
    return text.slice(start, end === Number.POSITIVE_INFINITY ? undefined : end);
  return [...text].slice(start, end === Number.POSITIVE_INFINITY ? undefined : end).join('');
}

/** Number of code points before UTF-16 offset `offset`. */
export function charIndex(text: string, offset: number): number {
  return charLength(text.slice(0, offset));
}
