/** Commits as the input log holds them: DDL, catalog changes, the order of DML and posts as JSON; rows and bodies as bytes. */

import { must } from '../base/assert.ts';
import type { PostedBody } from '../connect/source.ts';
import type { DmlRecord } from '../state/manifest.ts';
import type {
  CatalogRecord,
  CommitRequest,
  DdlAction,
  DmlChange,
  LetterReplay,
  SourcePost,
} from './port.ts';

interface LoggedPost {
  readonly shape: PostedBody['shape'];
  readonly key: string | null;
}

/** JSON, in commit order. */
export type LoggedCommits = readonly {
  readonly ddl: readonly DdlAction[];
  readonly catalog: CatalogRecord | null;
  readonly dml: readonly { readonly judge: DmlChange['judge']; readonly isTruncate: boolean }[];
  /** Absent: none. */
  readonly posts?: readonly LoggedPost[];
  readonly replays?: readonly LetterReplay[];
}[];

const NO_ROWS = new Uint8Array(0);

/** The records of a commit: its DML, then its posts. `letterCount`: of a relation, dead letters that it has ever had. */
export function manifestCommits(
  requests: readonly CommitRequest[],
  letterCount: (id: number) => number,
): {
  readonly ddl: LoggedCommits | null;
  readonly dml: DmlRecord[];
} {
  if (requests.length === 0) return { ddl: null, dml: [] };
  const ddl = requests.map(({ ddl, catalog, dml, posts = [], replays = [] }) => ({
    ddl: ddl.map((action) =>
      action.kind === 'drop' ? { ...action, letterCount: letterCount(action.id) } : action,
    ),
    catalog,
    dml: dml.map(({ judge, rows }) => ({ judge, isTruncate: rows === null })),
    ...(posts.length === 0
      ? {}
      : { posts: posts.map(({ body, key }): LoggedPost => ({ shape: body.shape, key })) }),
    ...(replays.length === 0 ? {} : { replays }),
  }));
  const dml = requests.flatMap((request) => [
    ...request.dml.map(({ relationId, rows }) => ({ relationId, rows: rows ?? NO_ROWS })),
    ...(request.posts ?? []).map(({ sourceId, body }) => {
      return { relationId: sourceId, rows: body.bytes };
    }),
  ]);
  return { ddl, dml };
}

export function restoreCommits(
  logged: LoggedCommits | null,
  records: readonly DmlRecord[],
): CommitRequest[] {
  let at = 0;
  const next = () => must(records[at++], 'a manifest has lost a DML record');
  return (logged ?? []).map(({ ddl, catalog, dml, posts = [], replays = [] }) => ({
    ddl,
    catalog,
    dml: dml.map(({ judge, isTruncate }): DmlChange => {
      const { relationId, rows } = next();
      return { relationId, rows: isTruncate ? null : rows, judge };
    }),
    posts: posts.map(({ shape, key }): SourcePost => {
      const { relationId, rows } = next();
      return { sourceId: relationId, body: { bytes: rows, shape }, key };
    }),
    replays,
  }));
}
