import { PGlite } from '@electric-sql/pglite';
import { Decimal } from './decimal.ts';
import { power, squareRoot, exponential, naturalLog, logarithm, logarithm10 } from './decimal-math.ts';
import { timestampToChar, timestamptzToChar, intervalToChar } from './to-char.ts';
import { numericToChar, toNumber } from './number-picture.ts';
import { parseInterval } from './interval.ts';
import { parseTimestamp, parseTimestamptz } from './datetime-parse.ts';
import { DEFAULT_SETTINGS as S, formatValue } from './value.ts';
import { TIMESTAMP, TIMESTAMPTZ, INTERVAL } from './data-type.ts';
const pg = await PGlite.create(); await pg.exec("set timezone='America/New_York'");
let bad = 0, n = 0;
async function check(sql: string, f: () => string | null) {
  n++; let mine: string | null, theirs: string | null;
  try { mine = f(); } catch (e: any) { mine = `${e.sqlstate ?? e.stack} ${e.message}`; }
  try { theirs = (await pg.query<{v: string}>(`select (${sql})::text as v`)).rows[0]!.v; } catch (e: any) { theirs = `${e.code} ${e.message}`; }
  if (mine !== theirs) { bad++; console.log(`${sql}\n  mine   [${mine}]\n  theirs [${theirs}]`); }
}
const q = (s: string) => "'" + s.replace(/'/g, "''") + "'";
const nums = ['0','1','-1','2','0.5','1.05','-0.001','123456.789','1e20','1e-20','99999999999999999999.5','3.14159','7','10','0.999','1.0000001','12345678901234567890','NaN','Infinity','-Infinity'];
for (const a of nums) for (const b of ['0','1','-2','3','0.5','-0.5','7.000','1e-5','123456789.123','NaN','Infinity','10']) {
  const x = Decimal.parse(a), y = Decimal.parse(b);
  await check(`${q(a)}::numeric / ${q(b)}::numeric`, () => x.divide(y).toString());
  await check(`${q(a)}::numeric % ${q(b)}::numeric`, () => x.mod(y).toString());
  await check(`${q(a)}::numeric * ${q(b)}::numeric`, () => x.multiply(y).toString());
  await check(`${q(a)}::numeric - ${q(b)}::numeric`, () => x.subtract(y).toString());
  await check(`${q(a)}::numeric < ${q(b)}::numeric`, () => String(x.compare(y) < 0));
  await check(`div(${q(a)}::numeric, ${q(b)}::numeric)`, () => x.divideTruncated(y).toString());
  if (Math.abs(x.toNumber()) < 1e6 || !x.isFinite) if (Math.abs(y.toNumber()) < 100) { const r = (async () => {}); await r(); await check(`trim_scale(round(power(${q(a)}::numeric, ${q(b)}::numeric), 10))`, () => power(x, y).round(10).normalize().toString()); }
  await check(`log(${q(a)}::numeric, ${q(b)}::numeric)`, () => logarithm(x, y).toString());
}
for (const a of nums) { const x = Decimal.parse(a);
  await check(`sqrt(${q(a)}::numeric)`, () => squareRoot(x).toString());
  await check(`ln(${q(a)}::numeric)`, () => naturalLog(x).toString());
  await check(`log(${q(a)}::numeric)`, () => logarithm10(x).toString());
  await check(`exp(${q(a)}::numeric)`, () => exponential(x).toString());
  for (const d of [-2, 0, 1, 3]) { await check(`round(${q(a)}::numeric, ${d})`, () => x.round(d).toString()); await check(`trunc(${q(a)}::numeric, ${d})`, () => x.trunc(d).toString()); }
  await check(`ceil(${q(a)}::numeric)`, () => x.ceil().toString()); await check(`floor(${q(a)}::numeric)`, () => x.floor().toString());
  await check(`${q(a)}::numeric::float8::numeric`, () => Decimal.fromFloat8(x.toFloat8()).toString());
  for (const f of ['999','990.00','FM999.99','FM990.09','9.9','S999.9','999.9S','999MI','PL999','SG999','999PR','9,999,999.99','FM9,999','0999','999TH','999th','FM999.','9.99EEEE','RN','FMRN','99V99','B999','L999','"x"999"y"','999D99','9G999','0.0','FM0.00','$999.99','.99','FM.00'])
    await check(`to_char(${q(a)}::numeric, ${q(f)})`, () => numericToChar(x, f));
}
const fmts = ['YYYY-MM-DD HH24:MI:SS.US','YYY YY Y','Y,YYY','Month|MONTH|month|Mon|MON|mon','FMMonth|FMDay','Day|DAY|day|Dy|DY|dy','DDD DD D','ID IW IYYY IDDD IYY IY I','W WW','CC Q J','RM rm FMRM','HH HH12 HH24','FMHH:FMMI:FMSS','AM a.m. p.m. PM pm','BC b.c. AD','MS FF1 FF3 FF6','SSSS','TZ tz TZH TZM OF','DDth DDTH FMDDth','"quoted YYYY" YYYY','yyyy-mm-dd','\\"x\\"','TMMonth','FMYYYY FMMM FMDD','é DD','HH24"h"MI"m"','YYYYMMDD"T"HH24MISS','FXYYYY','D d q Q'];
for (const t of ['2024-02-29 13:05:09.012345','0044-03-15 00:00:00 BC','1999-12-31 12:00:00','2021-01-03 00:59:59.9','12345-01-01 00:00'])
 for (const f of fmts) {
  await check(`to_char(${q(t)}::timestamp, ${q(f)})`, () => timestampToChar(parseTimestamp(t, S), f));
  await check(`to_char(${q(t)}::timestamptz, ${q(f)})`, () => timestamptzToChar(parseTimestamptz(t, { ...S, timeZone: 'America/New_York' }), f, 'America/New_York'));
 }
for (const i of ['1 year 2 mons 3 days 04:05:06.789','-1 day -25:00','100 hours','0','-1 year -1 mon'])
 for (const f of ['YYYY MM DD HH24:MI:SS','HH12 MI SS.MS','DDD','FMDD "days" FMHH24','CC','Q','RM','SSSS','YY','W WW','Month','AM'])
  await check(`to_char(${q(i)}::interval, ${q(f)})`, () => intervalToChar(parseInterval(i), f));
for (const [t, f] of [['12,454.8-','99G999D9S'],['-12.5','99.9'],['1234','9999'],['12.34','99'],['<12>','99PR'],['  5','999'],['$12.5','L99.9'],['abc','999'],['','9'],['1,234','9,999'],['12-','99MI']])
  await check(`to_number(${q(t!)}, ${q(f!)})`, () => toNumber(t!, f!).toString());
for (const zone of ['Europe/Berlin','Asia/Kolkata','UTC','America/St_Johns','+03','EST5EDT','Asia/Tokyo'])
 for (const style of ['ISO, MDY','SQL, DMY','Postgres, MDY','German','Postgres, DMY','SQL, MDY']) {
  await pg.exec(`set timezone=${q(zone)}; set datestyle=${q(style)}`);
  for (const t of ['2024-07-01 12:34:56.7+00','0001-01-01 00:00:00+00 BC','infinity']) { const set = { ...S, timeZone: zone, dateStyle: style };
   await check(`${q(t)}::timestamptz`, () => formatValue(TIMESTAMPTZ, parseTimestamptz(t, set), set));
   await check(`${q(t)}::timestamp`, () => formatValue(TIMESTAMP, parseTimestamp(t, set), set)); } }
for (const style of ['postgres','postgres_verbose','sql_standard','iso_8601']) { await pg.exec(`set intervalstyle=${style}`);
 for (const i of ['1 year 2 mons 3 days 04:05:06.789','-1 day -25:00','100 hours','0','-1 year -1 mon','1 day -1:00','-1 mon 5 days','-0.5 sec','1 sec','-1-2 -3 -4:05:06','-1-2','1 mon -1 sec','-3 4:05']) { const set = { ...S, intervalStyle: style };
  await check(`${q(i)}::interval`, () => formatValue(INTERVAL, parseInterval(i, set), set)); 
  if (style === 'postgres') { await check(`justify_interval(${q(i)}::interval)`, () => parseInterval(i).justify().toString()); await check(`${q(i)}::interval * 1.3`, () => parseInterval(i).multiply(1.3).toString()); await check(`${q(i)}::interval / 7`, () => parseInterval(i).divide(7).toString()); await check(`justify_days(${q(i)}::interval)`, () => parseInterval(i).justifyDays().toString()); await check(`justify_hours(${q(i)}::interval)`, () => parseInterval(i).justifyHours().toString());} } }
console.log('checked', n, 'different', bad); process.exit(0);
