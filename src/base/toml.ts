/**
 * The part of TOML that a flat config file needs: comments, `key = value` with strings, integers,
 * booleans and arrays of strings. Anything else is refused with its line: never read half.
 */

export type TomlValue = string | number | boolean | string[];

const KEY = /^\s*(?:([A-Za-z0-9_-]+)|"([^"\\]+)")\s*=\s*/;
const INTEGER = /^[+-]?\d+(?:_\d+)*/;

/** Throws an Error whose message names the line. */
export function parseToml(text: string): Record<string, TomlValue> {
  const result: Record<string, TomlValue> = Object.create(null);
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (/^\s*(#.*)?$/.test(line)) continue;
    const match = KEY.exec(line);
    if (match === null) throw lineError(index, 'expected key = value (tables are not supported)');
    const key = (match[1] ?? match[2]) as string;
    if (key in result) throw lineError(index, `${key} is given twice`);
    const [value, rest] = parseValue(line.slice(match[0].length), index);
    if (!/^\s*(#.*)?$/.test(rest)) throw lineError(index, `unexpected ${rest.trim()}`);
    result[key] = value;
  }
  return result;
}

function lineError(index: number, message: string): Error {
  return new Error(`line ${index + 1}: ${message}`);
}

function parseValue(text: string, line: number): [value: TomlValue, rest: string] {
  const first = text[0];
  if (first === '"' || first === "'") return parseString(text, line);
  if (first === '[') return parseArray(text, line);
  const word = /^(true|false)\b/.exec(text);
  if (word !== null) return [word[1] === 'true', text.slice(word[0].length)];
  const integer = INTEGER.exec(text);
  if (integer === null)
    throw lineError(line, 'expected a string, an integer, true, false or an array');
  return [Number(integer[0].replaceAll('_', '')), text.slice(integer[0].length)];
}

function parseString(text: string, line: number): [value: string, rest: string] {
  if (text.startsWith('"""') || text.startsWith("'''")) {
    throw lineError(line, 'strings of several lines are not supported');
  }
  const match = text[0] === '"' ? /^"(?:[^"\\]|\\.)*"/.exec(text) : /^'[^']*'/.exec(text);
  if (match === null) throw lineError(line, 'unterminated string');
  const rest = text.slice(match[0].length);
  if (text[0] === "'") return [match[0].slice(1, -1), rest];
  try {
    return [JSON.parse(match[0]) as string, rest];
  } catch {
    throw lineError(line, `bad escape in ${match[0]}`);
  }
}

function parseArray(text: string, line: number): [value: string[], rest: string] {
  const items: string[] = [];
  let rest = text.slice(1).trimStart();
  while (!rest.startsWith(']')) {
    if (rest[0] !== '"' && rest[0] !== "'")
      throw lineError(line, 'expected a string or ] in the array');
    const [item, behind] = parseString(rest, line);
    items.push(item);
    rest = behind.trimStart();
    if (rest.startsWith(',')) rest = rest.slice(1).trimStart();
    else if (!rest.startsWith(']')) throw lineError(line, 'expected , or ] in the array');
  }
  return [items, rest.slice(1)];
}
