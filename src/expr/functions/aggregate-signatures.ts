/** Aggregates and window functions as resolution sees them. Their bodies: expr/aggregates/ and dataflow's OVER operator. */

import { defineSignature } from '../registry.ts';

const AGGREGATES: readonly (readonly [string, string])[] = [
  ['count()', 'int8'],
  ['count(any)', 'int8'],
  ['sum(int2)', 'int8'],
  ['sum(int4)', 'int8'],
  ['sum(int8)', 'numeric'],
  ['sum(numeric)', 'numeric'],
  ['sum(float4)', 'float4'],
  ['sum(float8)', 'float8'],
  ['sum(interval)', 'interval'],
  ['avg(int2)', 'numeric'],
  ['avg(int4)', 'numeric'],
  ['avg(int8)', 'numeric'],
  ['avg(numeric)', 'numeric'],
  ['avg(float4)', 'float8'],
  ['avg(float8)', 'float8'],
  ['avg(interval)', 'interval'],
  ['bool_and(bool)', 'bool'],
  ['bool_or(bool)', 'bool'],
  ['every(bool)', 'bool'],
  ['string_agg(text,text)', 'text'],
  ['string_agg(bytea,bytea)', 'bytea'],
  ['array_agg(anynonarray)', 'anyarray'],
];

for (const [id, result] of AGGREGATES)
  defineSignature(id, 'aggregate', result, { isStrict: false });

const MINMAX = [
  'int2',
  'int4',
  'int8',
  'float4',
  'float8',
  'numeric',
  'text',
  'bpchar',
  'date',
  'time',
  'timestamp',
  'timestamptz',
  'interval',
  'oid',
  'anyarray',
];

for (const type of MINMAX) {
  defineSignature(`min(${type})`, 'aggregate', type, { isStrict: false });
  defineSignature(`max(${type})`, 'aggregate', type, { isStrict: false });
}

for (const name of ['stddev', 'stddev_samp', 'stddev_pop', 'variance', 'var_samp', 'var_pop']) {
  for (const type of ['int2', 'int4', 'int8', 'numeric']) {
    defineSignature(`${name}(${type})`, 'aggregate', 'numeric', { isStrict: false });
  }
  for (const type of ['float4', 'float8']) {
    defineSignature(`${name}(${type})`, 'aggregate', 'float8', { isStrict: false });
  }
}

/** What a group over values of coarser equality shows: the least member by (SQL order, bytes). */
defineSignature('least_of(anyelement)', 'aggregate', 'anyelement', {
  isStrict: false,
  isVisible: false,
});

const WINDOW_FUNCTIONS: readonly (readonly [string, string])[] = [
  ['row_number()', 'int8'],
  ['rank()', 'int8'],
  ['dense_rank()', 'int8'],
  ['lag(anyelement)', 'anyelement'],
  ['lag(anyelement,int4)', 'anyelement'],
  ['lag(anycompatible,int4,anycompatible)', 'anycompatible'],
  ['lead(anyelement)', 'anyelement'],
  ['lead(anyelement,int4)', 'anyelement'],
  ['lead(anycompatible,int4,anycompatible)', 'anycompatible'],
  ['first_value(anyelement)', 'anyelement'],
  ['last_value(anyelement)', 'anyelement'],
];

for (const [id, result] of WINDOW_FUNCTIONS)
  defineSignature(id, 'window', result, { isStrict: false });
