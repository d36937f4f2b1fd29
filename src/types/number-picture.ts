/** to_char and to_number of numbers (formatting.c, NUM_processor; C locale: `.`, `,`, no currency sign). */

import { SqlError } from '../base/sql-error.ts';
import { Decimal } from './decimal.ts';
import { ordinalSuffix } from './to-char.ts';

type Kind =
  | ','
  | '.'
  | '9'
  | '0'
  | 'B'
  | 'D'
  | 'G'
  | 'L'
  | 'MI'
  | 'PL'
  | 'PR'
  | 'RN'
  | 'SG'
  | 'S'
  | 'TH'
  | 'V'
  | 'EEEE'
  | 'FM'
  | 'literal';

interface Node {
  readonly kind: Kind;
  readonly text: string;
}

interface Picture {
  readonly nodes: readonly Node[];
  pre: number;
  post: number;
  multiplier: number;
  zeroStart: number;
  zeroEnd: number;
  hasDecimal: boolean;
  isFill: boolean;
  isScientific: boolean;
  isRoman: boolean;
  isBracket: boolean;
  hasMinus: boolean;
  hasPlus: boolean;
  sign: 'none' | 'before' | 'after';
}

const WORDS: readonly Kind[] = [
  'EEEE',
  'FM',
  'MI',
  'PL',
  'PR',
  'RN',
  'SG',
  'TH',
  ',',
  '.',
  '9',
  '0',
  'B',
  'D',
  'G',
  'L',
  'S',
  'V',
];

function syntax(message: string, hint?: string): SqlError {
  return new SqlError('42601', message, { hint });
}

function parse(format: string): Picture {
  const nodes: Node[] = [];
  const p: Picture = {
    nodes,
    pre: 0,
    post: 0,
    multiplier: 0,
    zeroStart: 0,
    zeroEnd: 0,
    hasDecimal: false,
    isFill: false,
    isScientific: false,
    isRoman: false,
    isBracket: false,
    hasMinus: false,
    hasPlus: false,
    sign: 'none',
  };
  let at = 0;
  while (at < format.length) {
    if (format[at] === '"') {
      const end = format.indexOf('"', at + 1);
      const stop = end === -1 ? format.length : end;
      nodes.push({ kind: 'literal', text: format.slice(at + 1, stop) });
      at = stop + 1;
      continue;
    }
    const kind = WORDS.find((word) => format.slice(at, at + word.length).toUpperCase() === word);
    if (kind === undefined) {
      const c = String.fromCodePoint(format.codePointAt(at)!);
      nodes.push({ kind: 'literal', text: c });
      at += c.length;
      continue;
    }
    const text = format.slice(at, at + kind.length);
    at += kind.length;
    note(p, kind);
    nodes.push({ kind, text });
  }
  return p;
}

/** NUMDesc_prepare. */
function note(p: Picture, kind: Kind): void {
  if (p.isScientific && kind !== 'EEEE') throw syntax('"EEEE" must be the last pattern used');
  switch (kind) {
    case '9':
      if (p.isBracket) throw syntax('"9" must be ahead of "PR"');
      if (p.multiplier > 0 || p.nodes.some((node) => node.kind === 'V')) p.multiplier += 1;
      else if (p.hasDecimal) p.post += 1;
      else p.pre += 1;
      return;
    case '0':
      if (p.isBracket) throw syntax('"0" must be ahead of "PR"');
      if (p.zeroStart === 0 && !p.hasDecimal) p.zeroStart = p.pre + 1;
      if (p.nodes.some((node) => node.kind === 'V')) p.multiplier += 1;
      else if (p.hasDecimal) p.post += 1;
      else p.pre += 1;
      p.zeroEnd = p.pre + p.post;
      return;
    case '.':
    case 'D':
      if (p.hasDecimal) throw syntax('multiple decimal points');
      if (p.nodes.some((node) => node.kind === 'V'))
        throw syntax('cannot use "V" and decimal point together');
      p.hasDecimal = true;
      return;
    case 'FM':
      p.isFill = true;
      return;
    case 'S':
      if (p.sign !== 'none') throw syntax('cannot use "S" twice');
      if (p.hasPlus || p.hasMinus || p.isBracket)
        throw syntax('cannot use "S" and "PL"/"MI"/"SG"/"PR" together');
      p.sign = p.hasDecimal || p.pre > 0 ? 'after' : 'before';
      return;
    case 'MI':
    case 'PL':
    case 'SG':
      if (p.sign !== 'none') throw syntax(`cannot use "S" and "${kind}" together`);
      if (kind !== 'PL') p.hasMinus = true;
      if (kind !== 'MI') p.hasPlus = true;
      return;
    case 'PR':
      if (p.sign !== 'none' || p.hasPlus || p.hasMinus)
        throw syntax('cannot use "PR" and "S"/"PL"/"MI"/"SG" together');
      p.isBracket = true;
      return;
    case 'RN':
      p.isRoman = true;
      return;
    case 'V':
      if (p.hasDecimal) throw syntax('cannot use "V" and decimal point together');
      return;
    case 'EEEE':
      if (p.isScientific) throw syntax('cannot use "EEEE" twice');
      p.isScientific = true;
      return;
    default:
  }
}

/** to_char(numeric, text) and, through it, of integers and floats. */
export function numericToChar(value: Decimal, format: string): string {
  const p = parse(format);
  if (p.isRoman) return roman(value, p.isFill);
  if (p.isScientific) return scientific(value, p);
  const isSpecial = !value.isFinite;
  let scaled = value;
  if (p.nodes.some((node) => node.kind === 'V')) {
    if (!isSpecial) scaled = value.multiply(Decimal.of(10n ** BigInt(p.multiplier)));
    p.pre += p.multiplier;
  }
  const rounded = isSpecial ? scaled : scaled.round(p.post);
  let digits = isSpecial ? (value.isNaN ? 'NaN' : 'Infinity') : rounded.abs().toString();
  const wholeSize = isSpecial ? digits.length : digits.split('.')[0]!.length;
  if (wholeSize > p.pre)
    digits = '#'.repeat(p.pre) + (p.hasDecimal ? `.${'#'.repeat(p.post)}` : '');
  return new Writer(p, digits, rounded.sign < 0, Math.max(0, p.pre - wholeSize)).write();
}

class Writer {
  readonly #p: Picture;
  readonly #digits: string;
  readonly #isNegative: boolean;
  /** Positions in front that the number does not fill. */
  readonly #spaces: number;
  readonly #lastRelevant: number;
  #at = 0;
  #position = 0;
  #isSignWritten: boolean;
  #hasBegun = false;
  #out = '';

  constructor(p: Picture, digits: string, isNegative: boolean, spaces: number) {
    this.#p = p;
    this.#digits = digits;
    this.#isNegative = isNegative;
    this.#spaces = spaces;
    this.#lastRelevant = this.#findLastRelevant();
    this.#isSignWritten =
      p.sign !== 'none' ? false : p.hasMinus || (p.isFill && !isNegative && !p.isBracket);
  }

  /** Under FM: index of the last digit to keep behind the point; -1: no cutting. */
  #findLastRelevant(): number {
    const { isFill, hasDecimal, zeroEnd } = this.#p;
    const point = this.#digits.indexOf('.');
    if (!isFill || !hasDecimal || point === -1) return -1;
    let last = point;
    for (let i = point + 1; i < this.#digits.length; i += 1) if (this.#digits[i] !== '0') last = i;
    if (zeroEnd > this.#spaces) {
      const lastZero = Math.min(this.#digits.length - 1, zeroEnd - this.#spaces);
      if (last < lastZero) last = lastZero;
    }
    return last;
  }

  write(): string {
    for (const node of this.#p.nodes) this.#node(node);
    return this.#out;
  }

  #node(node: Node): void {
    const { isFill } = this.#p;
    switch (node.kind) {
      case '9':
      case '0':
      case '.':
      case 'D':
        this.#digit(node.kind);
        return;
      case ',':
      case 'G':
        if (this.#hasBegun) this.#out += ',';
        else if (!isFill) this.#out += ' ';
        return;
      case 'L':
        this.#out += ' ';
        return;
      case 'MI':
        if (this.#isNegative) this.#out += '-';
        else if (!isFill) this.#out += ' ';
        return;
      case 'PL':
        if (!this.#isNegative) this.#out += '+';
        else if (!isFill) this.#out += ' ';
        return;
      case 'SG':
        this.#out += this.#isNegative ? '-' : '+';
        return;
      case 'TH':
        if (!this.#isNegative && !this.#p.hasDecimal && !this.#digits.startsWith('#')) {
          this.#out += ordinalSuffix(this.#digits, node.text);
        }
        return;
      case 'literal':
        this.#out += node.text;
        return;
      default:
    }
  }

  #writeSign(): void {
    const { isBracket, sign, isFill } = this.#p;
    if (this.#isSignWritten) return;
    if (sign === 'after') return;
    if (sign === 'before') this.#out += this.#isNegative ? '-' : '+';
    else if (isBracket) this.#out += this.#isNegative ? '<' : isFill ? '' : ' ';
    else if (this.#isNegative) this.#out += '-';
    else if (!isFill) this.#out += ' ';
    this.#isSignWritten = true;
  }

  /** Is this a lone 0 before the point, which 9 shows as a blank? */
  #isBlankZero(): boolean {
    const { zeroStart, post } = this.#p;
    return zeroStart === 0 && this.#at === 0 && this.#digits[0] === '0' && post !== 0;
  }

  /** NUM_numpart_to_char. */
  #digit(kind: '9' | '0' | '.' | 'D'): void {
    const { isFill, zeroStart } = this.#p;
    const isPoint = kind === '.' || kind === 'D';
    if (!isPoint) this.#position += 1;
    const isZero = zeroStart !== 0 && this.#position >= zeroStart;
    const isInside = this.#position > this.#spaces || isPoint;
    const cuts = this.#lastRelevant !== -1 && this.#digits[this.#lastRelevant] === '.';
    if ((isInside || isZero) && (!this.#isBlankZero() || cuts)) this.#writeSign();
    if (!isPoint && this.#position <= this.#spaces) {
      if (isZero) {
        this.#out += '0';
        this.#hasBegun = true;
      } else if (!isFill) this.#out += ' ';
      return;
    }
    const c = this.#digits[this.#at] ?? '';
    if (isPoint) {
      this.#writeSign();
      if (c === '.') {
        this.#out += '.';
        this.#at += 1;
      }
    } else if (this.#lastRelevant !== -1 && this.#at > this.#lastRelevant && kind !== '0') {
      this.#at += 1;
    } else if (this.#isBlankZero()) {
      if (!isFill) this.#out += ' ';
      else if (cuts) this.#out += '0';
      this.#at += 1;
    } else {
      this.#out += c;
      this.#hasBegun = true;
      this.#at += 1;
    }
    if (!isPoint && this.#position === this.#p.pre + this.#p.post) this.#end();
  }

  /** Behind the last digit: closing bracket or sign. */
  #end(): void {
    const { isBracket, sign, isFill } = this.#p;
    if (isBracket) this.#out += this.#isNegative ? '>' : isFill ? '' : ' ';
    if (sign === 'after') this.#out += this.#isNegative ? '-' : '+';
  }
}

function scientific(value: Decimal, p: Picture): string {
  if (!value.isFinite) {
    const width = p.pre + p.post + 6;
    return p.post > 0
      ? ` ${'#'.repeat(p.pre)}.${'#'.repeat(width - p.pre - 2)}`
      : ` ${'#'.repeat(p.pre + 4)}`;
  }
  const digits = value.abs().unscaled.toString();
  const exponent = value.unscaled === 0n ? 0 : digits.length - 1 - value.scale;
  const mantissa = Decimal.of(value.abs().unscaled, 0).divideAtScale(
    Decimal.of(10n ** BigInt(digits.length - 1)),
    p.post,
  );
  // As PostgreSQL, 9.996 with two digits is 10.00e+00.
  const sign = value.sign < 0 ? '-' : ' ';
  const power = String(Math.abs(exponent)).padStart(2, '0');
  return `${sign}${mantissa.toString()}e${exponent < 0 ? '-' : '+'}${power}`;
}

const ROMAN: readonly (readonly [number, string])[] = [
  [1000, 'M'],
  [900, 'CM'],
  [500, 'D'],
  [400, 'CD'],
  [100, 'C'],
  [90, 'XC'],
  [50, 'L'],
  [40, 'XL'],
  [10, 'X'],
  [9, 'IX'],
  [5, 'V'],
  [4, 'IV'],
  [1, 'I'],
];

function roman(value: Decimal, isFill: boolean): string {
  const number = value.isFinite ? Number(value.round(0).unscaled) : 0;
  let text = '';
  if (number < 1 || number > 3999) text = '#'.repeat(15);
  else {
    let rest = number;
    for (const [size, letters] of ROMAN) {
      while (rest >= size) {
        text += letters;
        rest -= size;
      }
    }
  }
  return isFill ? text : text.padStart(15);
}

/** to_number(text, format): digits are taken where the picture has digits; group signs and blanks are passed over. */
export function toNumber(text: string, format: string): Decimal {
  const p = parse(format);
  if (p.isRoman) throw new SqlError('0A000', '"RN" not supported for input');
  if (p.isScientific) throw new SqlError('0A000', '"EEEE" not supported for input');
  let at = 0;
  let isNegative = false;
  let digits = '';
  let read = 0;
  const skipSign = (): void => {
    while (text[at] === ' ') at += 1;
    if (text[at] === '-' || (p.isBracket && text[at] === '<')) isNegative = true;
    else if (text[at] !== '+') return;
    at += 1;
  };
  for (const { kind, text: literal } of p.nodes) {
    if (at >= text.length) break;
    if (kind === '9' || kind === '0') {
      if (read === 0) skipSign();
      if (/[0-9]/.test(text[at] ?? '')) {
        digits += text[at];
        at += 1;
        read += 1;
      } else if (text[at] === '.' && p.hasDecimal && !digits.includes('.')) {
      }
    } else if (kind === '.' || kind === 'D') {
      if (text[at] === '.') {
        digits += '.';
        at += 1;
      }
    } else if (kind === ',' || kind === 'G') {
      if (text[at] === ',') at += 1;
    } else if (kind === 'MI' || kind === 'S' || kind === 'SG' || kind === 'PL') skipSign();
    else if (kind === 'literal' || kind === 'L') at += literal.length;
  }
  if (text[at] === '-' && p.nodes.some((node) => node.kind === 'S' || node.kind === 'MI'))
    isNegative = true;
  if (!/[0-9]/.test(digits)) {
    throw new SqlError('22P02', 'invalid input syntax for type numeric: " "');
  }
  const value = Decimal.parse(digits).round(p.post);
  const signed = isNegative ? value.negate() : value;
  if (p.multiplier === 0) return signed;
  return signed.divide(Decimal.of(10n ** BigInt(p.multiplier)));
}
