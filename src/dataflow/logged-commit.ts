/** Commits as the input log holds them: DDL, catalog changes and the order of DML as JSON, the rows as bytes. */

import { must } from '../base/assert.ts';
import type { DmlRecord } from '../state/manifest.ts';
import type { CatalogRecord, CommitRequest, DdlAction, DmlChange } from './port.ts';

/** JSON, in commit order. */
export type LoggedCommits = readonly {
  readonly ddl: readonly DdlAction[];
  readonly catalog: CatalogRecord | null;
  readonly dml: readonly { readonly judge: DmlChange['judge']; readonly isTruncate: boolean }[];
}[];

const NO_ROWS = new Uint8Array(0);

export function manifestCommits(requests: readonly CommitRequest[]): {
  readonly ddl: LoggedCommits | null;
  readonly dml: DmlRecord[];
} {
  if (requests.length === 0) return { ddl: null, dml: [] };
  const ddl = requests.map((request) => ({
    ddl: request.ddl,
    catalog: request.catalog,
    dml: request.dml.map(({ judge, rows }) => ({ judge, isTruncate: rows === null })),
  }));
  const dml = requests.flatMap((request) =>
    request.dml.map(({ relationId, rows }) => ({ relationId, rows: rows ?? NO_ROWS })),
  );
  return { ddl, dml };
}

export function restoreCommits(
  logged: LoggedCommits | null,
  records: readonly DmlRecord[],
): CommitRequest[] {
  let next = 0;
  return (logged ?? []).map(({ ddl, catalog, dml }) => ({
    ddl,
    catalog,
    dml: dml.map(({ judge, isTruncate }): DmlChange => {
      const { relationId, rows } = must(records[next++], 'a manifest has lost a DML record');
      return { relationId, rows: isTruncate ? null : rows, judge };
    }),
  }));
}
