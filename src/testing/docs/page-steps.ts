/**
 * README.md's tour, taken apart: its `sql` blocks are statements, a `text` block behind one is what the last of them shows, a
 * `sh` block with `kill -9` ends and restarts the server.
 */

export type TourStep =
  | { readonly kind: 'restart' }
  | { readonly kind: 'statement'; readonly text: string }
  /** The last statement of a block, with the table that it shows; `start` and `end` are the table's place. */
  | {
      readonly kind: 'shown';
      readonly text: string;
      readonly table: string;
      readonly start: number;
      readonly end: number;
    };

const BLOCK = /^```(\w+)\n(.*?)^```$/gms;

export function tourSteps(readme: string): TourStep[] {
  const steps: TourStep[] = [];
  for (const { 1: language, 2: body = '', index, 0: whole } of readme.matchAll(BLOCK)) {
    if (language === 'sh' && body.includes('kill -9')) steps.push({ kind: 'restart' });
    else if (language === 'sql') {
      for (const text of statementsOf(body)) steps.push({ kind: 'statement', text });
    } else if (language === 'text') {
      const last = steps.pop();
      if (last?.kind !== 'statement') throw new Error('a table without a statement before it');
      const start = index + whole.indexOf('\n') + 1;
      const end = start + body.length;
      steps.push({ kind: 'shown', text: last.text, table: body.trimEnd(), start, end });
    }
  }
  return steps;
}

/** Each ends at a `;` that ends its line. */
function statementsOf(block: string): string[] {
  return block
    .split(/;[ ]*\n/)
    .map((text) => text.trim())
    .filter((text) => text !== '');
}

/** A table without what differs from run to run: epoch numbers, and blanks at the ends of lines. */
export function comparable(table: string): string {
  const lines = table.trimEnd().split('\n');
  const hasEpochs = /^ *epoch /.test(lines[0] ?? '');
  return lines
    .map((line) => (hasEpochs ? line.replace(/^ *\d+ \|/, ' # |').replace(/^-+\+/, '-+') : line))
    .map((line) => (hasEpochs ? line.replace(/^ *epoch/, ' epoch') : line).trimEnd())
    .join('\n');
}
