/** The relations of schema millrace: what the engine does, as tables. Their rows are made by serve. */

import {
  BOOL,
  BYTEA,
  type DataType,
  FLOAT8,
  INT4,
  INT8,
  TEXT,
  TIMESTAMPTZ,
} from '../../types/data-type.ts';
import type { SystemRelation } from '../objects.ts';

const FIRST_OID = 13100;

const DEFINITIONS: readonly (readonly [
  name: string,
  columns: Readonly<Record<string, DataType>>,
])[] = [
  [
    'jobs',
    {
      id: INT8,
      name: TEXT,
      kind: TEXT,
      state: TEXT,
      error: TEXT,
      on_error: TEXT,
      row_count: INT8,
      rows_in: INT8,
      used: INT8,
      late: INT8,
      null_time: INT8,
      withheld: INT8,
      late_assignments: INT8,
      watermark: TIMESTAMPTZ,
      rows_out: INT8,
      epoch: INT8,
      freshness_us: INT8,
    },
  ],
  [
    'operators',
    {
      job_id: INT8,
      job: TEXT,
      position: INT8,
      operator: TEXT,
      rows: INT8,
      state_bytes: INT8,
      rows_in: INT8,
      rows_out: INT8,
    },
  ],
  [
    'sources',
    {
      id: INT8,
      name: TEXT,
      state: TEXT,
      error: TEXT,
      rows_read: INT8,
      rows_decoded: INT8,
      rows_rejected: INT8,
      null_time: INT8,
      unknown_deletes: INT8,
      lag: INT8,
      lag_unit: TEXT,
      rows_per_second: FLOAT8,
      split: TEXT,
      position: TEXT,
      is_ended: BOOL,
    },
  ],
  [
    'sinks',
    {
      id: INT8,
      name: TEXT,
      connector: TEXT,
      state: TEXT,
      error: TEXT,
      rows_sent: INT8,
      pending_epochs: INT8,
      pending_rows: INT8,
      held_rows: INT8,
      spooled_bytes: INT8,
      spooled_epoch: INT8,
      delivered_epoch: INT8,
      kind: TEXT,
      rows_dropped: INT8,
    },
  ],
  [
    'watermarks',
    { relation: TEXT, split: TEXT, watermark: TIMESTAMPTZ, is_idle: BOOL, is_ended: BOOL },
  ],
  [
    'epochs',
    {
      published: INT8,
      at: TIMESTAMPTZ,
      epoch_count: INT8,
      rows_in: INT8,
      state_bytes: INT8,
      last_epoch_us: INT8,
      last_checkpoint_epoch: INT8,
    },
  ],
  [
    'dead_letters',
    {
      id: INT8,
      at: TIMESTAMPTZ,
      kind: TEXT,
      source: TEXT,
      view: TEXT,
      split: TEXT,
      position: TEXT,
      row: TEXT,
      reason: TEXT,
      op: TEXT,
      sqlstate: TEXT,
      weight: INT8,
      topic: TEXT,
      partition: INT4,
      record_offset: INT8,
      key: BYTEA,
      raw: BYTEA,
      is_cut: BOOL,
    },
  ],
  [
    'connections',
    {
      pid: INT8,
      user_name: TEXT,
      application_name: TEXT,
      address: TEXT,
      state: TEXT,
      connected_at: TIMESTAMPTZ,
      statement_us: INT8,
      statement: TEXT,
    },
  ],
  ['secrets', { id: INT8, name: TEXT }],
];

/** The relations, with fixed OIDs. */
export const MILLRACE_RELATIONS: readonly SystemRelation[] = DEFINITIONS.map(
  ([name, columns], index) =>
    Object.freeze({
      kind: 'system',
      schema: 'millrace',
      name,
      oid: FIRST_OID + index,
      relkind: 'v',
      columns: Object.entries(columns).map(([column, type]) => ({ name: column, type })),
    }),
);
