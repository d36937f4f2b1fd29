/** pg_foreign_server and pg_foreign_table: a source is a foreign table of its connector (psql's \d of a source reads them). */

import type { SourceObject } from '../objects.ts';
import { MILLRACE_ROLE_OID } from './oids.ts';
import type { SystemRow, SystemRowSource, SystemRowsContext } from './system-row.ts';

function* sourcesOf({ catalog }: SystemRowsContext): Generator<SourceObject> {
  for (const object of catalog.objects()) {
    if (object.kind === 'source') yield object;
  }
}

/** Each source has a server of its own, with its OID: connectors are no objects of the catalog. */
function* foreignServers(context: SystemRowsContext): Generator<SystemRow> {
  for (const source of sourcesOf(context)) {
    yield {
      oid: source.id,
      srvname: source.connector.connector,
      srvowner: MILLRACE_ROLE_OID,
      srvfdw: 0,
      srvtype: null,
      srvversion: null,
      srvacl: null,
      srvoptions: null,
    };
  }
}

function* foreignTables(context: SystemRowsContext): Generator<SystemRow> {
  // Options may hold secrets: millrace.sources shows those that may be seen.
  for (const { id } of sourcesOf(context)) yield { ftrelid: id, ftserver: id, ftoptions: null };
}

export const foreignRows: ReadonlyMap<string, SystemRowSource> = new Map([
  ['pg_catalog.pg_foreign_server', foreignServers],
  ['pg_catalog.pg_foreign_table', foreignTables],
]);
