/**
 * Option schemas of connectors: which WITH options there are, their types and defaults. An unknown option, a bad value or a
 * missing one is 22023, with what is allowed and, where a name is near, a guess at what was meant.
 */

import type { Clock } from '../base/clock.ts';
import { closestName } from '../base/closest-name.ts';
import { SqlError } from '../base/sql-error.ts';
import type { WriterSchema } from '../formats/message-decoder.ts';
import type { ValueSettings } from '../types/settings.ts';
import type { SourceColumn } from './source.ts';

export interface CheckContext {
  /** Directories that the file connector may use; the first one is where relative paths start. */
  readonly fileRoots: readonly string[];
  readonly clock: Clock;
  /** How texts are read and written (TimeZone, DateStyle), frozen here. */
  readonly settings?: ValueSettings;
  /** What fetchMessageSchema gave; absent: nothing. */
  readonly schema?: WriterSchema | null;
}

/** What a connector's check is given: the options left for it, in a map. */
export interface CheckRequest {
  readonly options: ReadonlyMap<string, string>;
  /** PLAIN (null is the same), UPSERT, DEBEZIUM in lower case. */
  readonly format: string | null;
  /** Numbers of the PRIMARY KEY's columns; null: there is none. */
  readonly key: readonly number[] | null;
  readonly encode: string | null;
  readonly encodeOptions: ReadonlyMap<string, string>;
  readonly columns: readonly SourceColumn[];
  readonly context: CheckContext;
  readonly settings: ValueSettings;
}

export type OptionValue = string | number | boolean | null;

export interface OptionSpec {
  readonly kind: 'text' | 'integer' | 'number' | 'boolean' | 'choice';
  readonly choices?: readonly string[];
  readonly min?: number;
  readonly max?: number;
  /** Absent: the option must be given. */
  readonly default?: OptionValue;
}

export type OptionSchema = Readonly<Record<string, OptionSpec>>;

/** Which option an error is about: `encode` is ENCODE itself, its options are in the parentheses behind it. */
export type OptionPlace =
  | {
      readonly clause: 'with' | 'encode options';
      readonly name: string;
      readonly part: 'name' | 'value';
    }
  | { readonly clause: 'encode' }
  /** DEFAULT of the column. */
  | { readonly clause: 'default'; readonly column: string };

/** An error about one option. Connectors do not see the statement's text: the session puts the position in. */
export class OptionError extends SqlError {
  readonly place: OptionPlace;

  constructor(sqlstate: string, message: string, place: OptionPlace, hint?: string) {
    super(sqlstate, message, { hint });
    this.place = place;
  }
}

/** The hint where a name from the user is none of the known ones: the list, and a guess. */
function allowedNames(name: string, allowed: readonly string[]): string {
  const near = closestName(name, allowed);
  const guess = near === null ? '' : `Perhaps you meant "${near}". `;
  return `${guess}Allowed: ${[...allowed].sort().join(', ')}.`;
}

/** A value from the user that must be one of the known names: 22023. */
export function unknownName(
  what: string,
  name: string,
  allowed: readonly string[],
  place: OptionPlace,
): SqlError {
  const message = `unrecognized ${what} "${name}"`;
  return new OptionError('22023', message, place, allowedNames(name, allowed));
}

/** The place of an option by its owner, as messages call it: connector "file", ENCODE CSV. */
export function placeOf(owner: string, name: string, part: 'name' | 'value'): OptionPlace {
  return { clause: owner.startsWith('ENCODE ') ? 'encode options' : 'with', name, part };
}

function missingOption(owner: string, name: string): SqlError {
  const place = owner.startsWith('ENCODE ')
    ? ({ clause: 'encode' } as const)
    : placeOf(owner, 'connector', 'value');
  return new OptionError('22023', `${owner} needs the option "${name}"`, place);
}

/** 0A000 where a column has a DEFAULT that `owner` could not give it. */
export function refuseDefaults(owner: string, columns: readonly SourceColumn[]): void {
  const column = columns.find(({ default: text = null }) => text !== null);
  if (column === undefined) return;
  throw new OptionError(
    '0A000',
    `${owner} takes no DEFAULT of columns`,
    { clause: 'default', column: column.name },
    'Use coalesce(column, value) in a generated column or a view.',
  );
}

/** Checks `given` (lower-case names) against the schema; every option of the schema is in the result. */
export function checkOptions(
  owner: string,
  schema: OptionSchema,
  given: ReadonlyMap<string, string>,
): Map<string, OptionValue> {
  const names = Object.keys(schema);
  for (const name of given.keys()) {
    if (Object.hasOwn(schema, name)) continue;
    const message = `unrecognized option "${name}" of ${owner}`;
    throw new OptionError(
      '22023',
      message,
      placeOf(owner, name, 'name'),
      allowedNames(name, names),
    );
  }
  const checked = new Map<string, OptionValue>();
  for (const name of names) {
    const spec = schema[name]!;
    const text = given.get(name);
    if (text !== undefined) checked.set(name, parseOption(owner, name, spec, text));
    else if (spec.default !== undefined) checked.set(name, spec.default);
    else throw missingOption(owner, name);
  }
  return checked;
}

function parseOption(owner: string, name: string, spec: OptionSpec, text: string): OptionValue {
  switch (spec.kind) {
    case 'text':
      return text;
    case 'choice': {
      const value = text.toLowerCase();
      if (spec.choices!.includes(value)) return value;
      throw badValue(owner, name, text, `one of ${spec.choices!.join(', ')}`);
    }
    case 'boolean': {
      const value = text.toLowerCase();
      if (['true', 'on', 'yes', '1'].includes(value)) return true;
      if (['false', 'off', 'no', '0'].includes(value)) return false;
      throw badValue(owner, name, text, 'true or false');
    }
    default:
      return parseNumber(owner, name, spec, text);
  }
}

function parseNumber(owner: string, name: string, spec: OptionSpec, text: string): number {
  const pattern = spec.kind === 'integer' ? /^[+-]?\d+$/ : /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
  const value = Number(text);
  const { min = -Number.MAX_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER } = spec;
  if (!pattern.test(text.trim()) || value < min || value > max) {
    const what = spec.kind === 'integer' ? 'a whole number' : 'a number';
    throw badValue(owner, name, text, `${what} from ${min} to ${max}`);
  }
  return value;
}

/** `wanted` completes "It must be". */
export function badValue(owner: string, name: string, text: string, wanted: string): SqlError {
  const message = `invalid value for option "${name}" of ${owner}: "${text}"`;
  return new OptionError('22023', message, placeOf(owner, name, 'value'), `It must be ${wanted}.`);
}
