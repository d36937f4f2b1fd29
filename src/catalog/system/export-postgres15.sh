#!/usr/bin/env bash
# Makes postgres15.jsonl.gz: what a real PostgreSQL 15 says of its own catalogs (a fact sheet, no code).
# Usage: PGHOST=... PGPORT=... PGUSER=... ./export-postgres15.sh  (a fresh cluster, initdb --locale=C)
# First a line for each relation of pg_catalog and information_schema: schema, name, oid, kind, columns as
# [name, type oid (domains resolved), typmod, attnum, not null]. Then a line for each static relation: name, rows as
# COPY text fields. Text search and PL/pgSQL are left out: they are not here.
set -euo pipefail
cd "$(dirname "$0")"
run() { psql -d postgres -qAt -v ON_ERROR_STOP=1 "$@"; }
{
  run -c "
    select json_build_object('schema', n.nspname, 'name', c.relname, 'oid', c.oid::int8, 'kind', c.relkind, 'columns',
      (select json_agg(json_build_array(attname, case when t.typtype = 'd' then t.typbasetype else t.oid end::int8,
                                        atttypmod, attnum, attnotnull) order by attnum)
         from pg_attribute a join pg_type t on t.oid = a.atttypid
        where attrelid = c.oid and attnum > 0 and not attisdropped))
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where relkind in ('r', 'v') and n.nspname in ('pg_catalog', 'information_schema')
    order by n.nspname, c.relname"
  for relation in pg_aggregate pg_am pg_amop pg_amproc pg_cast pg_collation pg_conversion pg_language pg_namespace pg_opclass \
    pg_operator pg_opfamily pg_proc pg_range pg_tablespace pg_timezone_abbrevs pg_type; do
    where=
    if [ "$relation" = pg_language ]; then where="where lanname <> 'plpgsql'"; fi
    run -c "copy (select * from $relation $where order by 1) to stdout" |
      python3 -c "import json, sys; print(json.dumps({'static': '$relation', 'rows': sys.stdin.read().splitlines()}, separators=(',', ':')))"
  done
} | gzip -9n > postgres15.jsonl.gz
