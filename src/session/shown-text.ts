/** What others may see of a statement's text (pg_stat_activity, millrace.connections, pg_prepared_statements). */

import { tokenize } from '../sql/lexer.ts';

/** The text, or that it holds a secret: also where it is no whole statement. */
export function shownText(text: string): string {
  const verb = /secret/i.test(text) ? secretVerb(text) : null;
  return verb === null ? text : `<${verb.toUpperCase()} SECRET is not shown>`;
}

/** What the text does to a secret whose value it holds; null: it holds none. */
function secretVerb(text: string): string | null {
  let before = '';
  for (const { type, text: word } of tokenize(text)) {
    const isValued = before === 'create' || before === 'alter';
    if (type === 'word' && word === 'secret' && isValued) return before;
    before = word;
  }
  return null;
}
