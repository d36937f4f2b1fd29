/** Writing date, time, timestamp and timestamptz in the four styles of DateStyle (EncodeDateTime). */

import {
  civilOf,
  dayOfWeek,
  INFINITY_DAYS,
  INFINITY_US,
  MINUS_INFINITY_DAYS,
  MINUS_INFINITY_US,
  SECOND_US,
  splitDay,
} from './calendar.ts';
import type { ValueSettings } from './settings.ts';
import { formatOffset, timeZone } from './timezone.ts';

const DAY_NAMES = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTH_NAMES = [
  'Jan',
  'Feb',
  'Mar',
  'Apr',
  'May',
  'Jun',
  'Jul',
  'Aug',
  'Sep',
  'Oct',
  'Nov',
  'Dec',
];

type Style = 'ISO' | 'SQL' | 'POSTGRES' | 'GERMAN';

function styleOf(dateStyle: string): { style: Style; isDayFirst: boolean } {
  if (dateStyle === 'ISO, MDY') return { style: 'ISO', isDayFirst: false };
  const match = /\b(ISO|SQL|POSTGRES|GERMAN)\b/i.exec(dateStyle);
  return {
    style: (match?.[1]?.toUpperCase() ?? 'ISO') as Style,
    isDayFirst: /\b(DMY|EURO(PEAN)?)\b/i.test(dateStyle),
  };
}

export function two(value: number): string {
  return value < 10 ? `0${value}` : String(value);
}

function dateText(days: number, style: Style, isDayFirst: boolean): { text: string; era: string } {
  const { year, month, day } = civilOf(days);
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0');
  const era = year > 0 ? '' : ' BC';
  const m = two(month);
  const d = two(day);
  switch (style) {
    case 'ISO':
      return { text: `${shown}-${m}-${d}`, era };
    case 'SQL':
      return { text: isDayFirst ? `${d}/${m}/${shown}` : `${m}/${d}/${shown}`, era };
    case 'GERMAN':
      return { text: `${d}.${m}.${shown}`, era };
    default:
      return { text: isDayFirst ? `${d}-${m}-${shown}` : `${m}-${d}-${shown}`, era };
  }
}

export function formatDate(days: number, settings: ValueSettings): string {
  if (days === INFINITY_DAYS) return 'infinity';
  if (days === MINUS_INFINITY_DAYS) return '-infinity';
  const { style, isDayFirst } = styleOf(settings.dateStyle);
  const { text, era } = dateText(days, style, isDayFirst);
  return text + era;
}

/** `hh:mm:ss[.ffffff]` without trailing zeros. */
export function formatTime(us: bigint): string {
  const micros = Number(us);
  const seconds = Math.floor(micros / 1_000_000);
  const fraction = micros - seconds * 1_000_000;
  const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return fraction === 0 ? text : text + formatFraction(fraction);
}

/** `.5` of 500000. */
export function formatFraction(micros: number): string {
  return `.${String(micros).padStart(6, '0').replace(/0+$/, '')}`;
}

function infinityText(us: bigint): string | null {
  if (us === INFINITY_US) return 'infinity';
  return us === MINUS_INFINITY_US ? '-infinity' : null;
}

export function formatTimestamp(us: bigint, settings: ValueSettings): string {
  return infinityText(us) ?? local(us, settings, '', '');
}

export function formatTimestamptz(us: bigint, settings: ValueSettings): string {
  const infinity = infinityText(us);
  if (infinity !== null) return infinity;
  const zone = timeZone(settings.timeZone);
  const offset = zone.offsetAt(us);
  const shifted = us + BigInt(offset) * SECOND_US;
  const { style } = styleOf(settings.dateStyle);
  if (style === 'ISO') return local(shifted, settings, formatOffset(offset), '');
  const abbreviation = zone.abbreviationAt(us);
  const isNumeric = /^[+-]/.test(abbreviation);
  return local(shifted, settings, isNumeric ? abbreviation : ` ${abbreviation}`, '');
}

function local(us: bigint, settings: ValueSettings, zone: string, prefix: string): string {
  const { style, isDayFirst } = styleOf(settings.dateStyle);
  const { days, time } = splitDay(us);
  if (style !== 'POSTGRES') {
    const { text, era } = dateText(days, style, isDayFirst);
    return `${prefix}${text} ${formatTime(time)}${zone}${era}`;
  }
  const { year, month, day } = civilOf(days);
  const shown = String(year > 0 ? year : 1 - year).padStart(4, '0');
  const name = MONTH_NAMES[month - 1]!;
  const dayMonth = isDayFirst ? `${two(day)} ${name}` : `${name} ${two(day)}`;
  // A numeric zone is set apart, so that it does not read as part of the year.
  const shownZone = /^[+-]/.test(zone) ? ` ${zone}` : zone;
  return `${DAY_NAMES[dayOfWeek(days)]} ${dayMonth} ${formatTime(time)} ${shown}${shownZone}${year > 0 ? '' : ' BC'}`;
}
