/** Making an expression be of a type: literals are parsed now, other expressions get their cast's call. */

import { SqlError } from '../base/sql-error.ts';
import type { DataType, Value } from '../types/data-type.ts';
import { arrayOf, TEXT, withTypmod } from '../types/data-type.ts';
import type { ValueSettings } from '../types/settings.ts';
import {
  coerceTypmod,
  DEFAULT_SETTINGS,
  formatValue,
  parseValue,
  typeName,
} from '../types/value.ts';
import type { BoundExpr, BoundLiteral } from './bound-expr.ts';
import { type CastContext, canCast, findCast } from './casts.ts';
import { typeKey } from './signature.ts';

const REG_TYPE = /^reg/;

/** A literal with this value: its text is in the canonical form that plans use. */
export function literalOf(type: DataType, value: Value): BoundLiteral {
  return {
    kind: 'literal',
    text: value === null ? null : formatValue(type, value, DEFAULT_SETTINGS),
    type,
  };
}

/** The value of a literal. */
export function literalValue(literal: BoundLiteral): Value {
  if (literal.text === null) return null;
  if (REG_TYPE.test(literal.type.id)) return BigInt(literal.text);
  return parseValue(literal.type, literal.text, DEFAULT_SETTINGS);
}

/**
 * `expr` as a `to`, typmod enforced too. UNKNOWN literals are parsed (22P02, 22007 ... at `position`), parameters of
 * UNKNOWN type take the type, others are called through their cast. null: there is no such cast in this context.
 */
export function coerce(
  expr: BoundExpr,
  to: DataType,
  context: CastContext,
  settings: ValueSettings,
  position?: number,
): BoundExpr | null {
  if (expr.type.id === 'unknown' && to.id !== 'unknown')
    return coerceUnknown(expr, to, context, settings, position);
  if (to.id === 'unknown') return expr;
  const id = findCast(expr.type, to, context);
  if (id === null) return null;
  if (expr.kind === 'literal' && expr.text === null) return { ...expr, type: to };
  if (expr.kind === 'array' && to.element !== null)
    return coerceElements(expr, to, context, settings, position);
  const cast: BoundExpr =
    id === 'none' ? expr : called(id, expr, withTypmod(plainOf(to), -1), position);
  return enforceTypmod(cast, to, context, position);
}

/** As coerce, with the message of an explicit cast (42846) or of an assignment (42804) where there is none. */
export function mustCoerce(
  expr: BoundExpr,
  to: DataType,
  context: CastContext,
  settings: ValueSettings,
  position?: number,
): BoundExpr {
  const result = coerce(expr, to, context, settings, position);
  if (result !== null) return result;
  throw new SqlError(
    '42846',
    `cannot cast type ${typeName(plainOf(expr.type))} to ${typeName(plainOf(to))}`,
    {
      position,
    },
  );
}

export function canCoerce(from: DataType, to: DataType, context: CastContext): boolean {
  return canCast(from, to, context);
}

function coerceUnknown(
  expr: BoundExpr,
  to: DataType,
  context: CastContext,
  settings: ValueSettings,
  position?: number,
): BoundExpr | null {
  if (expr.kind === 'parameter') return { ...expr, type: plainOf(to) };
  if (expr.kind !== 'literal') {
    const asText = called('cast(unknown,text)', expr, TEXT, position);
    return coerce(asText, to, 'explicit', settings, position);
  }
  if (expr.text === null) return { ...expr, type: to };
  if (REG_TYPE.test(to.id))
    return called(`cast(text,${to.id})`, { ...expr, type: TEXT }, to, position);
  if (to.id === 'void' || to.id === 'record') return null;
  try {
    // An interval's fields say what a text without units means.
    const parsed = parseValue(to.id === 'interval' ? to : plainOf(to), expr.text, settings);
    const value = to.typmod === -1 ? parsed : coerceTypmod(to, parsed, context === 'explicit');
    return literalOf(to, value);
  } catch (error) {
    throw error instanceof SqlError ? error.at(position) : error;
  }
}

/** ARRAY[...] is cast element by element, so that its literals are parsed as the element type. */
function coerceElements(
  expr: BoundExpr & { kind: 'array' },
  to: DataType,
  context: CastContext,
  settings: ValueSettings,
  position?: number,
): BoundExpr | null {
  const element = to.element as DataType;
  const elements: BoundExpr[] = [];
  for (const item of expr.elements) {
    const target = item.type.element === null ? element : arrayOf(element);
    const coerced = target === undefined ? null : coerce(item, target, context, settings, position);
    if (coerced === null) return null;
    elements.push(coerced);
  }
  return { ...expr, elements, type: to };
}

function enforceTypmod(
  expr: BoundExpr,
  to: DataType,
  context: CastContext,
  position?: number,
): BoundExpr {
  if (to.typmod === -1 || to.typmod === expr.type.typmod) return expr;
  const name = context === 'explicit' ? 'coerce_typmod_explicit' : 'coerce_typmod';
  return called(`${name}(${typeKey(to)})`, expr, to, position);
}

function called(id: string, arg: BoundExpr, type: DataType, position?: number): BoundExpr {
  const call = { kind: 'call', function: id, args: [arg], type } as const;
  return position === undefined ? call : { ...call, position };
}

function plainOf(type: DataType): DataType {
  if (type.typmod === -1) return type;
  return type.element === null
    ? withTypmod(type, -1)
    : (arrayOf(withTypmod(type.element, -1)) as DataType);
}
