/** What others may see of a statement's text (pg_stat_activity, millrace.connections, pg_prepared_statements). */

import { tokenize } from '../sql/lexer.ts';

const HIDDEN = '<CREATE SECRET is not shown>';

/** The text, or that it holds a secret: also where it is no whole statement. */
export function shownText(text: string): string {
  return /secret/i.test(text) && holdsSecret(text) ? HIDDEN : text;
}

function holdsSecret(text: string): boolean {
  const tokens = tokenize(text);
  return tokens.some(({ type, text: word }, i) => {
    const before = tokens[i - 1]?.text;
    return type === 'word' && word === 'secret' && (before === 'create' || before === 'alter');
  });
}
