/** A JSON array as PostgreSQL's array input text, as json_populate_record gives it to an array column. */

import { Decimal } from '../types/decimal.ts';
import { type JsonNode, jsonText, parseJson } from '../types/jsonb.ts';

/** `[1, [2], "x"]` as `{1,{2},"x"}`; the array type's input function then judges it. */
export function arrayText(json: string): string {
  return itemText(parseJson(json));
}

function itemText(node: JsonNode): string {
  if (Array.isArray(node)) return `{${node.map(itemText).join(',')}}`;
  if (node === null) return 'NULL';
  if (typeof node === 'string') return quoted(node);
  if (typeof node === 'boolean' || node instanceof Decimal) return jsonText(node);
  return quoted(jsonText(node));
}

function quoted(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
