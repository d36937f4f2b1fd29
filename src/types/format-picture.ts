/** The template of to_char, to_timestamp and to_date, cut into keywords and literal text (formatting.c's DCH keywords). */

export interface PictureNode {
  /** Keyword in its canonical (upper) form, or null for literal text. */
  readonly keyword: string | null;
  /** As it was written: its case decides the case of names. */
  readonly text: string;
  readonly isFill: boolean;
  readonly isTranslated: boolean;
  /** '' | 'TH' | 'th'. */
  readonly ordinal: string;
  /** Literal that was quoted or escaped. */
  readonly isQuoted: boolean;
}

const UPPER = [
  'A.D.',
  'A.M.',
  'B.C.',
  'P.M.',
  'SSSSS',
  'Y,YYY',
  'MONTH',
  'IDDD',
  'HH24',
  'HH12',
  'IYYY',
  'SSSS',
  'YYYY',
  'DAY',
  'DDD',
  'FF1',
  'FF2',
  'FF3',
  'FF4',
  'FF5',
  'FF6',
  'IYY',
  'MON',
  'TZH',
  'TZM',
  'YYY',
  'AD',
  'AM',
  'BC',
  'CC',
  'DD',
  'DY',
  'FX',
  'HH',
  'ID',
  'IW',
  'IY',
  'MI',
  'MM',
  'MS',
  'OF',
  'PM',
  'RM',
  'SS',
  'TZ',
  'US',
  'WW',
  'YY',
  'D',
  'I',
  'J',
  'Q',
  'W',
  'Y',
];
const KEYWORDS: readonly (readonly [string, string])[] = UPPER.flatMap((keyword) => {
  const forms: [string, string][] = [[keyword, keyword]];
  if (keyword !== 'OF' && keyword !== 'TZH' && keyword !== 'TZM')
    forms.push([keyword.toLowerCase(), keyword]);
  if (['MONTH', 'MON', 'DAY', 'DY'].includes(keyword)) {
    forms.push([keyword[0] + keyword.slice(1).toLowerCase(), keyword]);
  }
  return forms;
});

const cache = new Map<string, readonly PictureNode[]>();
const CACHE_MAX = 100;

export function parsePicture(format: string): readonly PictureNode[] {
  const cached = cache.get(format);
  if (cached !== undefined) return cached;
  const nodes = scan(format);
  if (cache.size >= CACHE_MAX) cache.clear();
  cache.set(format, nodes);
  return nodes;
}

function scan(format: string): PictureNode[] {
  const nodes: PictureNode[] = [];
  let at = 0;
  while (at < format.length) {
    let prefix = at;
    let isFill = false;
    let isTranslated = false;
    for (;;) {
      const two = format.slice(prefix, prefix + 2).toUpperCase();
      if (two === 'FM') isFill = true;
      else if (two === 'TM') isTranslated = true;
      else break;
      prefix += 2;
    }
    const found = KEYWORDS.find(([written]) => format.startsWith(written, prefix));
    if (found !== undefined) {
      at = prefix + found[0].length;
      const suffix = format.slice(at, at + 2);
      const ordinal = suffix === 'TH' || suffix === 'th' ? suffix : '';
      if (ordinal !== '' || suffix === 'SP') at += 2;
      nodes.push({
        keyword: found[1],
        text: found[0],
        isFill,
        isTranslated,
        ordinal,
        isQuoted: false,
      });
      continue;
    }
    // A prefix without a keyword vanishes, as in PostgreSQL.
    at = prefix;
    if (at >= format.length) break;
    const [text, end, isQuoted] = literal(format, at);
    at = end;
    if (text !== '') {
      nodes.push({ keyword: null, text, isFill, isTranslated, ordinal: '', isQuoted });
    }
  }
  return nodes;
}

/** Quoted text, an escaped quote, or one character. */
function literal(format: string, at: number): [string, number, boolean] {
  const c = format[at]!;
  if (c === '"') {
    let text = '';
    let i = at + 1;
    for (; i < format.length && format[i] !== '"'; i += 1) {
      if (format[i] === '\\' && i + 1 < format.length) i += 1;
      text += format[i];
    }
    return [text, i + 1, true];
  }
  if (c === '\\' && format[at + 1] === '"') return ['"', at + 2, true];
  const whole = String.fromCodePoint(format.codePointAt(at)!);
  return [whole, at + whole.length, false];
}
