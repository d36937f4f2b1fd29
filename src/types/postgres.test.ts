/** Types against PostgreSQL itself (PGlite): every table of postgres-cases in one query each. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SqlError } from '../base/sql-error.ts';
import { closeOracle, oracle } from '../testing/oracle.ts';
import { DATE, type DataType, INTERVAL, TIMESTAMP, TIMESTAMPTZ } from './data-type.ts';
import { parseTimestamp, parseTimestamptz } from './datetime-parse.ts';
import { Decimal } from './decimal.ts';
import {
  exponential,
  logarithm,
  logarithm10,
  naturalLog,
  power,
  squareRoot,
} from './decimal-math.ts';
import { textToDate, textToTimestamptz } from './from-char.ts';
import { INPUTS } from './input-cases.test-support.ts';
import { parseInterval } from './interval.ts';
import { numericToChar, toNumber } from './number-picture.ts';
import * as cases from './postgres-cases.test-support.ts';
import { intervalToChar, timestampToChar, timestamptzToChar } from './to-char.ts';
import { coerceTypmod, DEFAULT_SETTINGS, formatValue, parseTypeName, parseValue } from './value.ts';

const ZONE = 'America/New_York';
const database = await oracle();

interface Check {
  readonly sql: string;
  readonly ours: () => string | null;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function ours(check: Check): string | null {
  try {
    return check.ours();
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    return describe(error.sqlstate, error.message, error.fields.detail, error.fields.hint);
  }
}

function describe(code: string, message: string, detail?: string, hint?: string): string {
  // 18 writes "DateStyle" where 15 has "datestyle".
  return [code, message, detail ?? '', (hint ?? '').replace('DateStyle', 'datestyle')].join(' | ');
}

async function theirs(sql: string): Promise<string | null> {
  try {
    const result = await database.query(`select (${sql})::text as v`);
    return result.rows[0]![0]!;
  } catch (error) {
    const { code, message, detail, hint } = error as {
      code: string;
      message: string;
      detail?: string;
      hint?: string;
    };
    return describe(code, message, detail, hint);
  }
}

/** All checks in one list of differences: what is wrong is seen whole. */
async function compare(checks: readonly Check[]): Promise<void> {
  const differences: string[] = [];
  for (let from = 0; from < checks.length; from += 50) {
    const part = checks.slice(from, from + 50);
    const expected = await answers(part.map((check) => check.sql));
    part.forEach((check, i) => {
      const actual = ours(check);
      if (actual === expected[i]) return;
      differences.push(`${check.sql}\n  ours   [${actual}]\n  theirs [${expected[i]}]`);
    });
  }
  assert.deepEqual(differences, []);
}

/** One query for all of them; halves where one of them fails. */
async function answers(list: readonly string[]): Promise<(string | null)[]> {
  if (list.length === 1) return [await theirs(list[0]!)];
  try {
    const result = await database.query(`select ${list.map((sql) => `(${sql})::text`).join(', ')}`);
    return [...result.rows[0]!];
  } catch {
    const middle = list.length >> 1;
    return [...(await answers(list.slice(0, middle))), ...(await answers(list.slice(middle)))];
  }
}

test('input and output of every type', async () => {
  await database.exec("set timezone = 'UTC'");
  for (const [name, texts] of INPUTS) {
    const type = parseTypeName(name);
    await database.exec(`drop table if exists x; create temp table x (v ${name})`);
    for (const text of texts) {
      const expected = await inserted(text);
      const actual = ours({ sql: '', ours: () => assigned(type, text) });
      assert.equal(actual, expected, `${name} ${JSON.stringify(text)}`);
    }
  }
});

function assigned(type: DataType, text: string): string {
  const value = coerceTypmod(type, parseValue(type, text, DEFAULT_SETTINGS), false);
  return formatValue(type, value, DEFAULT_SETTINGS);
}

/** The value as the column's output function writes it: what a client would get. */
async function inserted(text: string): Promise<string | null> {
  try {
    await database.exec(`truncate x; insert into x values (${quote(text)})`);
  } catch (error) {
    const { code, message, detail, hint } = error as {
      code: string;
      message: string;
      detail?: string;
      hint?: string;
    };
    return describe(code, message, detail, hint);
  }
  return (await database.query('select v from x')).rows[0]![0]!;
}

test('arithmetic of numeric, with result scales', async () => {
  const checks: Check[] = [];
  for (const a of cases.NUMBERS) {
    for (const b of cases.OTHER_NUMBERS) checks.push(...binaryChecks(a, b));
    checks.push(...unaryChecks(a));
  }
  await compare(checks);
});

function binaryChecks(a: string, b: string): Check[] {
  const x = Decimal.parse(a);
  const y = Decimal.parse(b);
  const [p, q] = [`${quote(a)}::numeric`, `${quote(b)}::numeric`];
  const checks: Check[] = [
    { sql: `${p} + ${q}`, ours: () => x.add(y).toString() },
    { sql: `${p} - ${q}`, ours: () => x.subtract(y).toString() },
    { sql: `${p} * ${q}`, ours: () => x.multiply(y).toString() },
    { sql: `${p} / ${q}`, ours: () => x.divide(y).toString() },
    { sql: `${p} % ${q}`, ours: () => x.mod(y).toString() },
    { sql: `div(${p}, ${q})`, ours: () => x.divideTruncated(y).toString() },
    {
      sql: `case when ${p} < ${q} then -1 when ${p} = ${q} then 0 else 1 end`,
      ours: () => String(Math.sign(x.compare(y))),
    },
    { sql: `log(${p}, ${q})`, ours: () => logarithm(x, y).toString() },
  ];
  // 16 changed the scale of integer powers: compared where both have ten digits.
  if (
    (!x.isFinite || Math.abs(x.toNumber()) < 1e5) &&
    (!y.isFinite || Math.abs(y.toNumber()) < 100)
  ) {
    checks.push({
      sql: `trim_scale(round(power(${p}, ${q}), 5))`,
      ours: () => power(x, y).round(5).normalize().toString(),
    });
  }
  return checks;
}

function unaryChecks(a: string): Check[] {
  const x = Decimal.parse(a);
  const p = `${quote(a)}::numeric`;
  return [
    { sql: `sqrt(${p})`, ours: () => squareRoot(x).toString() },
    { sql: `ln(${p})`, ours: () => naturalLog(x).toString() },
    { sql: `log(${p})`, ours: () => logarithm10(x).toString() },
    { sql: `exp(${p})`, ours: () => exponential(x).toString() },
    { sql: `ceil(${p})`, ours: () => x.ceil().toString() },
    { sql: `floor(${p})`, ours: () => x.floor().toString() },
    { sql: `${p}::float8::numeric`, ours: () => Decimal.fromFloat8(x.toFloat8()).toString() },
    { sql: `${p}::int8`, ours: () => x.toInt8().toString() },
    { sql: `${p}::int2`, ours: () => x.toInt2().toString() },
    ...[-2, 0, 1, 3].flatMap((d) => [
      { sql: `round(${p}, ${d})`, ours: () => x.round(d).toString() },
      { sql: `trunc(${p}, ${d})`, ours: () => x.trunc(d).toString() },
    ]),
  ];
}

test('to_char and to_number of numbers', async () => {
  const finite = cases.NUMBERS.filter((a) => a !== 'NaN');
  await compare([
    ...finite.flatMap((a) =>
      cases.NUMBER_PICTURES.map((picture) => ({
        sql: `to_char(${quote(a)}::numeric, ${quote(picture)})`,
        ours: () => numericToChar(Decimal.parse(a), picture),
      })),
    ),
    ...cases.TO_NUMBER.map(([text, picture]) => ({
      sql: `to_number(${quote(text)}, ${quote(picture)})`,
      ours: () => toNumber(text, picture).toString(),
    })),
  ]);
});

test('to_char of times and intervals', async () => {
  await database.exec(`set timezone = '${ZONE}'`);
  const settings = { ...DEFAULT_SETTINGS, timeZone: ZONE };
  const checks: Check[] = [];
  for (const picture of cases.TIME_PICTURES) {
    for (const time of cases.TIMES) {
      checks.push(
        {
          sql: `to_char(${quote(time)}::timestamp, ${quote(picture)})`,
          ours: () => timestampToChar(parseTimestamp(time, settings), picture),
        },
        {
          sql: `to_char(${quote(time)}::timestamptz, ${quote(picture)})`,
          ours: () => timestamptzToChar(parseTimestamptz(time, settings), picture, ZONE),
        },
      );
    }
  }
  for (const picture of cases.INTERVAL_PICTURES) {
    for (const text of cases.INTERVALS) {
      checks.push({
        sql: `to_char(${quote(text)}::interval, ${quote(picture)})`,
        ours: () => intervalToChar(parseInterval(text), picture),
      });
    }
  }
  await compare(checks);
});

test('to_timestamp and to_date', async () => {
  await database.exec(`set timezone = '${ZONE}'`);
  const settings = { ...DEFAULT_SETTINGS, timeZone: ZONE };
  for (const [text, picture] of cases.FROM_PICTURES) {
    const args = `${quote(text)}, ${quote(picture)}`;
    const checks = [
      {
        sql: `to_date(${args})`,
        ours: () => formatValue(DATE, textToDate(text, picture), settings),
      },
      {
        sql: `to_timestamp(${args})`,
        ours: () => formatValue(TIMESTAMPTZ, textToTimestamptz(text, picture, ZONE), settings),
      },
    ];
    for (const check of checks) {
      const [actual, expected] = [ours(check), await theirs(check.sql)];
      // Details and hints of these errors are worded by hand.
      const short = (value: string | null): string | undefined =>
        value?.split(' | ').slice(0, 2).join();
      assert.equal(short(actual), short(expected), check.sql);
    }
  }
});

test('date styles, interval styles and time zones', async () => {
  const checks: Check[] = [];
  const zones = [
    'Europe/Berlin',
    'Asia/Kolkata',
    'UTC',
    'America/St_Johns',
    'EST5EDT',
    'Asia/Tokyo',
  ];
  for (const timeZone of zones) {
    for (const dateStyle of [
      'ISO, MDY',
      'SQL, DMY',
      'Postgres, MDY',
      'German',
      'Postgres, DMY',
      'SQL, MDY',
    ]) {
      const settings = { ...DEFAULT_SETTINGS, timeZone, dateStyle };
      await database.exec(`set timezone = ${quote(timeZone)}; set datestyle = ${quote(dateStyle)}`);
      for (const text of [
        '2024-07-01 12:34:56.7+00',
        '2024-01-01 00:00:00+00',
        '0001-01-01 00:00:00+00 BC',
        'infinity',
      ]) {
        await compare([
          {
            sql: `${quote(text)}::timestamptz`,
            ours: () => formatValue(TIMESTAMPTZ, parseTimestamptz(text, settings), settings),
          },
          {
            sql: `${quote(text)}::timestamp`,
            ours: () => formatValue(TIMESTAMP, parseTimestamp(text, settings), settings),
          },
        ]);
      }
    }
  }
  for (const intervalStyle of ['postgres', 'postgres_verbose', 'sql_standard', 'iso_8601']) {
    await database.exec(`set intervalstyle = ${intervalStyle}`);
    const settings = { ...DEFAULT_SETTINGS, intervalStyle };
    for (const text of cases.INTERVALS) {
      checks.push({
        sql: `${quote(text)}::interval`,
        ours: () => formatValue(INTERVAL, parseInterval(text, settings), settings),
      });
    }
    await compare(checks.splice(0));
  }
  await database.exec('set intervalstyle = postgres');
  await compare(
    cases.INTERVALS.flatMap((text) => {
      const sql = `${quote(text)}::interval`;
      const interval = parseInterval(text);
      return [
        { sql: `justify_interval(${sql})`, ours: () => interval.justify().toString() },
        { sql: `justify_days(${sql})`, ours: () => interval.justifyDays().toString() },
        { sql: `justify_hours(${sql})`, ours: () => interval.justifyHours().toString() },
        { sql: `${sql} * 1.3`, ours: () => interval.multiply(1.3).toString() },
        { sql: `${sql} / 7`, ours: () => interval.divide(7).toString() },
      ];
    }),
  );
  await closeOracle();
});
