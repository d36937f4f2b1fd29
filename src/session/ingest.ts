/** What the HTTP port knows of sources that rows are posted to. */

import type { PostedBody } from '../connect/source.ts';
import type { PostResult } from '../dataflow/port.ts';
import type { Database } from './database.ts';
import { withSecretValues } from './option-secrets.ts';

export interface WebhookTarget {
  readonly id: number;
  /** WITH (...), with the values of secrets. */
  readonly options: Readonly<Record<string, string>>;
}

export interface IngestPort {
  /** The source, or table, of connector webhook; null: there is none of that name. */
  find(schema: string, name: string): WebhookTarget | null;
  /**
   * Answers when the body's rows are durable: all of them, or none. Rejects with 42P01 (dropped meanwhile), 55000 (nobody
   * reads the source, or it has failed), 22P02 (no JSON), 53xxx and 57P01 where the server cannot take it now.
   */
  post(target: WebhookTarget, body: PostedBody, key: string | null): Promise<PostResult>;
  /** Who has no password may not write: a source without a secret takes nothing. */
  readonly isSecretNeeded: boolean;
  /** Counts an answer. */
  answered(schema: string, name: string, status: number): void;
}

export function ingestPort(database: Database, isSecretNeeded: boolean): IngestPort {
  return {
    isSecretNeeded,
    find(schema, name) {
      const { catalog } = database;
      const found = catalog.findRelation({ schema, name }, []);
      if (found?.kind !== 'source' && found?.kind !== 'table') return null;
      const { id, connector } = found;
      if (connector?.connector !== 'webhook') return null;
      return { id, options: withSecretValues(connector.options, catalog, database) };
    },
    async post({ id }, body, key) {
      const posts = [{ sourceId: id, body, key }];
      const result = await database.engine.commit({ ddl: [], catalog: null, dml: [], posts });
      return result.posts[0]!;
    },
    answered(schema, name, status) {
      const source = `${schema}.${name}`;
      database.metrics.webhookPosts.inc({ source, status: String(status) });
    },
  };
}
