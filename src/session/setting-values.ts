/** Values of settings: their kinds, the forms that are accepted, and how they are shown. */

import { DURATION_UNITS, parseDurationMs } from '../base/duration.ts';
import { SqlError } from '../base/sql-error.ts';

export type SettingKind =
  | { readonly kind: 'string' }
  | { readonly kind: 'bool' }
  | { readonly kind: 'int'; readonly min: number; readonly max: number }
  /** Milliseconds; accepts a unit (`5s`). */
  | { readonly kind: 'duration' }
  | { readonly kind: 'enum'; readonly values: readonly string[] };

/** What a setting's values must be. */
export interface SettingRules {
  readonly name: string;
  readonly type: SettingKind;
  /** Canonical form of an accepted value, or undefined where it is refused. */
  readonly normalize?: (value: string) => string | undefined;
}

function invalidValue(name: string, value: string, hint?: string, detail?: string): SqlError {
  return new SqlError('22023', `invalid value for parameter "${name}": "${value}"`, {
    hint,
    detail,
  });
}

export function normalizeEncoding(value: string): string | undefined {
  const plain = value
    .replace(/^'(.*)'$/, '$1')
    .toUpperCase()
    .replace(/[-_]/g, '');
  return plain === 'UTF8' || plain === 'UNICODE' || plain === 'SQLASCII' ? 'UTF8' : undefined;
}

const DATE_STYLES: Readonly<Record<string, string>> = Object.freeze({
  iso: 'ISO',
  sql: 'SQL',
  postgres: 'Postgres',
  german: 'German',
});
const DATE_ORDERS: Readonly<Record<string, string>> = Object.freeze({
  mdy: 'MDY',
  us: 'MDY',
  noneuro: 'MDY',
  noneuropean: 'MDY',
  dmy: 'DMY',
  euro: 'DMY',
  european: 'DMY',
  ymd: 'YMD',
});

export function normalizeDateStyle(value: string): string {
  let style = 'ISO';
  let order = 'MDY';
  for (const part of value
    .toLowerCase()
    .split(',')
    .map((word) => word.trim())
    .filter(Boolean)) {
    if (Object.hasOwn(DATE_STYLES, part)) style = DATE_STYLES[part]!;
    else if (Object.hasOwn(DATE_ORDERS, part)) order = DATE_ORDERS[part]!;
    else if (part !== 'default')
      throw invalidValue('DateStyle', value, undefined, `Unrecognized key word: "${part}".`);
  }
  return `${style}, ${order}`;
}

export function normalizeTimeZone(value: string): string | undefined {
  const plain = value.replace(/^'(.*)'$/, '$1');
  if (/^(utc|gmt|z|zulu|etc\/utc)$/i.test(plain))
    return /^etc/i.test(plain) ? 'Etc/UTC' : plain.toUpperCase().replace(/^Z.*/, 'UTC');
  if (/^[+-]?\d{1,3}(\.\d+)?$/.test(plain)) return hoursEast(Number(plain));
  if (/^[+-]?\d{1,2}:\d{2}$/.test(plain) || /^<[^>]+>[+-]\d/.test(plain)) return plain;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: plain }).resolvedOptions().timeZone && plain;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** A number is hours east of Greenwich; it is kept in POSIX's form, which counts them west. */
function hoursEast(hours: number): string | undefined {
  if (Math.abs(hours) > 168) return undefined;
  const seconds = Math.round(Math.abs(hours) * 3600);
  const two = (part: number) => String(part).padStart(2, '0');
  const parts = [
    two(Math.floor(seconds / 3600)),
    two(Math.floor(seconds / 60) % 60),
    two(seconds % 60),
  ];
  while (parts.length > 1 && parts.at(-1) === '00') parts.pop();
  const text = parts.join(':');
  return hours < 0 ? `<-${text}>+${text}` : `<+${text}>-${text}`;
}

const INTEGER_MAX = 2_147_483_647;

function parseDuration(name: string, value: string): string {
  const ms = parseDurationMs(value);
  if (ms === null) {
    throw invalidValue(
      name,
      value,
      /^\s*[+-]?\d/.test(value)
        ? 'Valid units for this parameter are "us", "ms", "s", "min", "h", and "d".'
        : undefined,
    );
  }
  if (Math.abs(ms) > INTEGER_MAX) throw invalidValue(name, value, 'Value exceeds integer range.');
  if (ms < 0) {
    throw new SqlError(
      '22023',
      `${ms} ms is outside the valid range for parameter "${name}" (0 .. ${INTEGER_MAX})`,
    );
  }
  return String(ms);
}

function parseBoolean(name: string, value: string): string {
  const word = value.trim().toLowerCase();
  if (word !== '' && word !== 'o') {
    if (['on', 'true', 'yes', '1'].some((full) => full.startsWith(word))) return 'on';
    if (['off', 'false', 'no', '0'].some((full) => full.startsWith(word))) return 'off';
  }
  throw new SqlError('22023', `parameter "${name}" requires a Boolean value`);
}

function parseInteger(name: string, value: string, min: number, max: number): string {
  if (!/^\s*[+-]?\d+\s*$/.test(value)) throw invalidValue(name, value);
  const number = Number(value);
  if (number < min || number > max) {
    throw new SqlError(
      '22023',
      `${number} is outside the valid range for parameter "${name}" (${min} .. ${max})`,
    );
  }
  return String(number);
}

/** `name`: as the statement gave it, for messages. The stored form of `value` for the setting, or the error that PostgreSQL would give. */
export function canonicalSetting(
  definition: SettingRules,
  value: string,
  name: string = definition.name,
): string {
  const { type } = definition;
  if (definition.normalize) {
    const normal = definition.normalize(value);
    if (normal === undefined) throw invalidValue(definition.name, value);
    return normal;
  }
  switch (type.kind) {
    case 'string':
      return value;
    case 'bool':
      return parseBoolean(name, value);
    case 'int':
      return parseInteger(name, value, type.min, type.max);
    case 'duration':
      return parseDuration(name, value);
    case 'enum': {
      const word = value.trim().toLowerCase();
      if (type.values.includes(word)) return word;
      throw invalidValue(name, value, `Available values: ${type.values.join(', ')}.`);
    }
  }
}

/** `5000` ms is shown as `5s`, as PostgreSQL does. */
export function showDuration(value: string): string {
  const ms = Number(value);
  if (ms === 0) return '0';
  for (const unit of ['d', 'h', 'min', 's'] as const) {
    const size = DURATION_UNITS[unit]!;
    if (ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
