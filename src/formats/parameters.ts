/** Bind parameters: bytes in text or binary format to values. */

import { SqlError } from '../base/sql-error.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { coerceTypmod, parseValue, type ValueSettings } from '../types/value.ts';
import { receiveValue, utf8 } from './binary.ts';

/** The parameter's value as a `type`; `format` 0 = text, 1 = binary. */
export function decodeParameter(
  type: DataType,
  bytes: Uint8Array,
  format: number,
  settings: ValueSettings,
): NonNullable<Value> {
  if (format !== 0 && format !== 1)
    throw new SqlError('22023', `unsupported format code: ${format}`);
  const value =
    format === 1 ? receiveValue(type, bytes, settings) : parseValue(type, utf8(bytes), settings);
  return coerceTypmod(type, value, false) as NonNullable<Value>;
}
