/** to_char, to_timestamp, to_date, to_number: registered here, done in types. */

import { Decimal } from '../../types/decimal.ts';
import { textToDate, textToTimestamptz } from '../../types/from-char.ts';
import { numericToChar, toNumber } from '../../types/number-picture.ts';
import { intervalToChar, timestampToChar, timestamptzToChar } from '../../types/to-char.ts';
import { defineFunction } from '../registry.ts';

const STABLE = { volatility: 'stable' } as const;

defineFunction('to_char(timestamp,text)', 'text', (us, format) => timestampToChar(us, format));
defineFunction(
  'to_char(timestamptz,text)',
  'text',
  (us, format, call) => timestamptzToChar(us, format, call.settings.timeZone),
  STABLE,
);
defineFunction('to_char(interval,text)', 'text', (span, format) => intervalToChar(span, format));
defineFunction(
  'to_timestamp(text,text)',
  'timestamptz',
  (text, format, call) => textToTimestamptz(text, format, call.settings.timeZone),
  STABLE,
);
defineFunction('to_date(text,text)', 'date', (text, format) => textToDate(text, format));

defineFunction('to_char(numeric,text)', 'text', (value, format) => numericToChar(value, format));
defineFunction('to_char(int4,text)', 'text', (n, format) => numericToChar(Decimal.of(n), format));
defineFunction('to_char(int8,text)', 'text', (n, format) => numericToChar(Decimal.of(n), format));
defineFunction('to_char(float4,text)', 'text', (x, format) =>
  numericToChar(Decimal.fromFloat4(x), format),
);
defineFunction('to_char(float8,text)', 'text', (x, format) =>
  numericToChar(Decimal.fromFloat8(x), format),
);
defineFunction('to_number(text,text)', 'numeric', (text, format) => toNumber(text, format));
