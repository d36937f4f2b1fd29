/** A field of CSV as COPY writes it. */

import type { CsvOptions } from './csv.ts';

/** Quotes a field where COPY does: what could be taken for something else. */
export function csvQuoter(options: CsvOptions): (text: string) => string {
  const { delimiter, quote, nullText } = options;
  const special = new Set([delimiter, quote, '\n', '\r']);
  return (text) => {
    let isSpecial = text === nullText || text === '\\.';
    for (const c of text) if (special.has(c)) isSpecial = true;
    if (!isSpecial) return text;
    let escaped = '';
    for (const c of text) escaped += c === quote || c === options.escape ? options.escape + c : c;
    return quote + escaped + quote;
  };
}
