/**
 * The one registry of functions, operators, casts, aggregates, window and table functions.
 *
 * An id is `name(argtype,argtype)`: `lower(text)`, `+(int4,int4)`, `-(int4)` (prefix operator), `cast(int4,text)`,
 * `assign(text,varchar)` (length coercion in an assignment), `sum(int8)`, `count()`, `unnest(anyarray)`. Type names are
 * the `TypeId`s, arrays `int4[]`; polymorphic ones keep PostgreSQL's pseudo-types (anyelement, anyarray, any ...).
 * Derived ids are made on demand: `any =(int4,int4)` and `all =(int4,int4)` (x op ANY/ALL (array)), casts between arrays.
 *
 * Cost: functionById O(1) after the first use of a derived id; functionsNamed O(1).
 */

import { assert, must } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { Column } from '../batch/delta-batch.ts';
import type { DataType, Value } from '../types/data-type.ts';
import type { ValueSettings } from '../types/settings.ts';
import type { EvalContext } from './eval-context.ts';
import type { Args, Js } from './signature.ts';
import { argPatterns, nameOfId } from './signature.ts';
import type { SystemEnvironment } from './system-environment.ts';

/** A type name (`int4`, `text[]`) or pseudo-type (`anyelement`, `anyarray`, `anynonarray`, `anycompatible`, `any` ...). */
export type TypePattern = string;

export type Volatility = 'immutable' | 'stable' | 'volatile';

export type FunctionKind = 'function' | 'operator' | 'cast' | 'aggregate' | 'window' | 'table';

/** What a per-value body may use besides its arguments. */
export interface CallContext {
  readonly settings: ValueSettings;
  readonly argTypes: readonly DataType[];
  /** Result type, with its typmod. */
  readonly type: DataType;
  readonly nowUs: bigint;
  readonly system: SystemEnvironment | null;
  readonly random: Random | null;
  readonly clock: Clock | null;
}

/** A body over single values; NULL arguments arrive only where the function is not strict. */
export type ValueBody = (args: readonly Value[], call: CallContext) => Value;

/**
 * A body over whole columns. `args` are dense columns of `rowCount` rows. Rows outside `validity` hold arbitrary bytes:
 * a body must neither fail nor read addresses there. Errors go to `ctx.onError(row, error)` and make the row NULL.
 */
export type VectorBody = (
  args: readonly Column[],
  rowCount: number,
  ctx: EvalContext,
  call: CallContext,
) => Column;

export interface FunctionDefinition {
  readonly id: string;
  /** SQL name: `lower`, `+`, `cast`. */
  readonly name: string;
  readonly kind: FunctionKind;
  /** Operators: 'infix' or 'prefix'. */
  readonly argTypes: readonly TypePattern[];
  /** The pattern of repeated last arguments (`any` for concat's, `anyarray`-like for VARIADIC); absent: fixed arity. */
  readonly variadic?: TypePattern;
  readonly resultType: TypePattern;
  readonly volatility: Volatility;
  /** NULL argument gives NULL without a call. */
  readonly isStrict: boolean;
  /** May throw on values of its types: such calls are evaluated only for the rows that reach them. */
  readonly canFail: boolean;
  /** Absent for aggregates and window functions (defined in aggregates/ and dataflow) and table functions. */
  readonly value?: ValueBody;
  readonly vector?: VectorBody;
  /** For pg_proc and \df; false: an internal helper of the planner's. */
  readonly isVisible: boolean;
  /** Asks the SystemEnvironment: runs only where the session is. */
  readonly needsSession: boolean;
}

export interface FunctionOptions {
  readonly volatility?: Volatility;
  /** Default true. */
  readonly isStrict?: boolean;
  /** Default true: say false only where the body never throws. */
  readonly canFail?: boolean;
  readonly variadic?: TypePattern;
  readonly isVisible?: boolean;
  readonly needsSession?: boolean;
}

const byId = new Map<string, FunctionDefinition>();
const byName = new Map<string, FunctionDefinition[]>();
const vectors = new Map<string, VectorBody>();
type Deriver = (id: string) => FunctionDefinition | undefined;
const derivers: Deriver[] = [];

function add(definition: FunctionDefinition): void {
  assert(!byId.has(definition.id), `function ${definition.id} is registered twice`);
  byId.set(definition.id, definition);
  const list = byName.get(definition.name);
  if (list === undefined) byName.set(definition.name, [definition]);
  else list.push(definition);
}

function makeDefinition(
  id: string,
  kind: FunctionKind,
  resultType: TypePattern,
  options: FunctionOptions,
): FunctionDefinition {
  const base = {
    id,
    name: nameOfId(id),
    kind,
    // A cast's id names its target behind its one argument.
    argTypes: kind === 'cast' ? argPatterns(id).slice(0, 1) : argPatterns(id),
    resultType,
    volatility: options.volatility ?? 'immutable',
    isStrict: options.isStrict ?? true,
    canFail: options.canFail ?? true,
    isVisible: options.isVisible ?? true,
    needsSession: options.needsSession ?? false,
  };
  return options.variadic === undefined ? base : { ...base, variadic: options.variadic };
}

/** A definition whose body is `body`: for registering and for derived ids. */
export function valueDefinition(
  id: string,
  kind: FunctionKind,
  resultType: TypePattern,
  body: ValueBody,
  options: FunctionOptions = {},
): FunctionDefinition {
  return { ...makeDefinition(id, kind, resultType, options), value: body };
}

/** Registers a strict function over single values; argument and result types follow from the id. */
export function defineFunction<const Id extends string, const R extends string>(
  id: Id,
  resultType: R,
  body: (...args: [...Args<Id>, CallContext]) => Js<R> | null,
  options: Omit<FunctionOptions, 'isStrict' | 'variadic'> = {},
): void {
  add(valueDefinition(id, 'function', resultType, spread(body, id), options));
}

/** Registers a strict operator over single values. */
export function defineOperator<const Id extends string, const R extends string>(
  id: Id,
  resultType: R,
  body: (...args: [...Args<Id>, CallContext]) => Js<R> | null,
  options: Omit<FunctionOptions, 'isStrict' | 'variadic'> = {},
): void {
  add(valueDefinition(id, 'operator', resultType, spread(body, id), options));
}

/** The types of `body` follow from the id; here they are only passed through. */
function spread(body: unknown, id: string): ValueBody {
  const call = body as (...args: unknown[]) => Value;
  switch (argPatterns(id).length) {
    case 1:
      return (args, context) => call(args[0], context);
    case 2:
      return (args, context) => call(args[0], args[1], context);
    default:
      return (args, context) => call(...args, context);
  }
}

/** Registers a function that sees NULLs, or takes a variable number of arguments. */
export function defineGeneral(
  id: string,
  resultType: TypePattern,
  body: ValueBody,
  options: FunctionOptions = {},
): void {
  add(valueDefinition(id, 'function', resultType, body, options));
}

export function defineGeneralOperator(
  id: string,
  resultType: TypePattern,
  body: ValueBody,
  options: FunctionOptions = {},
): void {
  add(valueDefinition(id, 'operator', resultType, body, options));
}

/** Registers a cast's body; what contexts it serves in is in casts.ts. */
export function defineCastBody(
  id: string,
  resultType: TypePattern,
  body: ValueBody,
  options: FunctionOptions = {},
): void {
  add(valueDefinition(id, 'cast', resultType, body, { isVisible: false, ...options }));
}

/** Registers a signature without a body: aggregates, window functions, table functions. */
export function defineSignature(
  id: string,
  kind: 'aggregate' | 'window' | 'table',
  resultType: TypePattern,
  options: FunctionOptions = {},
): void {
  add(makeDefinition(id, kind, resultType, options));
}

/** Registers a body over columns beside the value body of the same id. */
export function defineVector(id: string, body: VectorBody): void {
  assert(!vectors.has(id), `vector body of ${id} is registered twice`);
  vectors.set(id, body);
}

/** Registers a maker of derived definitions. */
export function defineDerived(deriver: Deriver): void {
  derivers.push(deriver);
}

export function vectorBody(id: string): VectorBody | undefined {
  return vectors.get(id);
}

/** Ids that have a vector body: what the equality tests go over. */
export function vectorIds(): Iterable<string> {
  return vectors.keys();
}

/** The definition with this id; undefined: none. */
export function functionById(id: string): FunctionDefinition | undefined {
  const known = byId.get(id);
  if (known !== undefined) return known;
  for (const derive of derivers) {
    const made = derive(id);
    if (made === undefined) continue;
    byId.set(id, made);
    return made;
  }
  return undefined;
}

/** All definitions with an SQL name, internal ones too; operators by their symbol. */
export function functionsNamed(name: string): readonly FunctionDefinition[] {
  return byName.get(name) ?? [];
}

/** Every registered definition, in order of registration: pg_proc and pg_operator are made from it. */
export function allFunctions(): Iterable<FunctionDefinition> {
  return byId.values();
}

/** The definition with this id, which a plan relies on. */
export function mustFunction(id: string): FunctionDefinition {
  return must(functionById(id), `no function ${id}`);
}
