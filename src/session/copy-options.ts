/** COPY's options, in the old and the parenthesised spelling. */

import { closestName } from '../base/closest-name.ts';
import { SqlError } from '../base/sql-error.ts';
import type { CopyCsvOptions } from '../formats/copy-text.ts';
import type { CsvOptions } from '../formats/csv.ts';
import type { Copy, Option } from '../sql/statements.ts';
import { refuse } from './session-state.ts';

export interface CopyOptions extends CopyCsvOptions, CsvOptions {
  readonly format: 'text' | 'csv';
  readonly hasHeader: boolean;
}

const KNOWN = [
  'format',
  'delimiter',
  'null',
  'header',
  'quote',
  'escape',
  'encoding',
  'freeze',
  'force_quote',
  'force_null',
  'force_not_null',
  'default',
  'csv',
  'binary',
  'atomic',
];

export function copyOptions({ options }: Copy): CopyOptions {
  const given = new Map<string, Option>();
  for (const option of options) {
    const name = option.name.toLowerCase();
    checkKnown(name, option);
    if (given.has(name))
      throw new SqlError('42601', 'conflicting or redundant options', {
        position: option.position,
      });
    given.set(name, option);
  }
  const format = formatOf(given);
  const isCsv = format === 'csv';
  const one = (name: string, fallback: string) => oneCharacter(given.get(name), fallback);
  if (!isCsv) for (const name of ['quote', 'escape']) refuseOutsideCsv(given.get(name));
  const quote = one('quote', '"');
  return {
    format,
    hasHeader: isOn(given.get('header')),
    delimiter: one('delimiter', isCsv ? ',' : '\t'),
    nullText: given.get('null')?.value ?? (isCsv ? '' : '\\N'),
    quote,
    escape: one('escape', quote),
  };
}

function checkKnown(name: string, option: Option): void {
  if (
    ['force_quote', 'force_null', 'force_not_null', 'default', 'atomic', 'binary'].includes(name)
  ) {
    refuse(`COPY option "${name}"`, option.position);
  }
  if (KNOWN.includes(name)) return;
  const near = closestName(name, KNOWN);
  throw new SqlError('42601', `option "${name}" not recognized`, {
    position: option.position,
    hint: near === null ? undefined : `Perhaps you meant "${near}".`,
  });
}

function formatOf(given: ReadonlyMap<string, Option>): 'text' | 'csv' {
  if (given.has('csv')) return 'csv';
  const option = given.get('format');
  const format = option?.value?.toLowerCase() ?? 'text';
  if (format === 'text' || format === 'csv') return format;
  if (format === 'binary') return refuse('COPY in binary format', option!.position);
  throw new SqlError('22023', `COPY format "${format}" not recognized`, {
    position: option!.position,
  });
}

function oneCharacter(option: Option | undefined, fallback: string): string {
  if (option === undefined) return fallback;
  const value = option.value ?? '';
  if (value.length === 1 && value.charCodeAt(0) < 128 && value !== '\n' && value !== '\r')
    return value;
  throw new SqlError('22023', `COPY ${option.name} must be a single one-byte character`, {
    position: option.position,
  });
}

function refuseOutsideCsv(option: Option | undefined): void {
  if (option === undefined) return;
  throw new SqlError('0A000', `COPY ${option.name} available only in CSV mode`, {
    position: option.position,
  });
}

function isOn(option: Option | undefined): boolean {
  return option !== undefined && !/^(false|off|0)$/i.test(option.value ?? 'true');
}
