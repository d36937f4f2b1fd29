/**
 * Sums and averages of integers as bytes of a numeric, in plain numbers: where the sum is below 2^53 no BigInt is made. The
 * same bytes as numericBytes and divideNumeric give (numeric-bytes.ts); those of a result are valid until the next one.
 */

const BASE = 10_000;
const BASE_DIGITS = 4;
const SIGNIFICANT_DIGITS = 16;
const WORD = 0x1_0000_0000;
const WORDS = 4;
/** Remainders below the count stay exact when a digit is brought down. */
const COUNT_MAX = Math.floor(Number.MAX_SAFE_INTEGER / BASE);

/** Header (scale, kind) and an integer of one or two times 8 bytes. */
const bytes = new Uint8Array(20);
const short = bytes.subarray(0, 12);
const view = new DataView(bytes.buffer);
/** Of an absolute value, the least first. */
const words = new Array<number>(WORDS).fill(0);

/** `sum`: below 2^53. */
export function smallNumeric(sum: number): Uint8Array {
  setWords(Math.abs(sum));
  return written(sum < 0, 0);
}

/** sum / count, rounded half away from zero to PostgreSQL's scale; null: use divideNumeric. `sum`: below 2^53. */
export function smallAverage(sum: number, count: number): Uint8Array | null {
  if (count > COUNT_MAX) return null;
  const scale = scaleOf(Math.abs(sum), count);
  let quotient = floorDivide(Math.abs(sum), count);
  let rest = Math.abs(sum) - quotient * count;
  setWords(quotient);
  for (let digits = 0; digits < scale; digits += BASE_DIGITS) {
    rest *= BASE;
    quotient = floorDivide(rest, count);
    rest -= quotient * count;
    multiplyAdd(BASE, quotient);
  }
  if (2 * rest >= count) multiplyAdd(1, 1);
  return written(sum < 0, scale);
}

/** The quotient may round up to an integer that it does not reach. */
function floorDivide(a: number, b: number): number {
  const quotient = Math.floor(a / b);
  return quotient * b > a ? quotient - 1 : quotient;
}

/** select_div_scale of PostgreSQL's numeric.c: a multiple of 4 here. */
function scaleOf(sum: number, count: number): number {
  const [sumWeight, sumDigit] = leading(sum);
  const [countWeight, countDigit] = leading(count);
  const weight = sumWeight - countWeight - (sumDigit <= countDigit ? 1 : 0);
  return Math.max(SIGNIFICANT_DIGITS - weight * BASE_DIGITS, 0);
}

/** Weight and value of the first digit to the base 10,000. */
function leading(value: number): readonly [weight: number, digit: number] {
  let digit = value;
  let weight = 0;
  for (; digit >= BASE; weight += 1) digit = Math.floor(digit / BASE);
  return [weight, digit];
}

function setWords(value: number): void {
  words.fill(0);
  words[0] = value % WORD;
  words[1] = Math.floor(value / WORD);
}

function multiplyAdd(factor: number, summand: number): void {
  let carry = summand;
  for (let i = 0; i < WORDS; i += 1) {
    const value = words[i]! * factor + carry;
    carry = Math.floor(value / WORD);
    words[i] = value - carry * WORD;
  }
}

/** The least number of 8 bytes that holds it in two's complement. */
function written(isNegative: boolean, scale: number): Uint8Array {
  if (isNegative) negate();
  view.setUint16(0, scale, true);
  for (let i = 0; i < WORDS; i += 1) view.setUint32(4 + 4 * i, words[i]!, true);
  const sign = view.getInt32(8, true) >> 31;
  return view.getInt32(12, true) === sign && view.getInt32(16, true) === sign ? short : bytes;
}

function negate(): void {
  let carry = 1;
  for (let i = 0; i < WORDS; i += 1) {
    const value = WORD - 1 - words[i]! + carry;
    carry = value === WORD ? 1 : 0;
    words[i] = value % WORD;
  }
}
