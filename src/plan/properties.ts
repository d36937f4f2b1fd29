/**
 * Stream properties: what is proved of every node's output (key, append-only, watermarks), bottom up, and from them which
 * state can be dropped. See semantics.md rules 13-16.
 *
 * The watermark of a column says: rows that come from now on have no lesser value there. Window nodes shift their input's
 * watermark W of the time column: window_end W + 1 µs (a window is open while its end > W), window_start W + 1 µs - size,
 * window_time W; sessions: window_end W (a session is open while its end >= W), window_time W - 2 µs.
 */

import { must, unreachable } from '../base/assert.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { type RelationProperties, relationProperties } from '../catalog/objects.ts';
import type { BoundExpr } from '../expr/bound-expr.ts';
import { inputsOf, mapInputs, range } from './build.ts';
import { declaredNotNull, type NotNullLookup, neverNullColumn } from './nullability.ts';
import type {
  AggregateNode,
  JoinNode,
  PlanNode,
  StreamProperties,
  WatermarkColumn,
  WindowNode,
} from './plan-node.ts';
import { constantShiftUs, lowerBoundShiftUs } from './time-shift.ts';

/** What scanned relations promise. */
export interface RelationLookup {
  readonly properties: (id: number) => RelationProperties;
  readonly isNotNull: NotNullLookup;
}

export const NO_PROPERTIES: RelationProperties = Object.freeze({
  key: null,
  isAppendOnly: false,
  watermarks: [],
});

/** Properties of the catalog's relations; system relations and views promise nothing. */
export function catalogProperties(catalog: Catalog): RelationLookup {
  const properties = (id: number): RelationProperties => {
    const object = catalog.object(id);
    if (object === undefined) return NO_PROPERTIES;
    const { kind } = object;
    if (kind !== 'table' && kind !== 'source' && kind !== 'materialized_view') return NO_PROPERTIES;
    return relationProperties(object);
  };
  return { properties, isNotNull: declaredNotNull(catalog) };
}

/** The plan with `properties` filled in at every node, and `closeOn` where groups close with time. */
export function withProperties(node: PlanNode, relations: RelationLookup): PlanNode {
  const over = mapInputs(node, (input) => withProperties(input, relations));
  const closing =
    over.kind === 'aggregate'
      ? withCloseOn(over)
      : over.kind === 'window'
        ? withTimeWatermark(over)
        : over;
  return { ...closing, properties: deriveProperties(closing, relations) };
}

export function propertiesOf(node: PlanNode): StreamProperties {
  return must(node.properties, `a ${node.kind} node has no properties yet`);
}

function deriveProperties(node: PlanNode, relations: RelationLookup): StreamProperties {
  switch (node.kind) {
    case 'scan':
      return scanProperties(node, relations.properties(node.relation.id));
    case 'values':
      return { key: node.rows.length <= 1 ? [] : null, isAppendOnly: true, watermarks: [] };
    case 'filter': {
      const input = propertiesOf(node.input);
      return { ...input, watermarks: passed(input.watermarks) };
    }
    case 'project':
      return projectProperties(node.expressions, propertiesOf(node.input));
    case 'join':
      return joinProperties(node, relations.isNotNull);
    case 'aggregate':
      return aggregateProperties(node);
    case 'union':
      return unionProperties(node.inputs);
    case 'set_operation':
      return {
        key: node.isAll ? null : range(0, node.columns.length),
        isAppendOnly: false,
        watermarks: [],
      };
    case 'window':
      return windowProperties(node);
    case 'top_n':
      return topNProperties(node);
    case 'unique_key':
      return {
        key: node.key,
        isAppendOnly: false,
        watermarks: partitionWatermarks(node.input, node.partition),
      };
    case 'over': {
      const input = propertiesOf(node.input);
      const watermarks = partitionWatermarks(node.input, node.partition);
      return { key: input.key, isAppendOnly: false, watermarks };
    }
    case 'emit_on_close': {
      const input = propertiesOf(node.input);
      return { key: input.key, isAppendOnly: true, watermarks: passed(input.watermarks) };
    }
    case 'temporal_filter': {
      const input = propertiesOf(node.input);
      const isAppendOnly = input.isAppendOnly && node.validUntil === null;
      return { key: input.key, isAppendOnly, watermarks: [] };
    }
    case 'table_function': {
      const input = propertiesOf(node.input);
      const { isAppendOnly } = input;
      return { key: null, isAppendOnly, watermarks: passed(input.watermarks) };
    }
    default:
      return unreachable(node);
  }
}

/** Every input watermark as it is. */
function passed(watermarks: readonly WatermarkColumn[]): readonly WatermarkColumn[] {
  return watermarks.map((w, source) => ({ column: w.column, source, shiftUs: '0' }));
}

/** A scan's watermark `source` is the position in the relation's own list of watermark columns. */
function scanProperties(
  node: Extract<PlanNode, { kind: 'scan' }>,
  relation: RelationProperties,
): StreamProperties {
  const output = (column: number): number => node.columnIndexes.indexOf(column);
  const key = relation.key?.map(output) ?? null;
  const watermarks = relation.watermarks.map((column, source) => ({
    column: output(column),
    source,
    shiftUs: '0',
  }));
  return {
    key: key?.includes(-1) ? null : key,
    isAppendOnly: relation.isAppendOnly,
    watermarks: watermarks.filter((w) => w.column >= 0),
  };
}

function projectProperties(
  expressions: readonly BoundExpr[],
  input: StreamProperties,
): StreamProperties {
  const outputOf = new Map<number, number>();
  expressions.forEach((expr, index) => {
    if (expr.kind === 'column' && !outputOf.has(expr.index)) outputOf.set(expr.index, index);
  });
  const key = input.key?.map((column) => outputOf.get(column)) ?? null;
  const watermarks: WatermarkColumn[] = [];
  expressions.forEach((expr, column) => {
    const shifted = lowerBoundShiftUs(expr);
    if (shifted === null) return;
    const source = input.watermarks.findIndex((w) => w.column === shifted.column);
    if (source >= 0) watermarks.push({ column, source, shiftUs: shifted.shiftUs });
  });
  return {
    key: key === null || key.includes(undefined) ? null : (key as number[]),
    isAppendOnly: input.isAppendOnly,
    watermarks,
  };
}

function joinProperties(node: JoinNode, isNotNull: NotNullLookup): StreamProperties {
  const left = propertiesOf(node.left);
  const right = propertiesOf(node.right);
  const { joinKind } = node;
  const areAppendOnly = left.isAppendOnly && right.isAppendOnly;
  if (joinKind === 'semi' || joinKind === 'anti') {
    const isAppendOnly = joinKind === 'semi' && areAppendOnly;
    return { key: left.key, isAppendOnly, watermarks: intervalWatermarks(node) };
  }
  return {
    key: joinKey(node, left, right, isNotNull),
    isAppendOnly: joinKind === 'inner' && areAppendOnly,
    watermarks: intervalWatermarks(node),
  };
}

/** One side's key alone where each of its rows meets at most one row of the other side, else both together. */
function joinKey(
  node: JoinNode,
  left: StreamProperties,
  right: StreamProperties,
  isNotNull: NotNullLookup,
): readonly number[] | null {
  const { joinKind } = node;
  if (left.key === null || right.key === null) return null;
  const width = node.left.columns.length;
  const rightKey = right.key.map((column) => width + column);
  const meetsOneRight = right.key.every((column) => node.rightKeys.includes(column));
  const meetsOneLeft = left.key.every((column) => node.leftKeys.includes(column));
  if (meetsOneRight && (joinKind === 'inner' || joinKind === 'left')) return left.key;
  if (meetsOneLeft && (joinKind === 'inner' || joinKind === 'right')) return rightKey;
  // A row of either side that meets none has NULLs for the other's key: they differ where one key is never all NULL.
  const isTold =
    joinKind !== 'full' ||
    left.key.some((column) => neverNullColumn(node.left, column, isNotNull)) ||
    right.key.some((column) => neverNullColumn(node.right, column, isNotNull));
  return isTold ? [...left.key, ...rightKey] : null;
}

/** Both time columns of an interval join carry the minimum of both sides less the widest bound. */
function intervalWatermarks(node: JoinNode): readonly WatermarkColumn[] {
  const { interval } = node;
  if (interval === undefined) return [];
  const lower = BigInt(interval.lowerUs);
  const upper = BigInt(interval.upperUs);
  const widest = [0n, upper, -lower].reduce((a, b) => (a > b ? a : b));
  const source = propertiesOf(node.left).watermarks.findIndex(
    (w) => w.column === interval.leftTime,
  );
  const shiftUs = String(-widest);
  const leftTime = { column: interval.leftTime, source, shiftUs };
  if (node.joinKind === 'semi' || node.joinKind === 'anti') return [leftTime];
  const rightTime = { column: node.left.columns.length + interval.rightTime, source, shiftUs };
  return [leftTime, rightTime];
}

function aggregateProperties(node: AggregateNode): StreamProperties {
  const input = propertiesOf(node.input);
  const watermarks: WatermarkColumn[] = [];
  node.keys.forEach((key, column) => {
    const source = input.watermarks.findIndex((w) => w.column === key);
    if (source >= 0) watermarks.push({ column, source, shiftUs: '0' });
  });
  return {
    key: range(0, node.keys.length),
    isAppendOnly: node.calls.length === 0 && node.keys.length > 0 && input.isAppendOnly,
    watermarks,
  };
}

function unionProperties(inputs: readonly PlanNode[]): StreamProperties {
  const [first, ...rest] = inputs.map(propertiesOf);
  const own = first?.watermarks ?? [];
  const watermarks = own.flatMap((w, source) => {
    const everywhere = rest.every((p) => p.watermarks.some((other) => other.column === w.column));
    return everywhere ? [{ column: w.column, source, shiftUs: '0' }] : [];
  });
  const isAppendOnly = [first, ...rest].every((p) => p?.isAppendOnly ?? true);
  const key = inputs.length === 1 ? (first?.key ?? null) : null;
  return { key, isAppendOnly, watermarks };
}

/** A window closes by the watermark of its time column, where the input carries one. */
function withTimeWatermark(node: WindowNode): WindowNode {
  const found = propertiesOf(node.input).watermarks.findIndex((w) => w.column === node.time);
  return { ...node, watermark: found < 0 ? null : found };
}

function windowProperties(node: WindowNode): StreamProperties {
  const input = propertiesOf(node.input);
  const width = node.input.columns.length;
  const assignsOne = node.windowKind === 'tumble' || node.windowKind === 'session';
  const key = input.key === null ? null : assignsOne ? input.key : [...input.key, width + 1];
  const isAppendOnly = node.windowKind !== 'session' && input.isAppendOnly;
  const finalKey = key !== null && node.windowKind === 'cumulate' ? [...key, width] : key;
  return { key: finalKey, isAppendOnly, watermarks: windowWatermarks(node, width) };
}

function windowWatermarks(node: WindowNode, width: number): readonly WatermarkColumn[] {
  const { watermark: source } = node;
  if (source === null) return [];
  const lateness = BigInt(node.allowedLatenessUs);
  const at = (column: number, shift: bigint): WatermarkColumn => ({
    column,
    source,
    shiftUs: String(shift - lateness),
  });
  const [start, end, time] = [width, width + 1, width + 2];
  if (node.windowKind === 'session') return [at(end, 0n), at(time, -2n)];
  const opened = 1n - BigInt(node.sizeUs);
  return [at(node.time, opened), at(start, opened), at(end, 1n), at(time, 0n)];
}

function topNProperties(node: Extract<PlanNode, { kind: 'top_n' }>): StreamProperties {
  const input = propertiesOf(node.input);
  const rank = node.columns.length - 1;
  const first = node.limit === 1 ? node.partition : null;
  const key = first ?? input.key ?? (node.withRank ? [...node.partition, rank] : null);
  const watermarks = partitionWatermarks(node.input, node.partition);
  return { key, isAppendOnly: false, watermarks };
}

/** Rows of a partition may come back at any time, but with its own values. */
function partitionWatermarks(
  input: PlanNode,
  partition: readonly number[],
): readonly WatermarkColumn[] {
  return passed(propertiesOf(input).watermarks).filter((w) => partition.includes(w.column));
}

/**
 * A group closes where one of its keys is a window's bound: the window has dropped every late row, so that behind the
 * watermark nothing can change. Any other time key passes its watermark on, but keeps its state (rule 15).
 */
function withCloseOn(node: AggregateNode): AggregateNode {
  const { watermarks } = propertiesOf(node.input);
  for (let key = 0; key < node.keys.length; key++) {
    const column = must(node.keys[key]);
    const watermark = watermarks.findIndex((w) => w.column === column);
    if (watermark >= 0 && isWindowBound(node.input, column)) {
      return { ...node, closeOn: { key, watermark, shiftUs: '0' } };
    }
  }
  return node;
}

/** Whether the column is a bound of a window below, behind whose watermark no row ever comes. */
export function isWindowBound(node: PlanNode, column: number): boolean {
  switch (node.kind) {
    case 'window':
      return node.watermark !== null && column >= node.input.columns.length;
    case 'filter':
    case 'emit_on_close':
    case 'table_function':
      return column < node.input.columns.length && isWindowBound(node.input, column);
    case 'project': {
      const shifted = constantShiftUs(must(node.expressions[column]));
      return shifted !== null && isWindowBound(node.input, shifted.column);
    }
    case 'aggregate': {
      const key = node.keys[column];
      return key !== undefined && isWindowBound(node.input, key);
    }
    case 'top_n':
    case 'over':
    case 'unique_key':
      return node.partition.includes(column) && isWindowBound(node.input, column);
    case 'union':
      return node.inputs.every((input) => isWindowBound(input, column));
    case 'join': {
      if (node.interval === undefined) return false;
      const width = node.left.columns.length;
      return column < width
        ? isWindowBound(node.left, column)
        : isWindowBound(node.right, column - width);
    }
    default:
      return false;
  }
}

/** Sentences for CREATE: stateful nodes over endless inputs whose state never shrinks by time. */
export function unboundedState(node: PlanNode): readonly string[] {
  const below = inputsOf(node).flatMap(unboundedState);
  const isEndless = inputsOf(node).some(readsSource);
  if (!isEndless) return below;
  switch (node.kind) {
    case 'aggregate':
      if (node.keys.length === 0 || node.closeOn) return below;
      return [...below, `the state of ${describeKeys(node)} grows with the number of its groups`];
    case 'join':
      if (node.interval !== undefined) return below;
      return [...below, 'the state of a join grows with the rows of its inputs'];
    case 'over':
      return [...below, 'the state of window functions grows with the rows of their input'];
    case 'set_operation':
      return [...below, 'the state of a set operation grows with the rows of its inputs'];
    case 'unique_key': {
      const what = propertiesOf(node.input).isAppendOnly
        ? 'number of its keys'
        : 'rows of its query';
      return [
        ...below,
        `the state of a sink whose key is not proven unique grows with the ${what}`,
      ];
    }
    default:
      return below;
  }
}

function describeKeys(node: AggregateNode): string {
  const names = node.keys.map((_, index) => must(node.columns[index]).name);
  return `GROUP BY ${names.join(', ')}`;
}

function readsSource(node: PlanNode): boolean {
  if (node.kind === 'scan') return node.relation.kind === 'source';
  return inputsOf(node).some(readsSource);
}
