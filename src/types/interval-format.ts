/** Writing an interval in the four styles of IntervalStyle (EncodeInterval). */

interface Parts {
  readonly months: number;
  readonly days: number;
  readonly microseconds: bigint;
}

interface Fields {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  /** µs. */
  readonly fraction: number;
}

function fieldsOf(parts: Parts): Fields {
  const year = Math.trunc(parts.months / 12);
  const hour = parts.microseconds / 3_600_000_000n;
  const rest = Number(parts.microseconds - hour * 3_600_000_000n);
  const minute = Math.trunc(rest / 60_000_000);
  const micros = rest - minute * 60_000_000;
  const second = Math.trunc(micros / 1_000_000);
  return {
    year,
    month: parts.months - year * 12,
    day: parts.days,
    hour: Number(hour),
    minute,
    second,
    fraction: micros - second * 1_000_000,
  };
}

function two(value: number): string {
  return String(Math.abs(value)).padStart(2, '0');
}

/** Absolute seconds with their fraction. */
function seconds(fields: Fields, isFilled: boolean): string {
  const whole = isFilled ? two(fields.second) : String(Math.abs(fields.second));
  if (fields.fraction === 0) return whole;
  return `${whole}.${String(Math.abs(fields.fraction)).padStart(6, '0').replace(/0+$/, '')}`;
}

export function formatInterval(parts: Parts, style: string): string {
  const fields = fieldsOf(parts);
  switch (style.toLowerCase()) {
    case 'iso_8601':
      return iso(fields);
    case 'postgres_verbose':
      return verbose(fields);
    case 'sql_standard':
      return sqlStandard(fields);
    default:
      return postgres(fields);
  }
}

function isTimeNegative(f: Fields): boolean {
  return f.hour < 0 || f.minute < 0 || f.second < 0 || f.fraction < 0;
}

function hasTime(f: Fields): boolean {
  return f.hour !== 0 || f.minute !== 0 || f.second !== 0 || f.fraction !== 0;
}

function postgres(f: Fields): string {
  let text = '';
  let isBefore = false;
  const part = (value: number, unit: string): void => {
    if (value === 0) return;
    const sign = isBefore && value > 0 ? '+' : '';
    text += `${text === '' ? '' : ' '}${sign}${value} ${unit}${value === 1 ? '' : 's'}`;
    isBefore = value < 0;
  };
  part(f.year, 'year');
  part(f.month, 'mon');
  part(f.day, 'day');
  if (text !== '' && !hasTime(f)) return text;
  const sign = isTimeNegative(f) ? '-' : isBefore ? '+' : '';
  return `${text}${text === '' ? '' : ' '}${sign}${two(f.hour)}:${two(f.minute)}:${seconds(f, true)}`;
}

function iso(f: Fields): string {
  let text = 'P';
  const part = (value: number, unit: string): void => {
    if (value !== 0) text += value + unit;
  };
  part(f.year, 'Y');
  part(f.month, 'M');
  part(f.day, 'D');
  if (hasTime(f)) {
    text += 'T';
    part(f.hour, 'H');
    part(f.minute, 'M');
    if (f.second !== 0 || f.fraction !== 0) {
      text += `${f.second < 0 || f.fraction < 0 ? '-' : ''}${seconds(f, false)}S`;
    }
  }
  return text === 'P' ? 'PT0S' : text;
}

function verbose(f: Fields): string {
  let text = '@';
  let isFirst = true;
  let isBefore = false;
  const part = (value: number, unit: string): void => {
    if (value === 0) return;
    let shown = value;
    if (isFirst) {
      isBefore = value < 0;
      shown = Math.abs(value);
    } else if (isBefore) shown = -value;
    text += ` ${shown} ${unit}${shown === 1 ? '' : 's'}`;
    isFirst = false;
  };
  part(f.year, 'year');
  part(f.month, 'mon');
  part(f.day, 'day');
  part(f.hour, 'hour');
  part(f.minute, 'min');
  if (f.second !== 0 || f.fraction !== 0) {
    const isNegative = f.second < 0 || f.fraction < 0;
    if (isFirst) isBefore = isNegative;
    const sign = !isFirst && isNegative !== isBefore ? '-' : '';
    const isOne = Math.abs(f.second) === 1 && f.fraction === 0;
    text += ` ${sign}${seconds(f, false)} sec${isOne ? '' : 's'}`;
    isFirst = false;
  }
  if (isFirst) return '@ 0';
  return isBefore ? `${text} ago` : text;
}

function sqlStandard(f: Fields): string {
  const values = [f.year, f.month, f.day, f.hour, f.minute, f.second, f.fraction];
  const hasNegative = values.some((value) => value < 0);
  const hasPositive = values.some((value) => value > 0);
  const hasYearMonth = f.year !== 0 || f.month !== 0;
  const hasDayTime = f.day !== 0 || hasTime(f);
  if (!hasNegative && !hasPositive) return '0';
  const isMixed = (hasNegative && hasPositive) || (hasYearMonth && hasDayTime);
  const clock = `:${two(f.minute)}:${seconds(f, true)}`;
  if (isMixed) {
    const ym = f.year < 0 || f.month < 0 ? '-' : '+';
    const day = f.day < 0 ? '-' : '+';
    const time = isTimeNegative(f) ? '-' : '+';
    return `${ym}${Math.abs(f.year)}-${Math.abs(f.month)} ${day}${Math.abs(f.day)} ${time}${Math.abs(f.hour)}${clock}`;
  }
  const sign = hasNegative ? '-' : '';
  if (hasYearMonth) return `${sign}${Math.abs(f.year)}-${Math.abs(f.month)}`;
  if (f.day !== 0) return `${sign}${Math.abs(f.day)} ${Math.abs(f.hour)}${clock}`;
  return `${sign}${Math.abs(f.hour)}${clock}`;
}
