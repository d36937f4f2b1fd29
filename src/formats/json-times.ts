/** Times in JSON as numbers: how long after 1970-01-01 00:00 UTC, in a unit. Strings are read by the type's input, as always. */

import type { DataType } from '../types/data-type.ts';
import { Decimal, pow10 } from '../types/decimal.ts';
import { coerceTypmod, inputValue, type ValueSettings } from '../types/value.ts';
import type { DecodedColumn } from './csv.ts';
import type { TokenAppender } from './json-object.ts';
import { STRING } from './json-scanner.ts';
import { floorDivided, instant } from './typed-value.ts';

/** `iso`: a number is read as the text that it is. */
export type TimestampHandling = 'iso' | 'second' | 'milli' | 'micro' | 'nano';

/** Microseconds in it, as a power of ten. */
const UNITS: Readonly<Record<Exclude<TimestampHandling, 'iso'>, number>> = {
  second: 6,
  milli: 3,
  micro: 0,
  nano: -3,
};

const MINUS = 45;
const ZERO = 48;
const NINE = 57;

/** By column: how its JSON text is read; null: as ever. Fractions of a microsecond are cut. */
export function timeTokens(
  columns: readonly DecodedColumn[],
  handling: TimestampHandling,
  settings: ValueSettings,
): (TokenAppender | null)[] {
  if (handling === 'iso') return [];
  const exponent = UNITS[handling];
  return columns.map(({ type }) =>
    type.id === 'timestamp' || type.id === 'timestamptz'
      ? timeToken(type, exponent, settings)
      : null,
  );
}

function timeToken(type: DataType, exponent: number, settings: ValueSettings): TokenAppender {
  return (builder, bytes, start, end) => {
    const text = bytes.toString('utf8', start, end);
    if (isNumber(bytes[start]!)) {
      const value = instant(microseconds(Decimal.parse(text), exponent));
      builder.appendValue(coerceTypmod(type, value, false));
    } else {
      const input = bytes[start] === STRING ? (JSON.parse(text) as string) : text;
      builder.appendValue(inputValue(type, input, settings));
    }
  };
}

/** Whether a number begins so, in JSON. */
function isNumber(first: number): boolean {
  return first === MINUS || (first >= ZERO && first <= NINE);
}

function microseconds({ unscaled, scale }: Decimal, exponent: number): bigint {
  const shift = exponent - scale;
  return shift >= 0 ? unscaled * pow10(shift) : floorDivided(unscaled, pow10(-shift));
}
