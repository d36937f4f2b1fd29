/** Columns as Parquet types: the schema element of each, and the value that the writer takes. */

import type { SchemaElement } from 'hyparquet';
import { SqlError } from '../base/sql-error.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { type Decimal, FINITE, pow10 } from '../types/decimal.ts';
import { formatValue, type ValueSettings } from '../types/value.ts';
import { finiteDay, finiteInstant } from './finite-times.ts';

/** What a value that is not NULL is to the writer. */
export type ParquetValue = number | bigint | boolean | string | Uint8Array;

export interface ParquetColumn {
  readonly element: SchemaElement;
  readonly convert: (value: Exclude<Value, null>) => ParquetValue;
}

type Element = Omit<SchemaElement, 'name' | 'repetition_type'>;

const PRECISION_MAX = 38;
const INT64_PRECISION_MAX = 18;
const DECIMAL_BYTES = 16;
const TEXT: Element = { type: 'BYTE_ARRAY', converted_type: 'UTF8' };

/** What has no Parquet type of its own (interval, arrays, numeric without a scale) is text. */
export function parquetColumn(
  name: string,
  type: DataType,
  settings: ValueSettings,
): ParquetColumn {
  const column = (element: Element, convert: ParquetColumn['convert'] = asIs): ParquetColumn => ({
    element: { name, repetition_type: 'OPTIONAL', ...element },
    convert,
  });
  switch (type.id) {
    case 'bool':
      return column({ type: 'BOOLEAN' });
    case 'int2':
      return column({ type: 'INT32', converted_type: 'INT_16' });
    case 'int4':
      return column({ type: 'INT32' });
    case 'int8':
    case 'oid':
      return column({ type: 'INT64' });
    case 'float4':
      return column({ type: 'FLOAT' });
    case 'float8':
      return column({ type: 'DOUBLE' });
    case 'bytea':
      return column({ type: 'BYTE_ARRAY' });
    case 'uuid':
      return column({
        type: 'FIXED_LEN_BYTE_ARRAY',
        type_length: 16,
        logical_type: { type: 'UUID' },
      });
    case 'json':
    case 'jsonb':
      return column({ type: 'BYTE_ARRAY', logical_type: { type: 'JSON' } }, (value) =>
        Buffer.from(value as string),
      );
    case 'date':
      return column({ type: 'INT32', converted_type: 'DATE' }, (value) =>
        finiteDay(value, 'Parquet'),
      );
    case 'time':
      return column({ type: 'INT64', converted_type: 'TIME_MICROS' });
    case 'timestamp':
    case 'timestamptz':
      return column(timestamp(type.id === 'timestamptz'), (value) =>
        finiteInstant(value, type, 'Parquet'),
      );
    case 'numeric':
      return (
        decimalColumn(type, column) ?? column(TEXT, (value) => formatValue(type, value, settings))
      );
    default:
      return column(TEXT, (value) => formatValue(type, value, settings));
  }
}

/** `isUtc`: instants; else local times. */
function timestamp(isUtc: boolean): Element {
  const logical_type = { type: 'TIMESTAMP', isAdjustedToUTC: isUtc, unit: 'MICROS' } as const;
  return { type: 'INT64', logical_type };
}

/** null: without a precision and scale that Parquet has. */
function decimalColumn(
  { typmod }: DataType,
  column: (element: Element, convert: ParquetColumn['convert']) => ParquetColumn,
): ParquetColumn | null {
  if (typmod === -1) return null;
  const precision = ((typmod - 4) >> 16) & 0xffff;
  const scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
  if (precision > PRECISION_MAX || scale < 0 || scale > precision) return null;
  const physical: Element =
    precision <= INT64_PRECISION_MAX
      ? { type: 'INT64' }
      : { type: 'FIXED_LEN_BYTE_ARRAY', type_length: DECIMAL_BYTES };
  return column({ ...physical, converted_type: 'DECIMAL', precision, scale }, (value) => {
    const { kind, unscaled, scale: own } = value as Decimal;
    if (kind === FINITE) return unscaled * pow10(scale - own);
    throw new SqlError('22003', `Parquet decimals have no ${value}`);
  });
}

function asIs(value: Exclude<Value, null>): ParquetValue {
  return value as ParquetValue;
}
