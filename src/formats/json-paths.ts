/**
 * Where the columns of a JSON object lie: a column is a member of its name, or what its path leads to (json.path.x = 'a.b[0]').
 * The paths of all columns make one tree, so that one pass over a text finds them all.
 */

import { SqlError } from '../base/sql-error.ts';
import type { DecodedColumn } from './csv.ts';

/** Paths by column name; JSON. */
export type JsonPaths = Readonly<Record<string, string>>;

export const NO_PATHS: JsonPaths = Object.freeze({});
const STEPS_MAX = 32;

/** A place that columns, or what they want in it, are found at. */
export interface JsonNode {
  /** Columns whose value it is. */
  readonly columns: number[];
  readonly members: Map<string, JsonNode>;
  readonly elements: Map<number, JsonNode>;
  /** Columns whose values lie in it: where it comes twice, the last one counts with all that it holds. */
  readonly below: number[];
}

/** The tree of these columns; 22023 where a path cannot be read. Columns without a path stand in the root by their name. */
export function jsonTree(columns: readonly DecodedColumn[], paths: JsonPaths): JsonNode {
  const root = emptyNode();
  for (const [column, { name }] of columns.entries()) {
    const steps = Object.hasOwn(paths, name) ? parseJsonPath(paths[name]!) : [name];
    let node = root;
    for (const step of steps) {
      node.below.push(column);
      node = childOf(node, step);
    }
    node.columns.push(column);
  }
  return root;
}

/** Steps of a path: names of members, numbers of array elements. */
export function parseJsonPath(path: string): (string | number)[] {
  const steps: (string | number)[] = [];
  const step = /\.?([^.[\]]+)|\[(\d{1,9})\]/y;
  while (step.lastIndex < path.length) {
    const [text, name, index] = step.exec(path) ?? [];
    const isOutOfPlace = name !== undefined && text!.startsWith('.') === (steps.length === 0);
    if (text === undefined || isOutOfPlace) throw badPath(path);
    steps.push(name ?? Number(index));
  }
  if (steps.length === 0 || steps.length > STEPS_MAX) throw badPath(path);
  return steps;
}

function badPath(path: string): SqlError {
  return new SqlError('22023', `invalid JSON path "${path}"`, {
    hint: `Write names of members and numbers of elements, as 'order.lines[0].price'; at most ${STEPS_MAX}.`,
  });
}

function emptyNode(): JsonNode {
  return { columns: [], members: new Map(), elements: new Map(), below: [] };
}

function childOf(node: JsonNode, step: string | number): JsonNode {
  const known = typeof step === 'string' ? node.members.get(step) : node.elements.get(step);
  if (known !== undefined) return known;
  const child = emptyNode();
  if (typeof step === 'string') node.members.set(step, child);
  else node.elements.set(step, child);
  return child;
}
