// AssemblyScript body of decodeJson (json-layout.ts has the layout). Whatever is not plain it leaves to formats/json-object.ts.
// No static data: it would be written over the header of the shared memory.

const DEPTH_MAX: u32 = 64;
const PLAIN: u32 = 0;
const ABSENT: u32 = 1;
const LEFT: u32 = 2;

// What is wrong with a text, as the answers of json-layout.ts.
const MEMBER_END: u32 = 16;
const ELEMENT_END: u32 = 17;
const COLON: u32 = 18;
const NAME: u32 = 19;
const STRING_END: u32 = 20;
const CONTROL: u32 = 21;
const DIGIT: u32 = 22;
const VALUE: u32 = 23;
const TEXT_END: u32 = 24;
const ESCAPE: u32 = 25;
const HEX: u32 = 26;
const NO_OBJECT: u32 = 27;
const ENCODING: u32 = 28;

/** Behind the text. */
let end: usize = 0;
let spans: usize = 0;
let hasHigh: bool = false;
let isEscaped: bool = false;
let integer: i64 = 0;
/** Why the text is none; 0: it is only not plain. */
let wrong: u32 = 0;
let wrongAt: usize = 0;

// The text before as a pattern: its scalars (slots), and what lies between them. Texts often come in one shape.
const SLOTS_MAX: u32 = 64;
/** The text is not to be a pattern, or cannot be one. */
const NO_PATTERN: u32 = 65;
let pattern: usize = 0;
/** Slots noted so far. */
let slots: u32 = NO_PATTERN;

// What reads a part of the text takes the place where it begins and gives the place behind it; 0: it is wrong, or not plain.
// The place is handed on in locals: a global is a load and a store at each step.

@inline function fail(reason: u32, at: usize): usize { wrong = reason; wrongAt = at; return 0; }

@inline function word(a: usize, i: u32): u32 { return load<u32>(a + (<usize>i << 2)); }
@inline function byte(at: usize): u32 { return at < end ? <u32>load<u8>(at) : 0; }
@inline function isDigit(b: u32): bool { return b - 48 <= 9; }

@inline function space(at: usize): usize {
  while (at < end) {
    const b = <u32>load<u8>(at);
    if (b > 32 || (b != 32 && b != 10 && b != 13 && b != 9)) break;
    at++;
  }
  return at;
}

function isHex(b: u32): bool { return isDigit(b) || (b | 32) - 97 <= 5; }

/** The escape at `p`: how long it is; 0: it is none. */
function escapeLength(p: usize): usize {
  if (p + 1 >= end) return 0;
  const letter = <u32>load<u8>(p, 1);
  if (letter == 117) {
    if (p + 6 > end) return 0;
    for (let i: usize = 2; i < 6; i++) if (!isHex(load<u8>(p + i))) return 0;
    return 6;
  }
  const isOne = letter == 34 || letter == 92 || letter == 47 || letter == 98 || letter == 102 || letter == 110 || letter == 114 || letter == 116;
  return isOne ? 2 : 0;
}

/** From behind an opening quote to behind the closing one. Reads up to 15 bytes behind the end. */
function text(p: usize): usize {
  isEscaped = false;
  const stop = end;
  while (p < stop) {
    const v = v128.load(p);
    const odd = v128.or(v128.or(i8x16.eq(v, i8x16.splat(34)), i8x16.eq(v, i8x16.splat(92))), i8x16.lt_s(v, i8x16.splat(32)));
    const mask = i8x16.bitmask(odd);
    if (mask == 0) { p += 16; continue; }
    p += <usize>ctz<i32>(mask);
    if (p >= stop) break;
    const b = <u32>load<u8>(p);
    if (b == 34) return p + 1;
    if (b == 92) {
      isEscaped = true;
      const length = escapeLength(p);
      if (length == 0) return fail(p + 1 < stop && load<u8>(p, 1) == 117 ? HEX : ESCAPE, p);
      p += length;
    } else if (b < 128) return fail(CONTROL, p);
    else {
      hasHigh = true;
      while (p < stop && load<u8>(p) >= 128) p++;
    }
  }
  return fail(STRING_END, stop);
}

@inline function digits(start: usize): usize {
  let at = start;
  while (at < end && isDigit(load<u8>(at))) at++;
  return at != start ? at : fail(DIGIT, at);
}

/** How many of the 16 bytes at `p` are digits before another one. Reads up to 15 bytes behind the end. */
@inline function digitCount(p: usize): usize {
  const isOther = i8x16.gt_u(i8x16.sub(v128.load(p), i8x16.splat(48)), i8x16.splat(9));
  return <usize>ctz<i32>(i8x16.bitmask(isOther) | 0x10000);
}

function number(at: usize): usize {
  if (byte(at) == 45) at++;
  // Mostly a whole number: no loop, of whose end the processor would guess wrong.
  const count = digitCount(at);
  const behind = at + count;
  if (count != 0 && count < 16 && behind < end && (count == 1 || load<u8>(at) != 48)) {
    const next = <u32>load<u8>(behind);
    if (next != 46 && (next | 32) != 101) return behind;
  }
  at = byte(at) == 48 ? at + 1 : digits(at);
  if (at != 0 && byte(at) == 46) at = digits(at + 1);
  if (at == 0 || (byte(at) | 32) != 101) return at;
  at++;
  const sign = byte(at);
  return digits(sign == 43 || sign == 45 ? at + 1 : at);
}

/** The letters of `word`, first to last from its lowest byte up. */
function literal(word: u64, at: usize): usize {
  if (at + 4 <= end && load<u32>(at) == <u32>word) {
    at += 4;
    word >>= 32;
  }
  for (; word != 0; word >>= 8, at++) if (byte(at) != <u32>(word & 0xff)) return fail(VALUE, at);
  return at;
}

/** Reads up to 7 bytes behind both. */
@inline function same(a: usize, b: usize, length: u32): bool {
  for (; length >= 8; length -= 8, a += 8, b += 8) if (load<u64>(a) != load<u64>(b)) return false;
  return length == 0 || (load<u64>(a) ^ load<u64>(b)) << <u64>(64 - (length << 3)) == 0;
}

/** ASCII letters without case; a byte of a longer character counts as the same as anything. */
function mayBeSame(a: usize, b: usize, length: u32): bool {
  for (let i: usize = 0; i < <usize>length; i++) {
    const x = <u32>load<u8>(a + i);
    const y = <u32>load<u8>(b + i);
    if (x == y) continue;
    if ((x | 32) != (y | 32) || (x | 32) - 97 > 25) return false;
  }
  return true;
}

function hasHighByte(name: usize, length: u32): bool {
  for (let i: usize = 0; i < <usize>length; i++) if (load<u8>(name + i) >= 128) return true;
  return false;
}

/** The node of a member's name; 0: nobody wants it; 1: perhaps it is matched without case. */
function memberOf(node: usize, name: usize, length: u32): usize {
  const count = word(node, 2);
  const members = <usize>word(node, 3);
  let i = word(node, 4);
  for (let k: u32 = 0; k < count; k++) {
    const member = members + <usize>i * 12;
    if (++i == count) i = 0;
    if (word(member, 1) == length && same(<usize>word(member, 0), name, length)) {
      store<u32>(node, i, 16);
      return <usize>word(member, 2);
    }
  }
  if (word(node, 5) == 0) return 0;
  if (hasHighByte(name, length)) return 1;
  for (let k: u32 = 0; k < count; k++) {
    const member = members + <usize>k * 12;
    if (word(member, 1) == length && mayBeSame(<usize>word(member, 0), name, length)) return 1;
  }
  return 0;
}

/** The member of a node that is expected next: where `name` is its name and a quote follows; 0: it is not. */
@inline function expectedMember(node: usize, name: usize): usize {
  const i = word(node, 4);
  const member = <usize>word(node, 3) + <usize>i * 12;
  const length = word(member, 1);
  const quote = name + <usize>length;
  if (quote >= end || load<u8>(quote) != 34 || !same(<usize>word(member, 0), name, length)) return 0;
  store<u32>(node, i + 1 == word(node, 2) ? 0 : i + 1, 16);
  return member;
}

function object(node: usize, depth: u32, at: usize): usize {
  if (depth == DEPTH_MAX) return 0;
  at = space(at + 1);
  if (byte(at) == 125) return at + 1;
  const hasMembers = node != 0 && word(node, 2) != 0;
  for (;;) {
    if (byte(at) != 34) return fail(NAME, at);
    const name = at + 1;
    const member = hasMembers ? expectedMember(node, name) : 0;
    let child: usize = 0;
    if (member != 0) {
      child = <usize>word(member, 2);
      at = name + <usize>word(member, 1) + 1;
    } else {
      at = text(name);
      if (at == 0) return 0;
      if (hasMembers) {
        if (isEscaped) return 0;
        child = memberOf(node, name, <u32>(at - 1 - name));
        if (child == 1) return 0;
      }
    }
    if (byte(at) != 58) { at = space(at); if (byte(at) != 58) return fail(COLON, at); }
    at = value(child, depth, space(at + 1));
    if (at == 0) return 0;
    at = space(at);
    const b = byte(at);
    if (b == 125) return at + 1;
    if (b != 44) return fail(MEMBER_END, at);
    at = space(at + 1);
  }
  return 0;
}

function elementOf(node: usize, index: u32): usize {
  const count = word(node, 6);
  const elements = <usize>word(node, 7);
  for (let k: u32 = 0; k < count; k++) {
    const element = elements + (<usize>k << 3);
    if (word(element, 0) == index) return <usize>word(element, 1);
  }
  return 0;
}

function array(node: usize, depth: u32, at: usize): usize {
  if (depth == DEPTH_MAX) return 0;
  at = space(at + 1);
  if (byte(at) == 93) return at + 1;
  for (let index: u32 = 0; ; index++) {
    at = value(node == 0 ? 0 : elementOf(node, index), depth, at);
    if (at == 0) return 0;
    at = space(at);
    const b = byte(at);
    if (b == 93) return at + 1;
    if (b != 44) return fail(ELEMENT_END, at);
    at = space(at + 1);
  }
  return 0;
}

/** Behind the scalar that begins with `first` at `start`. */
@inline function scalar(first: u32, start: usize): usize {
  if (first == 34) return text(start + 1);
  if (first == 45 || isDigit(first)) return number(start);
  if (first == 116) return literal(0x65757274, start);
  if (first == 102) return literal(0x65736c6166, start);
  if (first == 110) return literal(0x6c6c756e, start);
  return fail(VALUE, start);
}

/** A value for a node comes: what an earlier one left for the columns below it goes. false: there was none. */
@inline function forget(node: usize): bool {
  let before: u32 = 0;
  const below = <usize>word(node, 9);
  for (let k: u32 = 0; k < word(node, 8); k++) {
    const span = spans + (<usize>word(below, k) << 4);
    before |= load<u32>(span);
    store<u32>(span, 0);
  }
  return before != 0;
}

/** The value [start, at) is what the node's columns have. */
@inline function note(node: usize, first: u32, start: usize, at: usize): void {
  const targets = <usize>word(node, 1);
  for (let k: u32 = 0; k < word(node, 0); k++) {
    const span = spans + (<usize>word(targets, k) << 4);
    store<u32>(span, <u32>start);
    store<u32>(span, <u32>at, 4);
    store<u32>(span, first == 34 && isEscaped ? 1 : 0, 8);
  }
}

/** The value at hand, checked; where columns want it, or what is in it, their spans are noted. */
function value(node: usize, depth: u32, start: usize): usize {
  const first = byte(start);
  const isAgain = node != 0 && forget(node);
  let at: usize;
  if (first == 123 || first == 91) {
    // In a pattern columns are scalars, and no member comes twice.
    if (isAgain || (node != 0 && word(node, 0) != 0)) slots = NO_PATTERN;
    at = first == 123 ? object(node, depth + 1, start) : array(node, depth + 1, start);
  } else {
    at = scalar(first, start);
    if (at != 0 && slots < SLOTS_MAX) {
      const slot = pattern + 16 + (<usize>slots << 4);
      store<u32>(slot, <u32>start);
      store<u32>(slot, <u32>at, 4);
      store<u32>(slot, <u32>node, 8);
      slots++;
    } else slots = NO_PATTERN;
  }
  if (node != 0 && at != 0) note(node, first, start, at);
  return at;
}

/** Reads up to 15 bytes behind both. */
@inline function isSame(a: usize, b: usize, length: usize): bool {
  for (; length >= 16; length -= 16, a += 16, b += 16) {
    if (v128.any_true(v128.xor(v128.load(a), v128.load(b)))) return false;
  }
  const differs = i8x16.bitmask(i8x16.ne(v128.load(a), v128.load(b)));
  return (differs & ((1 << <i32>length) - 1)) == 0;
}

/** Reads a text that is the pattern but for its scalars: then it is as whole as that was. false: it is not, or wrong. */
function readAgain(at: usize): bool {
  let known = <usize>word(pattern, 2);
  let slot = pattern + 16;
  for (let left = word(pattern, 0); left != 0; left--, slot += 16) {
    const length = <usize>word(slot, 0) - known;
    if (at + length >= end || !isSame(known, at, length)) return false;
    at += length;
    known = <usize>word(slot, 1);
    const first = <u32>load<u8>(at);
    const start = at;
    at = scalar(first, start);
    if (at == 0) return false;
    const node = <usize>word(slot, 2);
    if (node == 0) continue;
    forget(node);
    note(node, first, start, at);
  }
  const length = <usize>word(pattern, 3) - known;
  return at + length == end && isSame(known, at, length);
}

/** Whether the text that comes is to be the pattern: there is none, or neither it nor the whole text before it were like it. */
@inline function isWanted(): bool {
  if (word(pattern, 0) == 0) return true;
  const hasMissed = word(pattern, 1) != 0;
  store<u32>(pattern, hasMissed ? 0 : 1, 4);
  return hasMissed;
}

@inline function isContinuation(p: usize): bool { return p < end && (load<u8>(p) & 0xc0) == 0x80; }

/** UTF-8 without surrogates and overlong forms. */
function isUtf8(start: usize): bool {
  let p = start;
  while (p < end) {
    const b = <u32>load<u8>(p);
    if (b < 128) { p++; continue; }
    const next = p + 1 < end ? <u32>load<u8>(p, 1) : 0;
    if (!isContinuation(p + 1) || b < 0xc2) return false;
    if (b < 0xe0) { p += 2; continue; }
    if (!isContinuation(p + 2)) return false;
    if (b < 0xf0) {
      if ((b == 0xe0 && next < 0xa0) || (b == 0xed && next > 0x9f)) return false;
      p += 3;
      continue;
    }
    if (!isContinuation(p + 3) || b > 0xf4) return false;
    if ((b == 0xf0 && next < 0x90) || (b == 0xf4 && next > 0x8f)) return false;
    p += 4;
  }
  return true;
}

/**
 * The number of the 1 to 8 digits at `s`, below 10^8; else something is no digit. Reads up to 7 bytes behind them. Pairs, then
 * fours, then eights are put together by one multiplication each (D. Lemire, "Quickly parsing eight digits", 2018).
 */
@inline function eightDigits(s: usize, count: usize): u64 {
  let w = load<u64>(s);
  if (count != 8) w = (w << <u64>(64 - (count << 3))) | (0x3030303030303030 >>> <u64>(count << 3));
  const isDigits = ((w & 0xf0f0f0f0f0f0f0f0) | (((w + 0x0606060606060606) & 0xf0f0f0f0f0f0f0f0) >>> 4)) == 0x3333333333333333;
  if (!isDigits) return u64.MAX_VALUE;
  w = ((w & 0x0f0f0f0f0f0f0f0f) * 2561) >>> 8;
  w = ((w & 0x00ff00ff00ff00ff) * 6553601) >>> 16;
  return ((w & 0x0000ffff0000ffff) * 42949672960001) >>> 32;
}

/** [-] and 1 to 18 digits, into `integer`. */
function parseInteger(s: usize, e: usize): bool {
  const isNegative = s < e && load<u8>(s) == 45;
  if (isNegative) s++;
  let left = e - s;
  if (left == 0 || left > 18) return false;
  let result: u64 = 0;
  for (let power: u64 = 1; ; power = 100000000) {
    const count = left > 8 ? (left - 1 & 7) + 1 : left;
    const part = eightDigits(s, count);
    if (part == u64.MAX_VALUE) return false;
    result = result * power + part;
    left -= count;
    if (left == 0) break;
    s += count;
  }
  integer = isNegative ? -<i64>result : <i64>result;
  return true;
}

/** [-] digits [. digits] of at most 15 digits; stored at `to`. One rounding: both numbers are doubles exactly. */
function storeFloat(s: usize, e: usize, to: usize): bool {
  const isNegative = s < e && load<u8>(s) == 45;
  if (isNegative) s++;
  let count: u32 = 0;
  let result: f64 = 0;
  let power: f64 = 1;
  let hasPoint = false;
  for (; s < e; s++) {
    const b = <u32>load<u8>(s);
    if (isDigit(b)) {
      result = result * 10 + <f64>(b - 48);
      count++;
      if (hasPoint) power *= 10;
    } else if (b == 46 && !hasPoint && count > 0) hasPoint = true;
    else return false;
  }
  if (count == 0 || count > 15 || (hasPoint && power == 1)) return false;
  result /= power;
  store<f64>(to, isNegative ? -result : result);
  return true;
}

/** Two digits at `p`; above 99: they are none. */
@inline function two(p: usize): u32 {
  const high = <u32>load<u8>(p) - 48;
  const low = <u32>load<u8>(p, 1) - 48;
  return high > 9 || low > 9 ? 1000 : high * 10 + low;
}

function monthDays(year: u32, month: u32): u32 {
  if (month == 2) return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

/** Days since 1970-01-01 (H. Hinnant, days_from_civil). */
function daysFromCivil(year: u32, month: u32, day: u32): i64 {
  const y = month <= 2 ? year - 1 : year;
  const era = y / 400;
  const yearOfEra = y - era * 400;
  const dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
  const dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
  return <i64>era * 146097 + <i64>dayOfEra - 719468;
}

/** YYYY-MM-DD[ T]HH:MM[:SS[.f{1,6}]] as microseconds, into `integer`. */
function parseTimestamp(s: usize, e: usize): bool {
  const length = e - s;
  if (length < 16 || length > 26) return false;
  const separator = load<u8>(s, 10);
  if (load<u8>(s, 4) != 45 || load<u8>(s, 7) != 45 || (separator != 32 && separator != 84) || load<u8>(s, 13) != 58) return false;
  const century = two(s);
  const year = century * 100 + two(s + 2);
  const month = two(s + 5);
  const day = two(s + 8);
  const hour = two(s + 11);
  const minute = two(s + 14);
  if (century > 99 || two(s + 2) > 99 || year < 1800 || year > 2199 || month < 1 || month > 12) return false;
  if (day < 1 || day > monthDays(year, month) || hour > 23 || minute > 59) return false;
  let us: i64 = 0;
  if (length > 16) {
    if (length < 19 || load<u8>(s, 16) != 58) return false;
    const second = two(s + 17);
    if (second > 59) return false;
    us = <i64>second * 1000000;
  }
  if (length > 19) {
    if (load<u8>(s, 19) != 46 || length == 20) return false;
    let fraction: i64 = 0;
    for (let p = s + 20; p < e; p++) {
      const digit = <u32>load<u8>(p) - 48;
      if (digit > 9) return false;
      fraction = fraction * 10 + <i64>digit;
    }
    for (let scale = length; scale < 26; scale++) fraction *= 10;
    us += fraction;
  }
  integer = daysFromCivil(year, month, day) * 86400000000 + <i64>(hour * 60 + minute) * 60000000 + us;
  return true;
}

function storeView(to: usize, s: usize, length: u32): void {
  store<u32>(to, length);
  if (length > 12) {
    store<u32>(to, load<u32>(s), 4);
    store<u32>(to, 0, 8);
    store<u32>(to, <u32>s, 12);
    return;
  }
  // Reads behind the text, and leaves away what is not its own.
  const low = load<u64>(s);
  const high = load<u32>(s, 8);
  store<u32>(to, length >= 4 ? <u32>low : <u32>low & ((1 << (length << 3)) - 1), 4);
  const second = length >= 8 ? <u32>(low >>> 32) : length > 4 ? <u32>(low >>> 32) & ((1 << ((length - 4) << 3)) - 1) : 0;
  store<u32>(to, second, 8);
  store<u32>(to, length == 12 ? high : length > 8 ? high & ((1 << ((length - 8) << 3)) - 1) : 0, 12);
}

@inline function storeSmall(to: usize, max: i64): bool {
  if (integer < -max || integer > max) return false;
  store<i32>(to, <i32>integer);
  return true;
}

@inline function widthShift(kind: u32): u32 {
  return kind == 1 ? 4 : kind == 6 ? 0 : kind == 3 || kind == 4 ? 2 : 3;
}

/** Stores the value whose JSON text is [s, e); false: it is left to the caller. */
function convert(kind: u32, s: usize, e: usize, escaped: bool, to: usize): bool {
  if (escaped) return false;
  const first = <u32>load<u8>(s);
  const isText = first == 34;
  if (isText) { s++; e--; }
  if (kind == 1) { storeView(to, s, <u32>(e - s)); return true; }
  if (kind == 6) {
    if (isText || (first != 116 && first != 102)) return false;
    store<u8>(to, first == 116 ? 1 : 0);
    return true;
  }
  if (kind == 5) return storeFloat(s, e, to);
  if (kind <= 4) {
    if (!parseInteger(s, e)) return false;
    if (kind == 3) return storeSmall(to, 2147483647);
    if (kind == 4) return storeSmall(to, 32767);
  } else {
    if (kind == 8) { if (e == s || load<u8>(e - 1) != 90) return false; e--; }
    if (!parseTimestamp(s, e)) return false;
  }
  store<i64>(to, integer);
  return true;
}

function storeColumn(column: usize, span: usize, row: usize): u32 {
  const kind = word(column, 0);
  if (kind == 0) return LEFT;
  const to = <usize>word(column, 1) + (row << <usize>widthShift(kind));
  const bits = <usize>word(column, 2) + (row >>> 3);
  const bit = <u8>1 << <u8>(row & 7);
  const s = <usize>word(span, 0);
  if (s != 0 && load<u8>(s) != 110) {
    if (!convert(kind, s, <usize>word(span, 1), word(span, 2) != 0, to)) return LEFT;
    store<u8>(bits, load<u8>(bits) | bit);
    return PLAIN;
  }
  memory.fill(to, 0, 1 << <usize>widthShift(kind));
  store<u8>(bits, load<u8>(bits) & ~bit);
  return ABSENT;
}

/** The answer for a text that is wrong, or not plain. The pattern stays: the texts behind it may well be like those before. */
function refuse(program: usize): u32 {
  store<u32>(pattern, 0, 4);
  store<u32>(program, <u32>wrongAt, 12);
  return wrong;
}

/** Reads the text from `start` to the end by itself; false: it is wrong, or not plain. */
function read(root: usize, start: usize): bool {
  const first = space(start);
  const isObject = byte(first) == 123;
  const at = value(isObject ? root : 0, 0, first);
  if (at == 0) return false;
  const rest = space(at);
  if (rest != end) fail(TEXT_END, rest);
  else if (!isObject) fail(NO_OBJECT, start);
  return wrong == 0;
}

/** As `read`, by the pattern where there is one that fits. */
function readText(root: usize, start: usize): bool {
  if (word(pattern, 0) != 0) {
    if (readAgain(start)) {
      store<u32>(pattern, 0, 4);
      return true;
    }
    // What was noted until then is noted again, but for this.
    wrong = 0;
  }
  if (isWanted()) {
    store<u32>(pattern, 0);
    slots = 0;
  }
  return read(root, start);
}

/** The text is whole; where it was to be the pattern, it is now. */
@inline function keepPattern(start: usize): void {
  if (slots > SLOTS_MAX) return;
  store<u32>(pattern, slots);
  store<u32>(pattern, 0, 4);
  store<u32>(pattern, <u32>start, 8);
  store<u32>(pattern, <u32>end, 12);
}

export function decodeJson(program: usize, start: usize, behind: usize, row: u32): u32 {
  end = behind;
  hasHigh = false;
  wrong = 0;
  slots = NO_PATTERN;
  const count = word(program, 0);
  spans = <usize>word(program, 2);
  pattern = spans + (<usize>count << 4);
  for (let c: usize = 0; c < <usize>count; c++) store<u32>(spans + (c << 4), 0);
  if (!readText(<usize>word(program, 1), start)) return refuse(program);
  if (hasHigh && !isUtf8(start)) {
    fail(ENCODING, start);
    return refuse(program);
  }
  keepPattern(start);
  let most: u32 = 1;
  for (let c: usize = 0; c < <usize>count; c++) {
    const span = spans + (c << 4);
    const status = storeColumn(program + 16 + (c << 4), span, <usize>row);
    store<u32>(span, status, 12);
    if (status != PLAIN) most = 2;
  }
  return most;
}
