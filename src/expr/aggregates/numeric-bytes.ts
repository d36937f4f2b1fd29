/** The bytes of a numeric (layout: see types/decimal.ts) as plain numbers, for sums that never make Decimal objects. */

/** 0 finite, 1 NaN, 2 +infinity, 3 -infinity. */
export type NumericKind = 0 | 1 | 2 | 3;

export const NUMERIC_FINITE = 0;
export const NUMERIC_NAN = 1;
export const NUMERIC_PLUS = 2;
export const NUMERIC_MINUS = 3;

const SCALE_MAX = 1000;
const SIGNIFICANT_DIGITS = 16;

/** Two's complement little-endian integer of `length` bytes (a multiple of 8) at `at`. */
export function readBigInt(u8: Uint8Array, at: number, length: number): bigint {
  const view = new DataView(u8.buffer, u8.byteOffset + at, length);
  let value = view.getBigInt64(length - 8, true);
  for (let i = length - 16; i >= 0; i -= 8) value = (value << 64n) | view.getBigUint64(i, true);
  return value;
}

/** Least multiple of 8 bytes that holds the integer in two's complement. */
export function bigIntBytes(value: bigint): number {
  let bytes = 8;
  while (BigInt.asIntN(bytes * 8, value) !== value) bytes += 8;
  return bytes;
}

export function writeBigInt(u8: Uint8Array, at: number, value: bigint, length: number): void {
  const view = new DataView(u8.buffer, u8.byteOffset + at, length);
  for (let i = 0; i < length; i += 8) {
    view.setBigUint64(i, BigInt.asUintN(64, value), true);
    value >>= 64n;
  }
}

/** The bytes of a numeric. */
export function numericBytes(kind: NumericKind, unscaled: bigint, scale: number): Uint8Array {
  const length = bigIntBytes(unscaled);
  const bytes = new Uint8Array(4 + length);
  bytes[0] = scale & 0xff;
  bytes[1] = scale >>> 8;
  bytes[2] = kind;
  writeBigInt(bytes, 4, unscaled, length);
  return bytes;
}

/** First base-10000 digit and weight of |value| * 10^-scale, as PostgreSQL's numeric has them. */
function leading(value: bigint, scale: number): { weight: number; digit: number } {
  if (value === 0n) return { weight: 0, digit: 0 };
  const text = (value < 0n ? -value : value).toString();
  const integerDigits = text.length - scale;
  const weight = Math.ceil(integerDigits / 4) - 1;
  const first = integerDigits - weight * 4;
  return { weight, digit: Number(text.slice(0, first).padEnd(first, '0')) };
}

/** sum * 10^-scale / count with PostgreSQL's scale of a quotient, rounded half away from zero. */
export function divideNumeric(
  sum: bigint,
  scale: number,
  count: bigint,
): { unscaled: bigint; scale: number } {
  const a = leading(sum, scale);
  const b = leading(count, 0);
  const quotientWeight = a.weight - b.weight - (a.digit <= b.digit ? 1 : 0);
  const wanted = Math.max(SIGNIFICANT_DIGITS - quotientWeight * 4, scale, 0);
  const resultScale = Math.min(wanted, SCALE_MAX);
  const numerator =
    sum * 10n ** BigInt(resultScale) * 2n + (sum < 0n ? -1n : 1n) * count * 10n ** BigInt(scale);
  return { unscaled: numerator / (count * 10n ** BigInt(scale) * 2n), scale: resultScale };
}
