/**
 * A page of the documentation, taken apart: what its fenced blocks say is done, one after the other.
 *
 *     ```sql                      statements; each ends at a `;` that ends its line
 *     ```sql postgres             the same, in the PostgreSQL beside it
 *     ```text                     what the last statement or command before it shows
 *     ```text standard output     what the server has written by then, among other lines
 *     ```sh                       commands (commands.ts); `kill -9` ends and restarts the server
 *     ```json orders.jsonl        a file with this content, in the server's folder of files (any language)
 */

export interface Shown {
  readonly text: string;
  /** Its place in the page. */
  readonly start: number;
  readonly end: number;
}

export type PageStep =
  | { readonly kind: 'restart' }
  | { readonly kind: 'file'; readonly name: string; readonly content: string }
  | { readonly kind: 'output'; readonly shown: Shown }
  | {
      readonly kind: 'statement' | 'command';
      readonly text: string;
      readonly isPostgres: boolean;
      readonly shown: Shown | null;
    };

const BLOCK = /^```(\w+)(?: ([^\n]*))?\n(.*?)^```$/gms;

export function pageSteps(page: string): PageStep[] {
  const steps: PageStep[] = [];
  for (const block of page.matchAll(BLOCK)) {
    const { 1: language, 2: more = '', 3: body = '', index, 0: whole } = block;
    const start = index + whole.indexOf('\n') + 1;
    const shown = { text: body.trimEnd(), start, end: start + body.length };
    if (language === 'sql') steps.push(...sqlSteps(body, more));
    else if (language === 'sh' && body.includes('kill -9')) steps.push({ kind: 'restart' });
    else if (language === 'sh') steps.push(...commandsOf(body).map(command));
    else if (language !== 'text') steps.push({ kind: 'file', name: more, content: body });
    else if (more === 'standard output') steps.push({ kind: 'output', shown });
    else steps.push(withShown(steps.pop(), shown));
  }
  return steps;
}

function sqlSteps(body: string, more: string): PageStep[] {
  if (more !== '' && more !== 'postgres') throw new Error(`sql blocks are not of "${more}"`);
  const isPostgres = more === 'postgres';
  return statementsOf(body).map((text) => ({ kind: 'statement', text, isPostgres, shown: null }));
}

function command(text: string): PageStep {
  return { kind: 'command', text, isPostgres: false, shown: null };
}

function withShown(step: PageStep | undefined, shown: Shown): PageStep {
  if (step?.kind === 'statement' || step?.kind === 'command') return { ...step, shown };
  throw new Error(`nothing before it shows ${shown.text}`);
}

function statementsOf(block: string): string[] {
  return block
    .split(/;[ ]*\n/)
    .map((text) => text.trim())
    .filter((text) => text.replace(/^--.*$/gm, '').trim() !== '');
}

/** One a line, with the lines of its input (`<<'END'`) behind it. */
function commandsOf(block: string): string[] {
  return block.match(/^[^\n]*<<'END'\n.*?^END$|^[^\n]+$/gms) ?? [];
}

/** What is shown without what differs from run to run: numbers and times of epochs, and blanks at the ends of lines. */
export function comparable(shown: string): string {
  const lines = shown.trimEnd().split('\n');
  const hasEpochs = /^ *epoch /.test(lines[0] ?? '');
  return lines
    .map((line) => (hasEpochs ? withoutEpoch(line) : line).trimEnd())
    .map((line) => line.replace(/"epoch":\d+,"time":"[^"]*"/, '"epoch":#,"time":"#"'))
    .map((line) => line.replace(/"ts_ms":\d+/, '"ts_ms":#'))
    .map((line) => line.replace(/^(-?\d),\d+,\d{4}-[^,]*,/, '$1,#,#,'))
    .map((line) => line.replace(/\bepoch \d+ /, 'epoch # ').replace(/^part-\d+/, 'part-#'))
    .join('\n');
}

function withoutEpoch(line: string): string {
  return line
    .replace(/^ *\d+ \|/, ' # |')
    .replace(/^-+\+/, '-+')
    .replace(/^ *epoch/, ' epoch');
}
