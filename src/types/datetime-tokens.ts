/** Date/time input cut into fields, as ParseDateTime of PostgreSQL's datetime.c, and the words it knows. */

import { SqlError } from '../base/sql-error.ts';

export type FieldKind = 'number' | 'string' | 'date' | 'time' | 'zone' | 'special';

export interface Field {
  readonly kind: FieldKind;
  readonly text: string;
}

export type WordKind =
  | 'month'
  | 'weekday'
  | 'ampm'
  | 'era'
  | 'reserved'
  | 'unit'
  | 'iso_time'
  | 'ignore'
  | 'dst';

export interface Word {
  readonly kind: WordKind;
  readonly value: number | string;
}

const WORDS = new Map<string, Word>();

function words(kind: WordKind, list: Readonly<Record<string, number | string>>): void {
  for (const [name, value] of Object.entries(list)) WORDS.set(name, { kind, value });
}

words('month', {
  jan: 1,
  january: 1,
  feb: 2,
  february: 2,
  mar: 3,
  march: 3,
  apr: 4,
  april: 4,
  may: 5,
  jun: 6,
  june: 6,
  jul: 7,
  july: 7,
  aug: 8,
  august: 8,
  sep: 9,
  sept: 9,
  september: 9,
  oct: 10,
  october: 10,
  nov: 11,
  november: 11,
  dec: 12,
  december: 12,
});
words('weekday', {
  sun: 0,
  sunday: 0,
  mon: 1,
  monday: 1,
  tue: 2,
  tues: 2,
  tuesday: 2,
  wed: 3,
  wednesday: 3,
  weds: 3,
  thu: 4,
  thur: 4,
  thurs: 4,
  thursday: 4,
  fri: 5,
  friday: 5,
  sat: 6,
  saturday: 6,
});
words('ampm', { am: 0, pm: 1 });
words('era', { ad: 0, bc: 1 });
words('reserved', {
  now: 'now',
  today: 'today',
  tomorrow: 'tomorrow',
  yesterday: 'yesterday',
  allballs: 'allballs',
  epoch: 'epoch',
  infinity: 'infinity',
  inf: 'infinity',
  '+infinity': 'infinity',
  '-infinity': '-infinity',
  '-inf': '-infinity',
  zulu: 'zulu',
  z: 'zulu',
});
words('unit', {
  y: 'year',
  j: 'julian',
  jd: 'julian',
  julian: 'julian',
  d: 'day',
  h: 'hour',
  m: 'month',
  mm: 'minute',
  s: 'second',
});
words('iso_time', { t: 't' });
words('ignore', { at: 0, on: 0 });
words('dst', { dst: 1 });

/** The meaning of a word (lower case) in a date or time; words are cut at 10 characters as in PostgreSQL. */
export function wordOf(text: string): Word | undefined {
  return WORDS.get(text.slice(0, 10)) ?? WORDS.get(text);
}

const SPACE = /[ \t\n\v\f\r]/;
const DIGIT = /[0-9]/;
const LETTER = /[A-Za-z]/;
/** Everything that stands between fields: blanks and punctuation but for `+`, `-` and `.`. */
const PUNCTUATION_OR_SPACE = /[ \t\n\v\f\r!"#$%&'()*,/:;<=>?@[\\\]^_`{|}~]/;
const REST_OF_DATE = { '-': /[A-Za-z0-9-]/, '/': /[A-Za-z0-9/]/, '.': /[A-Za-z0-9.]/ } as const;
const FIELDS_MAX = 25;
/** MAXDATELEN and its working buffer: longer texts are no date. */
const TEXT_MAX = 256;

/** 22007 for `typeName`. */
export function badFormat(typeName: string, text: string): SqlError {
  return new SqlError('22007', `invalid input syntax for type ${typeName}: "${text}"`);
}

/** The fields of `text`; null where it is malformed. */
export function tokenize(text: string): Field[] | null {
  if (text.length > TEXT_MAX) return null;
  const scanner = new Scanner(text);
  const fields: Field[] = [];
  for (;;) {
    const field = scanner.next();
    if (field === 'end') return fields;
    if (field === null || fields.length >= FIELDS_MAX) return null;
    fields.push(field);
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  next(): Field | 'end' | null {
    while (PUNCTUATION_OR_SPACE.test(this.#peek())) this.#at += 1;
    const c = this.#peek();
    if (c === '') return 'end';
    if (DIGIT.test(c)) return this.#number();
    if (LETTER.test(c)) return this.#word();
    if (c === '.') return { kind: 'number', text: this.#one() + this.#run(DIGIT) };
    if (c !== '+' && c !== '-') return null;
    const sign = this.#one();
    this.#run(SPACE);
    if (DIGIT.test(this.#peek())) return { kind: 'zone', text: sign + this.#run(/[0-9:.-]/) };
    if (!LETTER.test(this.#peek())) return null;
    return { kind: 'special', text: sign + this.#run(LETTER).toLowerCase() };
  }

  #peek(): string {
    return this.#text[this.#at] ?? '';
  }

  #one(): string {
    return this.#text[this.#at++] ?? '';
  }

  #run(pattern: RegExp): string {
    const start = this.#at;
    while (this.#at < this.#text.length && pattern.test(this.#text[this.#at]!)) this.#at += 1;
    return this.#text.slice(start, this.#at);
  }

  #number(): Field {
    let text = this.#run(DIGIT);
    const delimiter = this.#peek();
    if (delimiter === ':') return { kind: 'time', text: text + this.#run(/[0-9:.]/) };
    if (delimiter !== '-' && delimiter !== '/' && delimiter !== '.')
      return { kind: 'number', text };
    text += this.#one();
    if (!DIGIT.test(this.#peek())) {
      const tail = this.#run(REST_OF_DATE[delimiter]);
      return { kind: 'date', text: (text + tail).toLowerCase() };
    }
    text += this.#run(DIGIT);
    if (this.#peek() !== delimiter) return { kind: delimiter === '.' ? 'number' : 'date', text };
    text += this.#one();
    return { kind: 'date', text: text + this.#run(DIGIT) };
  }

  #word(): Field {
    const text = this.#run(LETTER).toLowerCase();
    const c = this.#peek();
    let isDate = c === '-' || c === '/' || c === '.';
    if (!isDate && (c === '+' || DIGIT.test(c))) isDate = wordOf(text) === undefined;
    if (!isDate) return { kind: 'string', text };
    return { kind: 'date', text: text + this.#run(/[-+/_.:A-Za-z0-9]/).toLowerCase() };
  }
}
