/** Options of ENCODE CSV. */

import { SqlError } from '../base/sql-error.ts';
import type { CsvOptions } from '../formats/csv.ts';
import { checkOptions, OptionError, type OptionSchema, placeOf } from './options.ts';

const OWNER = 'ENCODE CSV';

const HEADER_OPTION: OptionSchema = { header: { kind: 'boolean', default: true } };
const CSV_OPTIONS: OptionSchema = {
  delimiter: { kind: 'text', default: ',' },
  quote: { kind: 'text', default: '"' },
  escape: { kind: 'text', default: null },
  null: { kind: 'text', default: '' },
};

/** `mayHaveHeader`: files have one unless header = false says otherwise; a message never has one. */
export function checkCsv(
  encodeOptions: ReadonlyMap<string, string>,
  mayHaveHeader: boolean,
): CsvOptions {
  const schema = mayHaveHeader ? { ...CSV_OPTIONS, ...HEADER_OPTION } : CSV_OPTIONS;
  const options = checkOptions(OWNER, schema, encodeOptions);
  const character = (name: string): string => {
    const text = (options.get(name) ?? options.get('quote')) as string;
    const given = text === '\\t' || text === "E'\\t'" ? '\t' : text;
    if (given.length === 1 && given.charCodeAt(0) < 128 && !'\r\n\0'.includes(given)) return given;
    const message = `COPY ${name} must be a single one-byte character`;
    throw new OptionError('22023', message, placeOf(OWNER, name, 'value'));
  };
  const csv = {
    hasHeader: mayHaveHeader && (options.get('header') as boolean),
    delimiter: character('delimiter'),
    quote: character('quote'),
    escape: character('escape'),
    nullText: options.get('null') as string,
  };
  if (csv.delimiter === csv.quote) {
    throw new SqlError('22023', 'CSV delimiter and quote must be different');
  }
  if (/[\r\n]/.test(csv.nullText)) {
    throw new SqlError('22023', 'CSV null representation cannot use newline or carriage return');
  }
  if (csv.nullText.includes(csv.delimiter) || csv.nullText.includes(csv.quote)) {
    throw new SqlError('22023', 'CSV delimiter and quote must not appear in the null text');
  }
  return csv;
}
