/** The proleptic Gregorian calendar in days and microseconds since 1970-01-01. Years are astronomical (1 BC = 0). All O(1). */

export const DAY_US = 86_400_000_000n;
export const SECOND_US = 1_000_000n;
export const INFINITY_US = 0x7fff_ffff_ffff_ffffn;
export const MINUS_INFINITY_US = -0x8000_0000_0000_0000n;
export const INFINITY_DAYS = 0x7fff_ffff;
export const MINUS_INFINITY_DAYS = -0x8000_0000;
/** Days from Julian day 0 to 1970-01-01. */
export const JULIAN_OF_EPOCH = 2_440_588;
/** Least valid day: 4714-11-24 BC. */
export const DAYS_MIN = -JULIAN_OF_EPOCH;
/** First day behind the last valid date (5874898-01-01). */
export const DAYS_END = daysOf(5874898, 1, 1);
/** Valid timestamps: [4714-11-24 BC, 294277-01-01). */
export const TIMESTAMP_MIN_US = BigInt(DAYS_MIN) * DAY_US;
export const TIMESTAMP_END_US = BigInt(daysOf(294277, 1, 1)) * DAY_US;

export interface CivilDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

/** Days since 1970-01-01 of a civil date; month 1..12. */
export function daysOf(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146097 + dayOfEra - 719468;
}

export function civilOf(days: number): CivilDate {
  const z = days + 719468;
  const era = Math.floor(z / 146097);
  const doe = z - era * 146097;
  const yoe = Math.floor(
    (doe - Math.floor(doe / 1460) + Math.floor(doe / 36524) - Math.floor(doe / 146096)) / 365,
  );
  const doy = doe - (365 * yoe + Math.floor(yoe / 4) - Math.floor(yoe / 100));
  const mp = Math.floor((5 * doy + 2) / 153);
  const month = mp < 10 ? mp + 3 : mp - 9;
  return {
    year: yoe + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: doy - Math.floor((153 * mp + 2) / 5) + 1,
  };
}

export function isLeapYear(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

const MONTH_DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

export function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeapYear(year) ? 29 : MONTH_DAYS[month - 1]!;
}

/** 0 = Sunday. */
export function dayOfWeek(days: number): number {
  return (((days + 4) % 7) + 7) % 7;
}

/** floor(us / 86400000000) and the rest of the day. */
export function splitDay(us: bigint): { readonly days: number; readonly time: bigint } {
  let days = us / DAY_US;
  let time = us - days * DAY_US;
  if (time < 0n) {
    days -= 1n;
    time += DAY_US;
  }
  return { days: Number(days), time };
}

export function isFiniteUs(us: bigint): boolean {
  return us !== INFINITY_US && us !== MINUS_INFINITY_US;
}

/** ISO 8601 week and its year. */
export function isoWeek(days: number): { readonly year: number; readonly week: number } {
  const thursday = days - ((dayOfWeek(days) + 6) % 7) + 3;
  const { year } = civilOf(thursday);
  return { year, week: Math.floor((thursday - daysOf(year, 1, 1)) / 7) + 1 };
}
