/** Pseudo-types in signatures: whether arguments fit together, and what concrete types follow. */

import { SqlError } from '../base/sql-error.ts';
import type { DataType } from '../types/data-type.ts';
import { arrayOf, TEXT, UNKNOWN } from '../types/data-type.ts';
import { plainTypeName } from '../types/type-name.ts';
import { canCast } from './casts.ts';
import { typeOfKey } from './signature.ts';
import { isPreferredType, typeCategory } from './type-categories.ts';

const ELEMENT_PATTERNS = new Set(['anyelement', 'anynonarray']);
const COMPATIBLE_PATTERNS = new Set(['anycompatible', 'anycompatiblenonarray']);

export function isPolymorphic(pattern: string): boolean {
  return typeOfKey(pattern) === undefined && pattern !== 'any';
}

export interface BoundSignature {
  readonly argTypes: readonly DataType[];
  readonly type: DataType;
}

/** check_generic_type_consistency: can the pseudo-types among `patterns` take these arguments? */
export function argsAccept(patterns: readonly string[], args: readonly DataType[]): boolean {
  let element: DataType | undefined;
  for (const [i, pattern] of patterns.entries()) {
    const arg = args[i] as DataType;
    if (!isPolymorphic(pattern) || arg.id === 'unknown') continue;
    const isArrayPattern = pattern === 'anyarray' || pattern === 'anycompatiblearray';
    if (isArrayPattern && arg.element === null) return false;
    if (pattern.endsWith('nonarray') && arg.element !== null) return false;
    if (COMPATIBLE_PATTERNS.has(pattern) || pattern === 'anycompatiblearray') continue;
    const own = isArrayPattern ? (arg.element as DataType) : arg;
    if (element !== undefined && element.oid !== own.oid) return false;
    element = own;
  }
  return commonCompatible(patterns, args) !== null;
}

/** The type of `anycompatible`; undefined: no known argument of that family; null: they do not fit together. */
function commonCompatible(
  patterns: readonly string[],
  args: readonly DataType[],
): DataType | undefined | null {
  const types = patterns.flatMap((pattern, i) => {
    const arg = args[i] as DataType;
    if (arg.id === 'unknown') return [];
    if (COMPATIBLE_PATTERNS.has(pattern)) return [arg];
    return pattern === 'anycompatiblearray' ? [arg.element as DataType] : [];
  });
  let chosen = types[0];
  if (chosen === undefined) return undefined;
  for (const type of types) {
    if (type.oid === chosen.oid) continue;
    if (typeCategory(type) !== typeCategory(chosen)) return null;
    if (
      !isPreferredType(chosen) &&
      canCast(chosen, type, 'implicit') &&
      !canCast(type, chosen, 'implicit')
    ) {
      chosen = type;
    }
  }
  const common = chosen;
  return types.every((type) => canCast(type, common, 'implicit')) ? common : null;
}

/** The concrete argument and result types of a chosen signature. */
export function bindSignature(
  patterns: readonly string[],
  resultPattern: string,
  args: readonly DataType[],
  position: number | undefined,
): BoundSignature {
  const element = elementType(patterns, args);
  const compatible = commonCompatible(patterns, args) ?? undefined;
  const anyCompatible = patterns.some(
    (p) => COMPATIBLE_PATTERNS.has(p) || p === 'anycompatiblearray',
  );
  const types: Families = { element, compatible: compatible ?? (anyCompatible ? TEXT : undefined) };
  const argTypes = patterns.map((pattern, i) =>
    concrete(pattern, types, args[i] as DataType, position),
  );
  return { argTypes, type: concrete(resultPattern, types, UNKNOWN, position) };
}

interface Families {
  readonly element: DataType | undefined;
  readonly compatible: DataType | undefined;
}

function elementType(patterns: readonly string[], args: readonly DataType[]): DataType | undefined {
  for (const [i, pattern] of patterns.entries()) {
    const arg = args[i] as DataType;
    if (arg.id === 'unknown') continue;
    if (ELEMENT_PATTERNS.has(pattern)) return arg;
    if (pattern === 'anyarray' && arg.element !== null) return arg.element;
  }
  return undefined;
}

function concrete(
  pattern: string,
  { element, compatible }: Families,
  given: DataType,
  position: number | undefined,
): DataType {
  const plain = typeOfKey(pattern);
  if (plain !== undefined) return plain;
  if (pattern === 'any') return given.id === 'unknown' ? TEXT : given;
  const isCompatible = pattern.startsWith('anycompatible');
  const base = isCompatible ? compatible : element;
  if (base === undefined) {
    throw new SqlError(
      '42804',
      'could not determine polymorphic type because input has type unknown',
      { position },
    );
  }
  if (pattern !== 'anyarray' && pattern !== 'anycompatiblearray') return base;
  const array = arrayOf(base);
  if (array === undefined) {
    throw new SqlError('42704', `could not find array type for data type ${plainTypeName(base)}`, {
      position,
    });
  }
  return array;
}
