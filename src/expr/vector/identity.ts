/** Casts that change nothing in memory: the column itself is the result. */

import { defineVector, type VectorBody } from '../registry.ts';

const same: VectorBody = (args) => args[0]!;

const SAME_BYTES: readonly (readonly [string, string])[] = [
  ['varchar', 'text'],
  ['text', 'varchar'],
  ['unknown', 'text'],
  ['name', 'text'],
  ['name', 'varchar'],
  ['char', 'text'],
  ['jsonb', 'json'],
  ['int2', 'int4'],
  ['float4', 'float8'],
  ['oid', 'int8'],
  ...['regclass', 'regtype', 'regproc', 'regnamespace', 'regrole', 'regoper'].flatMap(
    (type) =>
      [
        ['oid', type],
        [type, 'oid'],
        [type, 'int8'],
      ] as [string, string][],
  ),
];

for (const [from, to] of SAME_BYTES) defineVector(`cast(${from},${to})`, same);
