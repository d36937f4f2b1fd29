/** Operators and functions that make changed jsonb: ||, -, #-, jsonb_set, jsonb_insert, jsonb_strip_nulls, jsonb_pretty. */

import { SqlError } from '../../base/sql-error.ts';
import type { ArrayValue } from '../../types/array.ts';
import { canonicalJsonb } from '../../types/jsonb.ts';
import { defineFunction, defineOperator } from '../registry.ts';
import { elementsOf, jsonText, jsonTypeOf, membersOf } from './json-scan.ts';

const PURE = { canFail: false } as const;

type Member = readonly [string, string];

function objectOf(members: readonly Member[]): string {
  return canonicalJsonb(
    `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`,
  );
}

function arrayOf(elements: readonly string[]): string {
  return `[${elements.join(', ')}]`;
}

function concatenate(a: string, b: string): string {
  const left = jsonTypeOf(a);
  const right = jsonTypeOf(b);
  if (left === 'object' && right === 'object') return objectOf([...membersOf(a), ...membersOf(b)]);
  const list = (json: string): string[] =>
    jsonTypeOf(json) === 'array' ? elementsOf(json) : [json];
  return arrayOf([...list(a), ...list(b)]);
}

defineOperator('||(jsonb,jsonb)', 'jsonb', concatenate, PURE);
defineFunction('jsonb_concat(jsonb,jsonb)', 'jsonb', concatenate, PURE);

function refuseScalar(json: string): void {
  const kind = jsonTypeOf(json);
  if (kind !== 'object' && kind !== 'array')
    throw new SqlError('22023', 'cannot delete from scalar');
}

function deleteKeys(json: string, keys: readonly (string | null)[]): string {
  refuseScalar(json);
  if (jsonTypeOf(json) === 'object')
    return objectOf(membersOf(json).filter(([key]) => !keys.includes(key)));
  return arrayOf(
    elementsOf(json).filter((e) => jsonTypeOf(e) !== 'string' || !keys.includes(jsonText(e))),
  );
}

defineOperator('-(jsonb,text)', 'jsonb', (j, key) => deleteKeys(j, [key]));
defineOperator('-(jsonb,text[])', 'jsonb', (j, keys) =>
  deleteKeys(j, keys.items as (string | null)[]),
);
defineOperator('-(jsonb,int4)', 'jsonb', (j, index) => {
  refuseScalar(j);
  if (jsonTypeOf(j) === 'object')
    throw new SqlError('22023', 'cannot delete from object using integer index');
  const elements = elementsOf(j);
  const at = index < 0 ? elements.length + index : index;
  return arrayOf(elements.filter((_, i) => i !== at));
});

type Change = 'delete' | 'set' | 'create' | 'insert' | 'insert_after';

interface Edit {
  readonly path: readonly (string | null)[];
  readonly change: Change;
  readonly value: string;
}

function pathIndex(step: string | null, depth: number): number {
  if (step !== null && /^\s*[+-]?\d+\s*$/.test(step)) return Number(step);
  throw new SqlError(
    '22P02',
    `path element at position ${depth + 1} is not an integer: "${step ?? ''}"`,
  );
}

/** The value with the edit done at its path; what the path does not lead to stays as it is. */
function edited(json: string, edit: Edit, depth = 0): string {
  const step = edit.path[depth] ?? null;
  if (edit.path.length === 0) return json;
  if (step === null) throw new SqlError('22004', `path element at position ${depth + 1} is null`);
  switch (jsonTypeOf(json)) {
    case 'object':
      return editedObject(json, edit, depth, step);
    case 'array':
      return editedArray(json, edit, depth, pathIndex(step, depth));
    default:
      return json;
  }
}

function editedObject(json: string, edit: Edit, depth: number, key: string): string {
  const members = membersOf(json);
  const isLast = depth === edit.path.length - 1;
  const at = members.findIndex(([name]) => name === key);
  if (at < 0) {
    const isAdded = isLast && edit.change !== 'delete' && edit.change !== 'set';
    return isAdded ? objectOf([...members, [key, edit.value]]) : json;
  }
  if (isLast && edit.change === 'delete') return objectOf(members.filter((_, i) => i !== at));
  if (isLast && edit.change.startsWith('insert')) {
    throw new SqlError('22023', 'cannot replace existing key', {
      hint: 'Try using the function jsonb_set to replace key value.',
    });
  }
  return objectOf(
    members.map(([name, value], i) => {
      if (i !== at) return [name, value];
      return [name, isLast ? edit.value : edited(value, edit, depth + 1)];
    }),
  );
}

function editedArray(json: string, edit: Edit, depth: number, index: number): string {
  const elements = elementsOf(json);
  const isLast = depth === edit.path.length - 1;
  const at = index < 0 ? elements.length + index : index;
  if (!isLast) return arrayOf(elements.map((e, i) => (i === at ? edited(e, edit, depth + 1) : e)));
  const isInside = at >= 0 && at < elements.length;
  switch (edit.change) {
    case 'delete':
      return arrayOf(elements.filter((_, i) => i !== at));
    case 'set':
      return arrayOf(elements.map((e, i) => (i === at ? edit.value : e)));
    case 'create':
      if (isInside) return arrayOf(elements.map((e, i) => (i === at ? edit.value : e)));
      return arrayOf(at < 0 ? [edit.value, ...elements] : [...elements, edit.value]);
    default: {
      const place = Math.min(
        elements.length,
        Math.max(0, edit.change === 'insert' || !isInside ? at : at + 1),
      );
      return arrayOf(elements.toSpliced(place, 0, edit.value));
    }
  }
}

function editAt(json: string, path: ArrayValue, change: Change, value: string): string {
  const kind = jsonTypeOf(json);
  if (kind !== 'object' && kind !== 'array') {
    throw new SqlError(
      '22023',
      change === 'delete' ? 'cannot delete path in scalar' : 'cannot set path in scalar',
    );
  }
  return edited(json, { path: path.items as readonly (string | null)[], change, value });
}

defineOperator('#-(jsonb,text[])', 'jsonb', (j, path) => editAt(j, path, 'delete', ''));
defineFunction('jsonb_set(jsonb,text[],jsonb)', 'jsonb', (j, path, v) =>
  editAt(j, path, 'create', v),
);
defineFunction('jsonb_set(jsonb,text[],jsonb,bool)', 'jsonb', (j, path, v, create) =>
  editAt(j, path, create ? 'create' : 'set', v),
);
defineFunction('jsonb_insert(jsonb,text[],jsonb)', 'jsonb', (j, path, v) =>
  editAt(j, path, 'insert', v),
);
defineFunction('jsonb_insert(jsonb,text[],jsonb,bool)', 'jsonb', (j, path, v, after) =>
  editAt(j, path, after ? 'insert_after' : 'insert', v),
);

function withoutNulls(json: string): string {
  switch (jsonTypeOf(json)) {
    case 'object':
      return objectOf(
        membersOf(json).flatMap(([key, value]) =>
          jsonTypeOf(value) === 'null' ? [] : [[key, withoutNulls(value)] as const],
        ),
      );
    case 'array':
      return arrayOf(elementsOf(json).map(withoutNulls));
    default:
      return json;
  }
}

defineFunction('jsonb_strip_nulls(jsonb)', 'jsonb', withoutNulls, PURE);

function pretty(json: string, indent: string): string {
  const inner = `${indent}    `;
  const isObject = jsonTypeOf(json) === 'object';
  if (!isObject && jsonTypeOf(json) !== 'array') return json;
  const lines = isObject
    ? membersOf(json).map(
        ([key, value]) => `${inner}${JSON.stringify(key)}: ${pretty(value, inner)}`,
      )
    : elementsOf(json).map((e) => `${inner}${pretty(e, inner)}`);
  const [open, close] = isObject ? '{}' : '[]';
  return `${open}\n${lines.join(',\n')}${lines.length > 0 ? '\n' : ''}${indent}${close}`;
}

defineFunction('jsonb_pretty(jsonb)', 'text', (j) => pretty(j, ''), PURE);
