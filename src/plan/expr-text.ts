/**
 * Bound expressions as PostgreSQL prints those of its catalog (\d, pg_get_expr): constants carry their type, casts that the
 * binder added to operands show, parentheses stand only where they are needed.
 */

import type { BoundExpr } from '../expr/bound-expr.ts';
import { deparseIdentifier } from '../sql/deparse.ts';
import { plainTypeName, typeName } from '../types/type-name.ts';

/** Name of column `index`. */
type NameOf = (index: number) => string;

/** null: the expression holds something that is better shown as it was written. */
export function exprText(expr: BoundExpr, nameOf: NameOf): string | null {
  try {
    return text(expr, nameOf);
  } catch (error) {
    if (error === NOT_SHOWN) return null;
    throw error;
  }
}

const NOT_SHOWN = Symbol('this part has no text of its own');

const CAST = /^cast\(/;
const LENGTH_COERCION = /^coerce_typmod\(/;
const OPERATOR = /^([-+*/<>=~!@#%^&|`?]+)\(/;
const FUNCTION = /^([a-z][a-z0-9_]*)\(/;

/** Without the cast that assignment to a column has added: it is not shown. */
export function withoutAssignment(expr: BoundExpr): BoundExpr {
  if (expr.kind !== 'call' || !(CAST.test(expr.function) || LENGTH_COERCION.test(expr.function))) {
    return expr;
  }
  const [inner] = expr.args;
  return inner === undefined ? expr : withoutAssignment(inner);
}

function text(expr: BoundExpr, nameOf: NameOf): string {
  switch (expr.kind) {
    case 'column':
      return deparseIdentifier(nameOf(expr.index));
    case 'literal':
      return literalText(expr.text, expr);
    case 'and':
      return expr.args
        .map((arg) => (arg.kind === 'or' ? `(${text(arg, nameOf)})` : text(arg, nameOf)))
        .join(' AND ');
    case 'or':
      return expr.args.map((arg) => text(arg, nameOf)).join(' OR ');
    case 'not':
      return `NOT ${isOperator(expr.arg) ? text(expr.arg, nameOf) : operand(expr.arg, nameOf)}`;
    case 'is':
      return `${operand(expr.arg, nameOf)} IS ${expr.negated ? 'NOT ' : ''}${expr.test.toUpperCase()}`;
    case 'coalesce':
      return `COALESCE(${expr.args.map((arg) => text(arg, nameOf)).join(', ')})`;
    case 'call':
      return callText(expr, nameOf);
    default:
      throw NOT_SHOWN;
  }
}

function callText(expr: Extract<BoundExpr, { kind: 'call' }>, nameOf: NameOf): string {
  const { args } = expr;
  const [first, second] = args;
  if (CAST.test(expr.function) && first !== undefined) {
    return `${operand(first, nameOf)}::${typeName(expr.type)}`;
  }
  const operator = OPERATOR.exec(expr.function)?.[1];
  if (operator !== undefined && first !== undefined) {
    if (second === undefined) return `${operator} ${operand(first, nameOf)}`;
    return `${operand(first, nameOf)} ${operator} ${operand(second, nameOf)}`;
  }
  const name = FUNCTION.exec(expr.function)?.[1];
  // Helpers of the planner's own are calls too, and some names have a syntax of their own.
  if (name === undefined || !PLAIN_FUNCTIONS.has(name)) throw NOT_SHOWN;
  return `${name}(${args.map((arg) => text(arg, nameOf)).join(', ')})`;
}

const PLAIN_FUNCTIONS = new Set(
  'abs ceil floor round length char_length lower upper btrim ltrim rtrim substr replace concat left right md5 now date_trunc'.split(
    ' ',
  ),
);

/** Inside an operator: everything that is not simple stands in parentheses. */
function operand(expr: BoundExpr, nameOf: NameOf): string {
  const shown = text(expr, nameOf);
  const isSimple = ['column', 'literal', 'coalesce', 'call'].includes(expr.kind);
  return isSimple && !isOperator(expr) ? shown : `(${shown})`;
}

function isOperator(expr: BoundExpr): boolean {
  return expr.kind === 'call' && OPERATOR.test(expr.function);
}

function literalText(value: string | null, { type }: BoundExpr): string {
  if (value === null) return `NULL::${typeName(type)}`;
  if (type.id === 'bool') return value.startsWith('t') ? 'true' : 'false';
  const isPlain =
    type.id === 'int4' ? /^\d/.test(value) : type.id === 'numeric' && /^\d+[.e]/i.test(value);
  if (isPlain) return value;
  return `'${value.replaceAll("'", "''")}'::${plainTypeName(type)}`;
}
