/** Arrays: subscripts, lengths, search, concatenation, text; `op ANY/ALL (array)`. Multidimensional where PostgreSQL's meaning is plain. */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import { ArrayValue } from '../../types/array.ts';
import type { DataType, Value } from '../../types/data-type.ts';
import { compareValues, formatValue } from '../../types/value.ts';
import {
  type CallContext,
  defineDerived,
  defineFunction,
  defineGeneral,
  defineGeneralOperator,
  type FunctionDefinition,
  functionById,
  valueDefinition,
} from '../registry.ts';

const PURE = { canFail: false } as const;
const NULLS = { isStrict: false, canFail: false } as const;

function elementType(call: CallContext, index: number): DataType {
  return must(call.argTypes[index]?.element, 'an array argument has an element type');
}

function same(type: DataType, a: Value, b: Value): boolean {
  if (a === null || b === null) return a === b;
  return compareValues(type, a, b) === 0;
}

/** array[i]: NULL outside the bounds. */
defineGeneral(
  'subscript(anyarray,int4)',
  'anyelement',
  ([array, index]) => {
    return (array as ArrayValue).at(index as number);
  },
  { ...PURE, isVisible: false },
);

/** array[i:j] of one dimension. */
defineGeneral(
  'array_slice(anyarray,int4,int4)',
  'anyarray',
  ([array, from, to]) => {
    const { items: values, dimensions, lowerBounds } = array as ArrayValue;
    if (dimensions.length === 0) return ArrayValue.of([]);
    if (dimensions.length > 1) throw notSupported('a slice of a multidimensional array');
    const lower = lowerBounds[0] ?? 1;
    const start = Math.max(0, (from as number) - lower);
    return ArrayValue.of(values.slice(start, Math.max(start, (to as number) - lower + 1)));
  },
  { isVisible: false },
);

defineGeneral(
  'array_length(anyarray,int4)',
  'int4',
  ([array, dimension]) => (array as ArrayValue).dimensions[(dimension as number) - 1] ?? null,
  PURE,
);
defineGeneral(
  'cardinality(anyarray)',
  'int4',
  ([array]) => (array as ArrayValue).items.length,
  PURE,
);
defineGeneral(
  'array_ndims(anyarray)',
  'int4',
  ([array]) => (array as ArrayValue).dimensions.length || null,
  PURE,
);
defineGeneral(
  'array_lower(anyarray,int4)',
  'int4',
  ([array, d]) => (array as ArrayValue).lowerBounds[(d as number) - 1] ?? null,
  PURE,
);
defineGeneral(
  'array_upper(anyarray,int4)',
  'int4',
  ([array, d]) => {
    const { dimensions, lowerBounds } = array as ArrayValue;
    const length = dimensions[(d as number) - 1];
    return length === undefined ? null : length + (lowerBounds[(d as number) - 1] ?? 1) - 1;
  },
  PURE,
);

function oneDimension(array: ArrayValue): readonly Value[] {
  if (array.dimensions.length > 1) {
    throw new SqlError(
      '0A000',
      'searching for elements in multidimensional arrays is not supported',
    );
  }
  return array.items;
}

function positionIn(array: Value, wanted: Value, from: number, type: DataType): number | null {
  if (array === null) return null;
  const { lowerBounds } = array as ArrayValue;
  const values = oneDimension(array as ArrayValue);
  const lower = lowerBounds[0] ?? 1;
  for (let i = Math.max(0, from - lower); i < values.length; i += 1) {
    if (same(type, values[i] ?? null, wanted)) return i + lower;
  }
  return null;
}

defineGeneral(
  'array_position(anycompatiblearray,anycompatible)',
  'int4',
  ([array, value], call) => positionIn(array!, value ?? null, 1, elementType(call, 0)),
  { isStrict: false },
);
defineGeneral(
  'array_position(anycompatiblearray,anycompatible,int4)',
  'int4',
  ([array, value, from], call) => {
    if (from === null) throw new SqlError('22004', 'initial position must not be null');
    return positionIn(array!, value ?? null, from as number, elementType(call, 0));
  },
  { isStrict: false },
);
defineGeneral(
  'array_positions(anycompatiblearray,anycompatible)',
  'int4[]',
  ([array, value], call) => {
    if (array === null) return null;
    const lower = (array as ArrayValue).lowerBounds[0] ?? 1;
    const found = oneDimension(array as ArrayValue).flatMap((v, i) =>
      same(elementType(call, 0), v, value ?? null) ? [i + lower] : [],
    );
    return ArrayValue.of(found);
  },
  { isStrict: false },
);

function concatenate(a: Value, b: Value): Value {
  if (a === null || b === null) return a ?? b;
  const left = a as ArrayValue;
  const right = b as ArrayValue;
  if (left.items.length === 0) return right;
  if (right.items.length === 0) return left;
  if (left.dimensions.length > 1 || right.dimensions.length > 1)
    throw notSupported('concatenation of multidimensional arrays');
  return ArrayValue.of([...left.items, ...right.items]);
}

function append(array: Value, value: Value): Value {
  if (array === null) return ArrayValue.of([value]);
  return ArrayValue.of([...oneDimension(array as ArrayValue), value]);
}

function prepend(value: Value, array: Value): Value {
  if (array === null) return ArrayValue.of([value]);
  return ArrayValue.of([value, ...oneDimension(array as ArrayValue)]);
}

const LOOSE = { isStrict: false } as const;
defineGeneralOperator(
  '||(anycompatiblearray,anycompatiblearray)',
  'anycompatiblearray',
  ([a, b]) => concatenate(a!, b!),
  LOOSE,
);
defineGeneralOperator(
  '||(anycompatiblearray,anycompatible)',
  'anycompatiblearray',
  ([a, b]) => append(a!, b!),
  LOOSE,
);
defineGeneralOperator(
  '||(anycompatible,anycompatiblearray)',
  'anycompatiblearray',
  ([a, b]) => prepend(a!, b!),
  LOOSE,
);
defineGeneral(
  'array_cat(anycompatiblearray,anycompatiblearray)',
  'anycompatiblearray',
  ([a, b]) => concatenate(a!, b!),
  LOOSE,
);
defineGeneral(
  'array_append(anycompatiblearray,anycompatible)',
  'anycompatiblearray',
  ([a, b]) => append(a!, b!),
  LOOSE,
);
defineGeneral(
  'array_prepend(anycompatible,anycompatiblearray)',
  'anycompatiblearray',
  ([a, b]) => prepend(a!, b!),
  LOOSE,
);

defineGeneral(
  'array_remove(anycompatiblearray,anycompatible)',
  'anycompatiblearray',
  ([array, value], call) => {
    if (array === null) return null;
    return ArrayValue.of(
      oneDimension(array as ArrayValue).filter(
        (v) => !same(elementType(call, 0), v, value ?? null),
      ),
    );
  },
  LOOSE,
);
defineGeneral(
  'array_replace(anycompatiblearray,anycompatible,anycompatible)',
  'anycompatiblearray',
  ([array, from, to], call) => {
    if (array === null) return null;
    return ArrayValue.of(
      oneDimension(array as ArrayValue).map((v) =>
        same(elementType(call, 0), v, from ?? null) ? (to ?? null) : v,
      ),
    );
  },
  LOOSE,
);

function containsAll(big: Value, small: Value, type: DataType): boolean {
  const all = (big as ArrayValue).items;
  return (small as ArrayValue).items.every(
    (v) => v !== null && all.some((w) => w !== null && same(type, v, w)),
  );
}

defineGeneralOperator(
  '@>(anyarray,anyarray)',
  'bool',
  ([a, b], call) => containsAll(a!, b!, elementType(call, 0)),
  PURE,
);
defineGeneralOperator(
  '<@(anyarray,anyarray)',
  'bool',
  ([a, b], call) => containsAll(b!, a!, elementType(call, 0)),
  PURE,
);
defineGeneralOperator(
  '&&(anyarray,anyarray)',
  'bool',
  ([a, b], call) => {
    const right = (b as ArrayValue).items;
    return (a as ArrayValue).items.some(
      (v) => v !== null && right.some((w) => w !== null && same(elementType(call, 0), v, w)),
    );
  },
  PURE,
);

function joinElements(
  array: ArrayValue,
  separator: string,
  nullText: string | null,
  call: CallContext,
): string {
  const type = elementType(call, 0);
  return array.items
    .flatMap((v) =>
      v === null ? (nullText === null ? [] : [nullText]) : [formatValue(type, v, call.settings)],
    )
    .join(separator);
}

defineGeneral(
  'array_to_string(anyarray,text)',
  'text',
  ([a, s], call) => joinElements(a as ArrayValue, s as string, null, call),
  { volatility: 'stable', canFail: false },
);
defineGeneral(
  'array_to_string(anyarray,text,text)',
  'text',
  ([a, s, n], call) => {
    if (a === null || s === null) return null;
    return joinElements(a as ArrayValue, s as string, n === null ? null : (n as string), call);
  },
  { ...NULLS, volatility: 'stable' },
);

function splitText(text: string, separator: string | null, nullText: string | null): ArrayValue {
  const parts =
    text === ''
      ? []
      : separator === null
        ? [...text]
        : separator === ''
          ? [text]
          : text.split(separator);
  return ArrayValue.of(parts.map((part) => (part === nullText ? null : part)));
}

defineGeneral(
  'string_to_array(text,text)',
  'text[]',
  ([s, d]) => (s === null ? null : splitText(s as string, d as string | null, null)),
  NULLS,
);
defineGeneral(
  'string_to_array(text,text,text)',
  'text[]',
  ([s, d, n]) =>
    s === null ? null : splitText(s as string, d as string | null, n as string | null),
  NULLS,
);

defineFunction('trim_array(anyarray,int4)', 'anyarray', (array, n) => {
  const length = array.dimensions[0] ?? 0;
  if (n < 0 || n > length)
    throw new SqlError('2202E', `number of elements to trim must be between 0 and ${length}`);
  if (array.dimensions.length > 1) throw notSupported('trim_array of a multidimensional array');
  return ArrayValue.of(array.items.slice(0, length - n));
});

/** Types whose values are equal exactly where JavaScript's are: long constant lists are searched as sets. */
const SET_TYPES = new Set([
  'int2',
  'int4',
  'int8',
  'text',
  'name',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'oid',
  'uuid',
]);
const SET_SIZE_MIN = 4;
const sets = new WeakMap<ArrayValue, ReadonlySet<Value>>();

/** `a = ANY (array)` or `a <> ALL (array)`. O(1) after the first use of an array. */
function searchSet(a: Value, array: ArrayValue, deciding: boolean): Value {
  let set = sets.get(array);
  if (set === undefined) {
    set = new Set(array.items);
    sets.set(array, set);
  }
  if (set.has(a)) return deciding;
  return set.has(null) ? null : !deciding;
}

const QUANTIFIED = /^(any|all) ([\s\S]+)$/;

/** `any op(l,r)`: true where one element gives true, else NULL where one gives NULL, else false; `all` the other way. */
function quantified(id: string): FunctionDefinition | undefined {
  const match = QUANTIFIED.exec(id);
  const operator = match === null ? undefined : functionById(match[2] as string);
  if (match === null || operator?.value === undefined) return undefined;
  const deciding = match[1] === 'any';
  const { value: body, isStrict } = operator;
  const [left, right] = operator.argTypes;
  const isEquality = match[1] === 'any' ? operator.name === '=' : operator.name === '<>';
  const searched = isEquality && left === right && SET_TYPES.has(left as string);
  const definition = valueDefinition(
    `${match[1]} ${operator.name}(${left},${right}[])`,
    'operator',
    'bool',
    ([a, array], call) => {
      if (searched && a !== null && (array as ArrayValue).items.length >= SET_SIZE_MIN) {
        return searchSet(a ?? null, array as ArrayValue, deciding);
      }
      const inner = { ...call, argTypes: [call.argTypes[0]!, elementType(call, 1)] };
      let sawNull = false;
      for (const element of (array as ArrayValue).items) {
        const isNull = isStrict && (a === null || element === null);
        const result = isNull ? null : body([a ?? null, element], inner);
        if (result === deciding) return deciding;
        sawNull ||= result === null;
      }
      return sawNull ? null : !deciding;
    },
    {
      canFail: operator.canFail,
      volatility: operator.volatility,
      isVisible: false,
      isStrict: false,
    },
  );
  return {
    ...definition,
    id,
    value: (args, call) => (args[1] === null ? null : definition.value!(args, call)),
  };
}

defineDerived(quantified);

const ARRAY_CAST = /^cast\((.+)\[\],(.+)\[\]\)$/;

/** A cast between arrays casts the elements. */
function arrayCast(id: string): FunctionDefinition | undefined {
  const match = ARRAY_CAST.exec(id);
  if (match === null) return undefined;
  const element = functionById(`cast(${match[1]},${match[2]})`);
  if (element?.value === undefined) return undefined;
  const { value: body } = element;
  return valueDefinition(
    id,
    'cast',
    `${match[2]}[]`,
    ([array], call) => {
      const inner: CallContext = {
        ...call,
        argTypes: [elementType(call, 0)],
        type: must(call.type.element),
      };
      const source = array as ArrayValue;
      const items = source.items.map((v) => (v === null ? null : body([v], inner)));
      return new ArrayValue(items, source.dimensions, source.lowerBounds);
    },
    { canFail: element.canFail, volatility: element.volatility, isVisible: false },
  );
}

defineDerived(arrayCast);
