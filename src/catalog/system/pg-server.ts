/** The server as a whole: databases, roles, settings, sessions, cursors. */

import { BOOTSTRAP_OWNER } from '../catalog.ts';
import { DEFAULT_TABLESPACE_OID, MILLRACE_DATABASE_OID, MILLRACE_ROLE_OID } from './oids.ts';
import type { SystemRow, SystemRowSource, SystemRowsContext } from './system-row.ts';

const UTF8 = 6;

const ROLE: SystemRow = {
  rolname: BOOTSTRAP_OWNER,
  rolsuper: true,
  rolinherit: true,
  rolcreaterole: true,
  rolcreatedb: true,
  rolcanlogin: true,
  rolreplication: false,
  rolbypassrls: true,
  rolconnlimit: -1,
  rolpassword: '********',
  rolvaliduntil: null,
  rolconfig: null,
  oid: MILLRACE_ROLE_OID,
};

const USER: SystemRow = {
  usename: BOOTSTRAP_OWNER,
  usesysid: MILLRACE_ROLE_OID,
  usecreatedb: true,
  usesuper: true,
  userepl: false,
  usebypassrls: true,
  passwd: '********',
  valuntil: null,
  useconfig: null,
};

function databases({ database }: SystemRowsContext): SystemRow[] {
  return [
    {
      oid: MILLRACE_DATABASE_OID,
      datname: database,
      datdba: MILLRACE_ROLE_OID,
      encoding: UTF8,
      datlocprovider: 'c',
      datallowconn: true,
      datconnlimit: -1,
      dattablespace: DEFAULT_TABLESPACE_OID,
      datcollate: 'C',
      datctype: 'C',
      daticulocale: null,
      datcollversion: null,
      datacl: null,
    },
  ];
}

function* settings({ settings: rows }: SystemRowsContext): Generator<SystemRow> {
  for (const { name, value, description } of rows) {
    yield {
      name,
      setting: value,
      category: 'Millrace',
      short_desc: description,
      context: 'user',
      vartype: 'string',
      source: 'default',
      boot_val: value,
      reset_val: value,
      pending_restart: false,
    };
  }
}

function* activity({ sessions, database }: SystemRowsContext): Generator<SystemRow> {
  for (const session of sessions) {
    yield {
      datid: MILLRACE_DATABASE_OID,
      datname: database,
      pid: session.processId,
      usesysid: MILLRACE_ROLE_OID,
      usename: session.user,
      application_name: session.applicationName,
      backend_start: session.startedText,
      state: session.state,
      query: session.query,
      backend_type: 'client backend',
    };
  }
}

export const serverRows: readonly (readonly [string, SystemRowSource])[] = [
  ['pg_catalog.pg_database', databases],
  ['pg_catalog.pg_roles', () => [ROLE]],
  ['pg_catalog.pg_authid', () => [ROLE]],
  ['pg_catalog.pg_user', () => [USER]],
  ['pg_catalog.pg_shadow', () => [USER]],
  ['pg_catalog.pg_settings', settings],
  ['pg_catalog.pg_stat_activity', activity],
  [
    'pg_catalog.pg_cursors',
    ({ cursors }) =>
      cursors.map(({ name, statement, isHeld }) => ({
        name,
        statement,
        is_holdable: isHeld,
        is_binary: false,
        is_scrollable: false,
      })),
  ],
  [
    'pg_catalog.pg_prepared_statements',
    ({ preparedStatements }) =>
      preparedStatements.map(({ name, statement }) => ({ name, statement, from_sql: false })),
  ],
];
