/**
 * Tells where statements end while a user types: at a `;` outside quotes, dollar quotes, comments and parentheses. The
 * server does the real parsing; this only decides when there is something to send.
 */

/** Text up to and with the last statement end, and what is left. */
export interface SplitText {
  readonly complete: string;
  readonly rest: string;
}

/** What opens at `offset`, as [its length, the text that closes it]; null: nothing. */
function opening(text: string, offset: number): readonly [number, string] | null {
  const two = text.slice(offset, offset + 2);
  if (two === '--') return [2, '\n'];
  if (two === '/*') return [2, '*/'];
  const character = text[offset]!;
  if (character === "'" || character === '"') return [1, character];
  if (character === '$' && !/[\w$]/.test(text[offset - 1] ?? '')) {
    const tag = /^\$(?:[a-zA-Z_]\w*)?\$/.exec(text.slice(offset))?.[0];
    if (tag !== undefined) return [tag.length, tag];
  }
  return null;
}

/** Offset behind a block comment that opened at `from` (they nest), -1 where it is still open. */
function behindBlockComment(text: string, from: number): number {
  let depth = 1;
  for (let offset = from; offset < text.length - 1; offset++) {
    const two = text.slice(offset, offset + 2);
    if (two === '/*') depth++;
    else if (two === '*/') depth--;
    else continue;
    offset++;
    if (depth === 0) return offset + 1;
  }
  return -1;
}

export function splitStatements(text: string): SplitText {
  let end = 0;
  let depth = 0;
  for (let offset = 0; offset < text.length; ) {
    const open = opening(text, offset);
    if (open !== null) {
      const [length, close] = open;
      const from = offset + length;
      const found = text.indexOf(close, from);
      const behind =
        close === '*/' ? behindBlockComment(text, from) : found < 0 ? -1 : found + close.length;
      if (behind < 0) break;
      offset = behind;
      continue;
    }
    const character = text[offset++]!;
    if (character === '(') depth++;
    else if (character === ')') depth = Math.max(0, depth - 1);
    else if (character === ';' && depth === 0) end = offset;
  }
  return { complete: text.slice(0, end), rest: text.slice(end) };
}
