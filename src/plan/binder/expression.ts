/** Expressions of the AST to bound expressions: names by scope, operators and functions by the registry. */

import { must, unreachable } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import { commonType } from '../../expr/resolve.ts';
import type {
  SortKey as AstSortKey,
  Expr,
  ListExpr,
  Literal,
  Query,
  ValueFunction,
  WindowSpec,
} from '../../sql/ast.ts';
import { arrayOf, BOOL, type DataType, INT4, INTERVAL, NAME, TEXT } from '../../types/data-type.ts';
import { pickColumns, range } from '../build.ts';
import { castTo, literal } from '../expr-make.ts';
import { notExpr } from '../expr-tree.ts';
import { numberedPlaceholder } from '../placeholder.ts';
import type { PlanNode, SortKey } from '../plan-node.ts';
import type { BindState } from './bind-state.ts';
import { Forms } from './forms.ts';
import { bindFunctionCall } from './function-call.ts';
import { Scope } from './scope.ts';
import type { AggregateUse, SortItem, WindowUse } from './select-builder.ts';
import { intervalUnit, resolveTypeName } from './type-names.ts';

/** A bound subquery: `width` visible columns, then hidden ones that `order` may use. */
export interface SubqueryPlan {
  readonly plan: PlanNode;
  readonly width: number;
  readonly order: readonly SortKey[];
}

/** Where an expression stands: what it sees and what it may hold. */
export interface ExprContext {
  readonly scope: Scope;
  /** For messages: WHERE, GROUP BY, JOIN conditions ... */
  readonly clause: string;
  /** null: aggregates are refused here. */
  readonly aggregates: AggregateUse[] | null;
  readonly windows: WindowUse[] | null;
  /** Arguments of each GROUPING(...) bound so far; absent: it is refused here. */
  readonly groupings?: (readonly BoundExpr[])[];
  readonly namedWindows: ReadonlyMap<string, WindowSpec>;
  /** Binds a subquery that sees `scope`. */
  readonly bindSubquery: (query: Query, scope: Scope) => SubqueryPlan;
  /** Inside an aggregate's arguments. */
  readonly isInAggregate?: boolean;
  readonly isInWindow?: boolean;
}

type RarerKind =
  | 'scalar_subquery'
  | 'exists'
  | 'array_subquery'
  | 'in_subquery'
  | 'quantified_subquery'
  | 'collate'
  | 'field'
  | 'grouping'
  | 'star'
  | 'default';

/** One bit each of an integer. */
const GROUPING_ARGUMENTS_MAX = 31;

export class ExpressionBinder {
  readonly state: BindState;
  readonly forms: Forms;
  readonly context: ExprContext;

  constructor(state: BindState, context: ExprContext) {
    this.state = state;
    this.forms = new Forms(state);
    this.context = context;
  }

  /** The same state in another place. */
  within(changes: Partial<ExprContext>): ExpressionBinder {
    return new ExpressionBinder(this.state, { ...this.context, ...changes });
  }

  /** A condition: WHERE, HAVING, ON, FILTER. */
  condition(expr: Expr, construct: string): BoundExpr {
    return this.forms.boolean(this.bind(expr), construct, expr.position);
  }

  bindAll(exprs: readonly Expr[]): readonly BoundExpr[] {
    return exprs.map((expr) => this.bind(expr));
  }

  sortItem(key: AstSortKey, bound?: BoundExpr): SortItem {
    const expr = bound ?? this.bind(key.expr);
    const descending = key.direction === 'desc';
    const nullsFirst = key.nulls === null ? descending : key.nulls === 'first';
    const typed = expr.type.id === 'unknown' ? castTo(expr, TEXT, 'implicit', this.state) : expr;
    return { expr: typed, descending, nullsFirst };
  }

  bind(expr: Expr): BoundExpr {
    return this.state.located(this.#bind(expr), expr.position);
  }

  #bind(expr: Expr): BoundExpr {
    const { forms } = this;
    const { position } = expr;
    switch (expr.kind) {
      case 'literal':
        return this.#literal(expr);
      case 'column_ref':
        return this.#column(expr.parts, position);
      case 'parameter':
        return this.state.parameter(expr.number - 1, position);
      case 'operator':
        return this.#operator(expr);
      case 'and':
      case 'or': {
        const positions = expr.operands.map((operand) => operand.position);
        return forms.logic(expr.kind, this.bindAll(expr.operands), positions);
      }
      case 'not':
        return forms.not(this.bind(expr.operand), expr.operand.position);
      case 'is_null':
        return this.#isNull(expr.operand, expr.isNegated, position);
      case 'boolean_test':
        return forms.is(expr.test, expr.isNegated, this.bind(expr.operand), expr.operand.position);
      case 'is_distinct':
        return this.#distinct(expr.left, expr.right, expr.isNegated, position);
      case 'in_list':
        return this.#inList(expr);
      case 'quantified_array': {
        const left = this.bind(expr.operand);
        const array = this.bind(expr.array);
        return forms.quantified(expr.operator, expr.quantifier, left, array, position);
      }
      case 'between': {
        const [x, low, high] = [expr.operand, expr.low, expr.high].map((part) => this.bind(part));
        const options = { negated: expr.isNegated, symmetric: expr.isSymmetric };
        return forms.between(must(x), must(low), must(high), options, position);
      }
      case 'like':
        return this.#like(expr);
      case 'case':
        return this.#case(expr);
      case 'coalesce':
        return forms.coalesce(this.bindAll(expr.args), position);
      case 'greatest':
      case 'least':
        return forms.extreme(expr.kind, this.bindAll(expr.args), position);
      case 'nullif':
        return forms.nullif(this.bind(must(expr.args[0])), this.bind(must(expr.args[1])), position);
      case 'cast':
        return this.#cast(expr);
      case 'function_call':
        return bindFunctionCall(this, expr);
      case 'value_function':
        return this.#valueFunction(expr);
      case 'array':
        return forms.array(this.bindAll(expr.elements), position);
      case 'subscript': {
        const array = this.bind(expr.operand);
        const upper = expr.upper === null ? null : this.bind(expr.upper);
        if (!expr.isSlice) return forms.subscript(array, must(upper), position);
        const lower = expr.lower === null ? null : this.bind(expr.lower);
        return forms.slice(array, lower, upper, position);
      }
      case 'row':
        throw notSupported('a row value outside a comparison', { position });
      default:
        return this.#rarer(expr);
    }
  }

  /** Subqueries, and what is refused. */
  #rarer(expr: Extract<Expr, { kind: RarerKind }>): BoundExpr {
    const { position } = expr;
    switch (expr.kind) {
      case 'scalar_subquery':
      case 'exists':
      case 'array_subquery':
        return this.#subquery(expr.kind, expr.query, position);
      case 'in_subquery':
        return this.#inSubquery(expr.operand, expr.query, expr.isNegated, position);
      case 'quantified_subquery':
        return this.#quantified(expr);
      case 'collate':
        return this.#collate(expr.operand, expr.collation.parts.at(-1) as string, position);
      case 'field':
        throw notSupported('a field of a composite value', { position });
      case 'grouping':
        return this.#grouping(expr.args, position);
      case 'star':
        throw new SqlError('42601', 'row expansion via "*" is not supported here', { position });
      case 'default':
        throw new SqlError('42601', 'DEFAULT is not allowed in this context', { position });
      default:
        return unreachable(expr);
    }
  }

  #literal(expr: Literal): BoundExpr {
    switch (expr.type) {
      case 'string':
        return this.forms.text(expr.text);
      case 'null':
        return this.forms.nullValue();
      case 'boolean':
        return this.forms.bool(expr.text === 'true');
      case 'bit':
        throw notSupported('type bit', { position: expr.position });
      default: {
        if (!expr.text.startsWith('-')) return this.forms.number(expr.text, expr.position);
        const value = this.forms.number(expr.text.slice(1), expr.position);
        return this.forms.operator('-', null, value, expr.position);
      }
    }
  }

  #column(parts: readonly string[], position: number): BoundExpr {
    const found = this.context.scope.tryResolve(parts, position);
    if (found !== null) return found;
    const isTable = this.context.scope.findTable(parts, position) !== null;
    if (isTable) throw notSupported('a whole-row reference', { position });
    return this.context.scope.resolve(parts, position);
  }

  #operator(expr: Extract<Expr, { kind: 'operator' }>): BoundExpr {
    const { left, right, position } = expr;
    if (left?.kind === 'row' && right.kind === 'row') {
      return this.forms.rows(expr.name, this.#row(left), this.#row(right), position);
    }
    if (left?.kind === 'row' && right.kind === 'scalar_subquery') {
      throw notSupported('comparison of a row with a subquery', { position });
    }
    return this.forms.operator(
      expr.name,
      left === null ? null : this.bind(left),
      this.bind(right),
      position,
    );
  }

  #row(list: ListExpr): readonly BoundExpr[] {
    return this.bindAll(list.elements);
  }

  #isNull(operand: Expr, isNegated: boolean, position: number): BoundExpr {
    if (operand.kind !== 'row') {
      return this.forms.is('null', isNegated, this.bind(operand), position);
    }
    const args = this.#row(operand).map((part) => this.forms.is('null', isNegated, part, position));
    return { kind: 'and', args, type: BOOL };
  }

  #distinct(left: Expr, right: Expr, isNegated: boolean, position: number): BoundExpr {
    if (left.kind !== 'row' || right.kind !== 'row') {
      return this.forms.distinct(this.bind(left), this.bind(right), isNegated, position);
    }
    const rights = this.#row(right);
    const parts = this.#row(left).map((part, i) =>
      this.forms.distinct(part, must(rights[i]), isNegated, position),
    );
    return { kind: isNegated ? 'and' : 'or', args: parts, type: BOOL };
  }

  #inList(expr: Extract<Expr, { kind: 'in_list' }>): BoundExpr {
    const { operand, items, isNegated, position } = expr;
    if (operand.kind !== 'row') {
      return this.forms.inList(this.bind(operand), this.bindAll(items), isNegated, position);
    }
    const left = this.#row(operand);
    const parts = items.map((item) => {
      if (item.kind !== 'row') {
        throw new SqlError('42601', 'unequal number of entries in row expressions', { position });
      }
      return this.forms.rows('=', left, this.#row(item), position);
    });
    const any: BoundExpr = { kind: 'or', args: parts, type: BOOL };
    return isNegated ? notExpr(any) : any;
  }

  #like(expr: Extract<Expr, { kind: 'like' }>): BoundExpr {
    const { position } = expr;
    const value = this.bind(expr.operand);
    let pattern = this.bind(expr.pattern);
    const escapeChar = expr.escape === null ? null : this.bind(expr.escape);
    const not = expr.isNegated ? '!' : '';
    if (expr.matcher === 'similar') {
      const args = escapeChar === null ? [pattern] : [pattern, escapeChar];
      pattern = this.forms.call('similar_to_escape', args, position);
      return this.forms.operator(`${not}~`, value, pattern, position);
    }
    if (escapeChar !== null)
      pattern = this.forms.call('like_escape', [pattern, escapeChar], position);
    const operator = expr.matcher === 'like' ? '~~' : '~~*';
    return this.forms.operator(`${not}${operator}`, value, pattern, position);
  }

  #case(expr: Extract<Expr, { kind: 'case' }>): BoundExpr {
    const operand = expr.operand === null ? null : this.bind(expr.operand);
    const branches = expr.branches.map((branch) => ({
      when: this.bind(branch.when),
      result: this.bind(branch.then),
    }));
    const otherwise = expr.otherwise === null ? null : this.bind(expr.otherwise);
    return this.forms.caseOf(operand, branches, otherwise, expr.position);
  }

  #cast(expr: Extract<Expr, { kind: 'cast' }>): BoundExpr {
    const { operand, position } = expr;
    const type = resolveTypeName(expr.type);
    if (operand.kind === 'array' && type.element !== null) {
      const { element } = type;
      const elements = operand.elements.map((part) =>
        this.forms.cast(this.bind(part), must(element), part.position),
      );
      return { kind: 'array', elements, type };
    }
    const unit = intervalUnit(expr.type);
    if (unit !== null && operand.kind === 'literal' && /^\s*-?[\d.]+\s*$/.test(operand.text)) {
      return this.forms.cast(
        literal(`${operand.text} ${unit}`, this.forms.nullValue().type),
        INTERVAL,
        position,
      );
    }
    const bound = this.bind(operand);
    const isUntyped = bound.type.id === 'unknown';
    return this.forms.cast(bound, type, isUntyped ? operand.position : position);
  }

  #valueFunction(expr: ValueFunction): BoundExpr {
    const { name, position } = expr;
    switch (name) {
      case 'current_user':
      case 'current_role':
      case 'user':
        return this.forms.call('current_user', [], position);
      case 'session_user':
        return this.forms.call('session_user', [], position);
      case 'current_catalog':
        return this.forms.cast(this.forms.call('current_database', [], position), NAME, position);
      case 'current_schema':
        return this.forms.call('current_schema', [], position);
      default:
        return this.forms.currentTime(name, position);
    }
  }

  #collate(operand: Expr, name: string, position: number): BoundExpr {
    if (!['default', 'C', 'POSIX', 'ucs_basic'].includes(name)) {
      throw notSupported(`collation "${name}"`, { position });
    }
    return this.bind(operand);
  }

  #bindInner(query: Query): SubqueryPlan {
    return this.context.bindSubquery(query, this.context.scope);
  }

  #subquery(
    kind: 'scalar_subquery' | 'exists' | 'array_subquery',
    query: Query,
    position: number,
  ): BoundExpr {
    const inner = this.#bindInner(query);
    const base = {
      plan: inner.plan,
      width: inner.width,
      order: inner.order,
      left: [],
      compare: null,
    };
    if (kind === 'exists') return this.state.addSubquery({ ...base, kind, type: BOOL }, position);
    if (inner.width !== 1) {
      throw new SqlError('42601', 'subquery must return only one column', { position });
    }
    const { type } = must(inner.plan.columns[0]);
    if (kind === 'scalar_subquery') {
      return this.state.addSubquery({ ...base, kind: 'scalar', type }, position);
    }
    const array = arrayOf({ ...type, typmod: -1 });
    if (array === undefined) throw notSupported('ARRAY of this type', { position });
    return this.state.addSubquery({ ...base, kind: 'array', type: array }, position);
  }

  #leftSide(operand: Expr): readonly BoundExpr[] {
    return operand.kind === 'row' ? this.#row(operand) : [this.bind(operand)];
  }

  #inSubquery(operand: Expr, query: Query, isNegated: boolean, position: number): BoundExpr {
    const found = this.#comparedSubquery('in', '=', operand, query, position);
    return isNegated ? notExpr(found) : found;
  }

  #quantified(expr: Extract<Expr, { kind: 'quantified_subquery' }>): BoundExpr {
    const { operator, quantifier, operand, query, position } = expr;
    const kind = operator === '=' && quantifier === 'any' ? 'in' : quantifier;
    return this.#comparedSubquery(kind, operator, operand, query, position);
  }

  #comparedSubquery(
    kind: 'in' | 'any' | 'all',
    operator: string,
    operand: Expr,
    query: Query,
    position: number,
  ): BoundExpr {
    const left = this.#leftSide(operand);
    const inner = this.#bindInner(query);
    if (inner.width !== left.length) {
      const few = inner.width < left.length ? 'few' : 'many';
      throw new SqlError('42601', `subquery has too ${few} columns`, { position });
    }
    const types = range(0, inner.width).map((i) => must(inner.plan.columns[i]).type);
    const typed = left.map((part, i) => this.#typedLeft(part, must(types[i]), position));
    const compare = (a: readonly BoundExpr[], b: readonly BoundExpr[]): BoundExpr =>
      this.forms.rows(operator, a, b, position);
    const plan = pickColumns(inner.plan, range(0, inner.width));
    // Bound once here, so that a type error is told at its position.
    compare(
      typed,
      types.map((type, index) => ({ kind: 'column', index, type })),
    );
    const subquery = {
      kind,
      plan,
      width: inner.width,
      order: [],
      left: typed,
      compare,
      type: BOOL,
    };
    return this.state.addSubquery(subquery, position);
  }

  #grouping(args: readonly Expr[], position: number): BoundExpr {
    const { groupings, clause, aggregates, isInAggregate } = this.context;
    if (groupings === undefined || aggregates === null || isInAggregate === true) {
      const message = `grouping operations are not allowed in ${clause}`;
      throw new SqlError('42803', message, { position });
    }
    if (args.length > GROUPING_ARGUMENTS_MAX) {
      const message = `GROUPING must have fewer than ${GROUPING_ARGUMENTS_MAX + 1} arguments`;
      throw new SqlError('54023', message, { position });
    }
    groupings.push(this.bindAll(args));
    return numberedPlaceholder('grouping', groupings.length - 1, INT4, position);
  }

  /** An untyped literal or parameter on the left takes the column's type. */
  #typedLeft(expr: BoundExpr, type: DataType, position: number): BoundExpr {
    if (expr.type.id !== 'unknown') return expr;
    return castTo(
      expr,
      commonType([expr.type, type], 'IN', position),
      'implicit',
      this.state,
      position,
    );
  }
}

/** An expression without FROM: no columns, aggregates or subqueries. */
export function constantBinder(state: BindState, clause: string): ExpressionBinder {
  return new ExpressionBinder(state, {
    scope: new Scope(state.newScopeId(), null),
    clause,
    aggregates: null,
    windows: null,
    namedWindows: new Map(),
    bindSubquery: (query) => {
      const message = `cannot use subquery in ${clause.replace(/^check constraints$/, 'check constraint')}`;
      throw new SqlError('0A000', message, { position: query.position });
    },
  });
}

export function bindConstantExpr(
  expr: Expr,
  type: DataType | null,
  state: BindState,
  clause = 'this expression',
): BoundExpr {
  const bound = constantBinder(state, clause).bind(expr);
  return type === null ? bound : castTo(bound, type, 'assignment', state, expr.position);
}
