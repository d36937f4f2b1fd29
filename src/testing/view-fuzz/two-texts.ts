/**
 * One generated query, two spellings: Millrace's and PostgreSQL's. The text carries both where they differ (time windows,
 * canonical order), so that every query built around such a part has both too.
 */

const OURS = '\u0001';
const THEIRS = '\u0002';
const END = '\u0003';

/** A piece that is spelled otherwise in PostgreSQL. */
export function either(ours: string, postgres: string): string {
  return `${OURS}${ours}${THEIRS}${postgres}${END}`;
}

export function forMillrace(text: string): string {
  return rendered(text, true);
}

export function forPostgres(text: string): string {
  return rendered(text, false);
}

function rendered(text: string, isOurs: boolean): string {
  const parts: string[] = [];
  const choices: ('ours' | 'theirs')[] = [];
  let start = 0;
  const isShown = (): boolean => choices.every((side) => (side === 'ours') === isOurs);
  for (let i = 0; i <= text.length; i++) {
    const char = text[i] ?? END;
    if (char !== OURS && char !== THEIRS && char !== END) continue;
    if (isShown()) parts.push(text.slice(start, i));
    start = i + 1;
    if (char === OURS) choices.push('ours');
    else if (char === THEIRS) choices[choices.length - 1] = 'theirs';
    else choices.pop();
  }
  return parts.join('');
}
