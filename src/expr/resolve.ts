/**
 * Overload resolution as PostgreSQL does it ("Type Conversion" in its manual; parse_func.c, parse_oper.c): functions,
 * operators, and the common type of CASE, UNION and their kin. An untyped literal or parameter has the type UNKNOWN.
 */

import { SqlError } from '../base/sql-error.ts';
import type { DataType } from '../types/data-type.ts';
import { arrayOf, BOOL, REGTYPE, TEXT, UNKNOWN } from '../types/data-type.ts';
import { typeName } from '../types/value.ts';
import { canCast, castContext } from './casts.ts';
import './builtins.ts';
import { argsAccept, type BoundSignature, bindSignature, isPolymorphic } from './polymorphic.ts';
import type { FunctionDefinition } from './registry.ts';
import { functionsNamed, mustFunction } from './registry.ts';
import { typeKey, typeOfKey } from './signature.ts';
import { isPreferredType, type TypeCategory, typeCategory } from './type-categories.ts';

/** A chosen overload: coerce argument i to `argTypes[i]` (implicit context), then call `id`. */
export interface ResolvedCall {
  readonly definition: FunctionDefinition;
  readonly id: string;
  /** One for each argument given, variadic ones expanded; polymorphic ones made concrete. */
  readonly argTypes: readonly DataType[];
  readonly type: DataType;
}

/** A definition with its argument patterns expanded to the number of arguments given. */
interface Candidate {
  readonly definition: FunctionDefinition;
  readonly patterns: readonly string[];
  /** Concrete types; undefined for pseudo-types. */
  readonly types: readonly (DataType | undefined)[];
  readonly isVariadic: boolean;
}

type Choice = Candidate | 'none' | 'ambiguous';

/** `name` is folded already. Aggregates, window and table functions are found too: see definition.kind. 42883 / 42725. */
export function resolveFunction(
  name: string,
  args: readonly DataType[],
  position?: number,
): ResolvedCall {
  const all = functionsNamed(name).filter((d) => d.kind !== 'operator' && d.kind !== 'cast');
  const choice = chooseFunction(all, args);
  if (choice === 'none') {
    const cast = functionStyleCast(name, args);
    if (cast !== undefined) return cast;
    throw undefinedFunction(name, args, position);
  }
  if (choice === 'ambiguous') {
    throw new SqlError('42725', `function ${signatureText(name, args)} is not unique`, {
      hint: 'Could not choose a best candidate function. You might need to add explicit type casts.',
      position,
    });
  }
  return resolved(choice, args, position);
}

/** True where some function of any kind has this name. */
export function isFunctionName(name: string): boolean {
  return functionsNamed(name).some((d) => d.kind !== 'operator' && d.isVisible);
}

/** Infix (`left` given) or prefix (`left` null) operator. 42883 / 42725. */
export function resolveOperator(
  name: string,
  left: DataType | null,
  right: DataType,
  position?: number,
): ResolvedCall {
  const symbol = name === '!=' ? '<>' : name;
  const args = left === null ? [right] : [left, right];
  const all = functionsNamed(symbol).filter(
    (d) => d.kind === 'operator' && d.argTypes.length === args.length,
  );
  const choice = chooseOperator(all, args);
  if (choice !== 'none' && choice !== 'ambiguous') return resolved(choice, args, position);
  throw operatorError(choice, symbol, left, right, position);
}

function operatorError(
  choice: 'none' | 'ambiguous',
  symbol: string,
  left: DataType | null,
  right: DataType,
  position: number | undefined,
): SqlError {
  const text =
    left === null ? `${symbol} ${named(right)}` : `${named(left)} ${symbol} ${named(right)}`;
  if (choice === 'ambiguous') {
    return new SqlError('42725', `operator is not unique: ${text}`, {
      hint: 'Could not choose a best candidate operator. You might need to add explicit type casts.',
      position,
    });
  }
  return new SqlError('42883', `operator does not exist: ${text}`, {
    hint:
      left === null
        ? 'No operator matches the given name and argument type. You might need to add an explicit type cast.'
        : 'No operator matches the given name and argument types. You might need to add explicit type casts.',
    position,
  });
}

/** `left op ANY|ALL (right)`: right is an array (or UNKNOWN). The call's arguments are [left, right]. */
export function resolveArrayOperator(
  name: string,
  quantifier: 'any' | 'all',
  left: DataType,
  right: DataType,
  position?: number,
): ResolvedCall {
  const isUnknown = right.id === 'unknown';
  if (!isUnknown && right.element === null) {
    throw new SqlError('42809', 'op ANY/ALL (array) requires array on right side', { position });
  }
  const call = resolveOperator(name, left, right.element ?? UNKNOWN, position);
  if (call.type.id !== 'bool') {
    throw new SqlError('42809', 'op ANY/ALL (array) requires operator to yield boolean', {
      position,
    });
  }
  const [leftType, elementType] = call.argTypes as [DataType, DataType];
  const arrayType = arrayOf(elementType);
  if (arrayType === undefined) {
    throw new SqlError(
      '42704',
      `could not find array type for data type ${typeName(elementType)}`,
      { position },
    );
  }
  const element = `${call.definition.name}(${typeKey(leftType)},${typeKey(elementType)})`;
  const id = `${quantifier} ${element}`;
  return { definition: mustFunction(id), id, argTypes: [leftType, arrayType], type: BOOL };
}

function chooseFunction(all: readonly FunctionDefinition[], args: readonly DataType[]): Choice {
  const candidates = all.flatMap((definition) => candidateOf(definition, args.length) ?? []);
  const exact = candidates.filter((c) => c.types.every((t, i) => t?.oid === args[i]?.oid));
  if (exact.length > 0) return preferNonVariadic(exact)[0] as Candidate;
  return chooseByConversion(candidates, args);
}

function chooseOperator(all: readonly FunctionDefinition[], args: readonly DataType[]): Choice {
  const candidates = all.flatMap((definition) => candidateOf(definition, args.length) ?? []);
  const assumed = assumeSameType(args);
  const exact = candidates.find((c) => c.types.every((t, i) => t?.oid === assumed[i]?.oid));
  if (exact !== undefined) return exact;
  return chooseByConversion(candidates, args);
}

/** One unknown argument of an infix operator is taken to be of the other's type. */
function assumeSameType(args: readonly DataType[]): readonly DataType[] {
  const [left, right] = args;
  if (left === undefined || right === undefined) return args;
  if (left.id === 'unknown') return [right, right];
  if (right.id === 'unknown') return [left, left];
  return args;
}

function candidateOf(definition: FunctionDefinition, count: number): Candidate | undefined {
  const { argTypes, variadic } = definition;
  const patterns =
    variadic !== undefined && count >= argTypes.length
      ? [...argTypes, ...Array<string>(count - argTypes.length).fill(variadic)]
      : argTypes;
  if (patterns.length !== count) return undefined;
  const isVariadic = patterns.length > argTypes.length;
  return { definition, patterns, types: patterns.map(typeOfKey), isVariadic };
}

function preferNonVariadic(candidates: readonly Candidate[]): readonly Candidate[] {
  const plain = candidates.filter((c) => !c.isVariadic);
  return plain.length > 0 ? plain : candidates;
}

function chooseByConversion(all: readonly Candidate[], args: readonly DataType[]): Choice {
  const matching = all.filter((c) => acceptsAll(c, args));
  if (matching.length === 0) return 'none';
  if (matching.length === 1) return matching[0] as Candidate;
  return selectCandidate(matching, args);
}

function acceptsAll(candidate: Candidate, args: readonly DataType[]): boolean {
  const concrete = candidate.types.every((type, i) => {
    const arg = args[i] as DataType;
    return type === undefined || arg.id === 'unknown' || canCast(arg, type, 'implicit');
  });
  return concrete && argsAccept(candidate.patterns, args);
}

/** func_select_candidate: the rules 4.c to 4.f of the manual (10.3), in their order. */
function selectCandidate(matching: readonly Candidate[], args: readonly DataType[]): Choice {
  const known = args.map((arg) => arg.id !== 'unknown');
  let left = keepBest(matching, (c) =>
    count(args, (arg, i) => known[i] === true && c.types[i]?.oid === arg.oid),
  );
  if (left.length === 1) return left[0] as Candidate;
  left = keepBest(left, (c) =>
    count(args, (arg, i) => known[i] === true && isExactOrPreferred(c.types[i], arg)),
  );
  if (left.length === 1) return left[0] as Candidate;
  if (known.every(Boolean)) return pickAmbiguous(left);
  left = keepByUnknownCategory(left, known);
  if (left.length === 1) return left[0] as Candidate;
  return assumeKnownType(left, args, known);
}

function isExactOrPreferred(type: DataType | undefined, arg: DataType): boolean {
  if (type === undefined) return false;
  return (
    type.oid === arg.oid || (isPreferredType(type) && typeCategory(type) === typeCategory(arg))
  );
}

function pickAmbiguous(left: readonly Candidate[]): Choice {
  const plain = preferNonVariadic(left);
  return plain.length === 1 ? (plain[0] as Candidate) : 'ambiguous';
}

/** Rule 4.e: at each unknown position the candidates' category decides, string if any is. */
function keepByUnknownCategory(
  all: readonly Candidate[],
  known: readonly boolean[],
): readonly Candidate[] {
  const wanted = known.map((isKnown, i) => (isKnown ? null : slotCategory(all, i)));
  if (wanted.includes('conflict')) return all;
  const kept = all.filter((c) =>
    wanted.every((slot, i) => {
      if (slot === null || slot === 'conflict') return true;
      const type = c.types[i];
      if (categoryOf(type) !== slot.category) return false;
      return !slot.hasPreferred || (type !== undefined && isPreferredType(type));
    }),
  );
  return kept.length > 0 ? kept : all;
}

interface Slot {
  readonly category: TypeCategory;
  readonly hasPreferred: boolean;
}

function slotCategory(all: readonly Candidate[], index: number): Slot | 'conflict' {
  const types = all.map((c) => c.types[index]);
  const categories = new Set(types.map(categoryOf));
  const category = categories.has('S')
    ? 'S'
    : categories.size === 1
      ? [...categories][0]
      : undefined;
  if (category === undefined) return 'conflict';
  const hasPreferred = types.some(
    (type) => type !== undefined && typeCategory(type) === category && isPreferredType(type),
  );
  return { category, hasPreferred };
}

function categoryOf(type: DataType | undefined): TypeCategory {
  return type === undefined ? 'P' : typeCategory(type);
}

/** Rule 4.f: unknown arguments are taken to be of the one type that all known ones have. */
function assumeKnownType(
  left: readonly Candidate[],
  args: readonly DataType[],
  known: readonly boolean[],
): Choice {
  const types = args.filter((_, i) => known[i] === true);
  const first = types[0];
  if (first === undefined || types.some((type) => type.oid !== first.oid)) return 'ambiguous';
  const assumed = args.map(() => first);
  const fitting = left.filter((c) => acceptsAll(c, assumed));
  return fitting.length === 1 ? (fitting[0] as Candidate) : 'ambiguous';
}

function keepBest(
  all: readonly Candidate[],
  score: (c: Candidate) => number,
): readonly Candidate[] {
  const scores = all.map(score);
  const best = Math.max(...scores);
  return all.filter((_, i) => scores[i] === best);
}

function count(args: readonly DataType[], test: (arg: DataType, i: number) => boolean): number {
  return args.reduce((sum, arg, i) => sum + (test(arg, i) ? 1 : 0), 0);
}

function resolved(
  choice: Candidate,
  args: readonly DataType[],
  position: number | undefined,
): ResolvedCall {
  const { definition, patterns } = choice;
  // What it says is the type as it stands, unknown too.
  if (definition.id === 'pg_typeof(any)') {
    return { definition, id: definition.id, argTypes: args, type: REGTYPE };
  }
  const bound: BoundSignature = bindSignature(patterns, definition.resultType, args, position);
  return { definition, id: definition.id, argTypes: bound.argTypes, type: bound.type };
}

/** `int4(x)`, `text(x)`, `date(x)`: a type's name called as a function is a cast. */
function functionStyleCast(name: string, args: readonly DataType[]): ResolvedCall | undefined {
  const [arg] = args;
  const to = typeOfKey(name);
  if (arg === undefined || args.length !== 1 || to === undefined || to.element !== null)
    return undefined;
  const from = arg.id === 'unknown' ? TEXT : arg;
  if (from.oid === to.oid || castContext(from, to) === null) return undefined;
  const id = `cast(${typeKey(from)},${typeKey(to)})`;
  return { definition: mustFunction(id), id, argTypes: [from], type: to };
}

function undefinedFunction(
  name: string,
  args: readonly DataType[],
  position: number | undefined,
): SqlError {
  return new SqlError('42883', `function ${signatureText(name, args)} does not exist`, {
    hint: 'No function matches the given name and argument types. You might need to add explicit type casts.',
    position,
  });
}

function signatureText(name: string, args: readonly DataType[]): string {
  return `${name}(${args.map(named).join(', ')})`;
}

/** Type names in messages carry no modifiers. */
function named(type: DataType): string {
  return typeName(type.typmod === -1 ? type : plain(type));
}

function plain(type: DataType): DataType {
  return typeOfKey(typeKey(type)) ?? type;
}

/**
 * The common type of several expressions (manual 10.5); UNKNOWNs alone give text. `construct`: CASE, UNION, VALUES,
 * COALESCE, GREATEST, LEAST, ARRAY, IN, JOIN/USING ... 42804 "CASE types integer and text cannot be matched".
 */
export function commonType(
  types: readonly DataType[],
  construct: string,
  position?: number,
): DataType {
  const first = types[0] ?? UNKNOWN;
  if (types.every((type) => type.oid === first.oid))
    return first.id === 'unknown' ? TEXT : unifyTypmod(types);
  const known = types.filter((type) => type.id !== 'unknown');
  let chosen = known[0] as DataType;
  for (const type of known.slice(1)) {
    if (type.oid === chosen.oid) continue;
    if (typeCategory(type) !== typeCategory(chosen))
      throw mismatch(construct, chosen, type, position);
    if (
      !isPreferredType(chosen) &&
      canCast(chosen, type, 'implicit') &&
      !canCast(type, chosen, 'implicit')
    ) {
      chosen = type;
    }
  }
  for (const type of known) {
    if (!canCast(type, chosen, 'implicit')) throw unconvertible(construct, type, chosen, position);
  }
  const isOneType = types.every((type) => type.oid === chosen.oid);
  return isOneType ? unifyTypmod(types) : plain(chosen);
}

function unifyTypmod(types: readonly DataType[]): DataType {
  const first = types[0] as DataType;
  return types.every((type) => type.typmod === first.typmod) ? first : plain(first);
}

function mismatch(construct: string, a: DataType, b: DataType, position?: number): SqlError {
  return new SqlError('42804', `${construct} types ${named(a)} and ${named(b)} cannot be matched`, {
    position,
  });
}

function unconvertible(
  construct: string,
  from: DataType,
  to: DataType,
  position?: number,
): SqlError {
  return new SqlError(
    '42846',
    `${construct} could not convert type ${named(from)} to ${named(to)}`,
    { position },
  );
}

export { isPolymorphic };
