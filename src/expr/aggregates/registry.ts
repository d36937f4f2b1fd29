/** Every aggregate by its registry id, e.g. `sum(int8)`, `count()`, `min(anyarray)`. */

import { must } from '../../base/assert.ts';
import { notSupported } from '../../base/sql-error.ts';
import {
  arrayOf,
  BOOL,
  type DataType,
  FLOAT4,
  FLOAT8,
  INT8,
  INTERVAL,
  NUMERIC,
} from '../../types/data-type.ts';
import type {
  AggregateContext,
  AggregateDefinition,
  AggregateInstance,
  AggregateUse,
  SlotContext,
} from './aggregate.ts';
import { ArrayAggregate, StringAggregate } from './collect.ts';
import {
  BOOL_SLOT_BYTES,
  BoolAggregate,
  COUNT_SLOT_BYTES,
  CountAggregate,
  GroupWeightAggregate,
} from './count.ts';
import { DISTINCT_SLOT_BYTES, DistinctAggregate } from './distinct.ts';
import { AppendOnlyExtreme, EXTREME_SLOT_BYTES, ExtremeAggregate } from './extreme.ts';
import { FLOAT_SUM_SLOT_BYTES, FloatSumAggregate } from './float-sum.ts';
import { MULTISET_SLOT_BYTES } from './group-multiset.ts';
import {
  INTEGER_SUM_SLOT_BYTES,
  IntegerSumAggregate,
  type IntegerSumResult,
} from './integer-sum.ts';
import { INTERVAL_SLOT_BYTES, IntervalSumAggregate } from './interval-sum.ts';
import { NUMERIC_SUM_SLOT_BYTES, NumericSumAggregate } from './numeric-sum.ts';
import { VARIANCE_SLOT_BYTES, VarianceAggregate, type VarianceInput } from './variance.ts';

interface Family {
  readonly slotBytes: number;
  /** Its result is the weight of the rows that it is given. */
  readonly isWeight?: boolean;
  resultType(argTypes: readonly DataType[]): DataType;
  make(context: SlotContext): AggregateInstance;
}

const definitions = new Map<string, AggregateDefinition>();

/** The aggregate with this id; 0A000 when there is none. */
export function aggregateDefinition(id: string): AggregateDefinition {
  const known = definitions.get(id);
  if (known !== undefined) return known;
  const family = familyOf(id);
  if (family === null) throw notSupported(`aggregate function ${id}`);
  const definition: AggregateDefinition = {
    id,
    slotBytes: (use) =>
      usesWeight(family, use) ? 0 : distinctBytes(use) + ((family.slotBytes + 7) & ~7),
    resultType: family.resultType,
    create: (context) => createInstance(family, context),
  };
  definitions.set(id, definition);
  return definition;
}

/** Is there an aggregate with this id? */
export function isAggregate(id: string): boolean {
  return familyOf(id) !== null;
}

function createInstance(family: Family, context: AggregateContext): AggregateInstance {
  if (usesWeight(family, context)) {
    return new GroupWeightAggregate(context, must(context.weightOffset));
  }
  const inner = family.make({ ...context, base: context.slotOffset + distinctBytes(context) });
  // The least and the greatest are the same with and without copies.
  const ignoresCopies = inner instanceof ExtremeAggregate || inner instanceof AppendOnlyExtreme;
  return context.isDistinct && !ignoresCopies ? new DistinctAggregate(context, inner) : inner;
}

/** Bytes before the family's own slot. */
function distinctBytes({ isDistinct }: AggregateUse): number {
  return isDistinct ? DISTINCT_SLOT_BYTES : 0;
}

function usesWeight(family: Family, { isDistinct, weightOffset }: AggregateUse): boolean {
  return family.isWeight === true && !isDistinct && weightOffset !== null;
}

function familyOf(id: string): Family | null {
  const open = id.indexOf('(');
  const name = open < 0 ? id : id.slice(0, open);
  const arg = open < 0 ? '' : id.slice(open + 1, -1);
  switch (name) {
    case 'count':
      return count(arg !== '');
    case 'sum':
      return sum(arg);
    case 'avg':
      return average(arg);
    case 'bool_and':
    case 'every':
      return bool(true);
    case 'bool_or':
      return bool(false);
    case 'min':
    case 'least_of':
      return extreme(false);
    case 'max':
      return extreme(true);
    case 'string_agg':
      return collect(
        (types) => types[0]!,
        (context) => new StringAggregate(context),
      );
    case 'array_agg':
      return collect(
        (types) => must(arrayOf(types[0]!)),
        (context) => new ArrayAggregate(context),
      );
    case 'variance':
    case 'var_samp':
    case 'var_pop':
    case 'stddev':
    case 'stddev_samp':
    case 'stddev_pop':
      return variance(arg, !name.endsWith('_pop'), name.startsWith('stddev'));
    default:
      return null;
  }
}

const VARIANCE_INPUTS: Readonly<Record<string, VarianceInput>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  numeric: 'numeric',
  float4: 'float',
  float8: 'float',
};

function variance(arg: string, isSample: boolean, isDeviation: boolean): Family | null {
  const input = VARIANCE_INPUTS[arg];
  if (input === undefined) return null;
  return {
    slotBytes: VARIANCE_SLOT_BYTES,
    resultType: () => (input === 'float' ? FLOAT8 : NUMERIC),
    make: (context) => new VarianceAggregate(context, { input, isSample, isDeviation }),
  };
}

function count(hasArgument: boolean): Family {
  return {
    slotBytes: COUNT_SLOT_BYTES,
    isWeight: !hasArgument,
    resultType: () => INT8,
    make: (context) => new CountAggregate(context, hasArgument),
  };
}

function bool(isAnd: boolean): Family {
  return {
    slotBytes: BOOL_SLOT_BYTES,
    resultType: () => BOOL,
    make: (context) => new BoolAggregate(context, isAnd),
  };
}

function sum(arg: string): Family | null {
  switch (arg) {
    case 'int2':
    case 'int4':
      return integerSum('int8');
    case 'int8':
      return integerSum('numeric');
    case 'float4':
    case 'float8':
      return floatSum(false, arg === 'float4');
    case 'numeric':
      return numericSum(false);
    case 'interval':
      return intervalSum(false);
    default:
      return null;
  }
}

function average(arg: string): Family | null {
  switch (arg) {
    case 'int2':
    case 'int4':
    case 'int8':
      return integerSum('average');
    case 'float4':
    case 'float8':
      return floatSum(true, arg === 'float4');
    case 'numeric':
      return numericSum(true);
    case 'interval':
      return intervalSum(true);
    default:
      return null;
  }
}

function integerSum(kind: IntegerSumResult): Family {
  return {
    slotBytes: INTEGER_SUM_SLOT_BYTES,
    resultType: () => (kind === 'int8' ? INT8 : NUMERIC),
    make: (context) => new IntegerSumAggregate(context, kind),
  };
}

function floatSum(isAverage: boolean, isFloat4: boolean): Family {
  return {
    slotBytes: FLOAT_SUM_SLOT_BYTES,
    resultType: () => (isFloat4 && !isAverage ? FLOAT4 : FLOAT8),
    make: (context) => new FloatSumAggregate(context, isAverage, isFloat4),
  };
}

function numericSum(isAverage: boolean): Family {
  return {
    slotBytes: NUMERIC_SUM_SLOT_BYTES,
    resultType: () => NUMERIC,
    make: (context) => new NumericSumAggregate(context, isAverage),
  };
}

function intervalSum(isAverage: boolean): Family {
  return {
    slotBytes: INTERVAL_SLOT_BYTES,
    resultType: () => INTERVAL,
    make: (context) => new IntervalSumAggregate(context, isAverage),
  };
}

function extreme(isMax: boolean): Family {
  return {
    slotBytes: EXTREME_SLOT_BYTES,
    resultType: (types) => types[0]!,
    make: (context) =>
      context.isAppendOnly
        ? new AppendOnlyExtreme(context, isMax)
        : new ExtremeAggregate(context, isMax),
  };
}

function collect(
  resultType: (types: readonly DataType[]) => DataType,
  make: (context: SlotContext) => AggregateInstance,
): Family {
  return { slotBytes: MULTISET_SLOT_BYTES, resultType, make };
}
