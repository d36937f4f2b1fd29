/** Taking valid JSON text apart without changing its pieces. O(length). */

export type JsonType = 'object' | 'array' | 'string' | 'number' | 'boolean' | 'null';

const BLANK = /[ \t\r\n]/;

function skipBlanks(json: string, from: number): number {
  let at = from;
  while (at < json.length && BLANK.test(json[at]!)) at += 1;
  return at;
}

export function jsonTypeOf(json: string): JsonType {
  switch (json[skipBlanks(json, 0)]) {
    case '{':
      return 'object';
    case '[':
      return 'array';
    case '"':
      return 'string';
    case 't':
    case 'f':
      return 'boolean';
    case 'n':
      return 'null';
    default:
      return 'number';
  }
}

/** Offset behind the string that starts at `from`. */
function endOfString(json: string, from: number): number {
  let at = from + 1;
  while (json[at] !== '"') at += json[at] === '\\' ? 2 : 1;
  return at + 1;
}

/** Offset behind the value that starts at `from`. */
function endOfValue(json: string, from: number): number {
  let depth = 0;
  let at = from;
  while (at < json.length) {
    const char = json[at]!;
    if (char === '"') {
      at = endOfString(json, at);
      if (depth === 0) return at;
      continue;
    }
    if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (char === ',' || BLANK.test(char))) {
      return at;
    }
    at += 1;
  }
  return at;
}

/** The elements of an array, as JSON. */
export function elementsOf(json: string): string[] {
  const out: string[] = [];
  let at = skipBlanks(json, skipBlanks(json, 0) + 1);
  while (json[at] !== ']') {
    const end = endOfValue(json, at);
    out.push(json.slice(at, end));
    at = skipBlanks(json, end);
    if (json[at] === ',') at = skipBlanks(json, at + 1);
  }
  return out;
}

/** The members of an object: key, value as JSON. */
export function membersOf(json: string): (readonly [string, string])[] {
  const out: (readonly [string, string])[] = [];
  let at = skipBlanks(json, skipBlanks(json, 0) + 1);
  while (json[at] !== '}') {
    const keyEnd = endOfString(json, at);
    const key = JSON.parse(json.slice(at, keyEnd)) as string;
    const start = skipBlanks(json, skipBlanks(json, keyEnd) + 1);
    const end = endOfValue(json, start);
    out.push([key, json.slice(start, end)]);
    at = skipBlanks(json, end);
    if (json[at] === ',') at = skipBlanks(json, at + 1);
  }
  return out;
}

/** `->>`: a string without its quotes, null as NULL, others as they stand. */
export function jsonText(json: string): string | null {
  const kind = jsonTypeOf(json);
  if (kind === 'null') return null;
  return kind === 'string' ? (JSON.parse(json) as string) : json;
}
