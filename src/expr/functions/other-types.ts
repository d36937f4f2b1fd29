/** Names of PostgreSQL's types that are in pg_type but not among ours, for format_type. */

/** OID and name. */
const SCALARS = `
  22 int2vector, 27 tid, 29 cid, 30 oidvector, 32 pg_ddl_command, 142 xml, 194 pg_node_tree, 269 table_am_handler,
  325 index_am_handler, 600 point, 601 lseg, 602 path, 603 box, 604 polygon, 628 line,
  650 cidr, 718 circle, 774 macaddr8, 790 money, 829 macaddr, 869 inet, 1033 aclitem,
  1266 time with time zone, 1560 bit, 1562 bit varying, 1790 refcursor, 2202 regprocedure,
  2204 regoperator, 2208 regoper[], 2275 cstring, 2276 "any", 2277 anyarray, 2279 trigger,
  2280 language_handler, 2281 internal, 2283 anyelement, 2776 anynonarray, 2970 txid_snapshot,
  3115 fdw_handler, 3220 pg_lsn, 3310 tsm_handler, 3361 pg_ndistinct, 3402 pg_dependencies,
  3500 anyenum, 3614 tsvector, 3615 tsquery, 3642 gtsvector, 3734 regconfig,
  3769 regdictionary, 3831 anyrange, 3838 event_trigger, 3904 int4range, 3906 numrange,
  3908 tsrange, 3910 tstzrange, 3912 daterange, 3926 int8range, 4072 jsonpath,
  4191 regcollation, 4451 int4multirange, 4532 nummultirange, 4533 tsmultirange,
  4534 tstzmultirange, 4535 datemultirange, 4536 int8multirange, 4537 anymultirange,
  4538 anycompatiblemultirange, 4600 pg_brin_bloom_summary, 4601 pg_brin_minmax_multi_summary,
  5017 pg_mcv_list, 5038 pg_snapshot, 5069 xid8, 5077 anycompatible, 5078 anycompatiblearray,
  5079 anycompatiblenonarray, 5080 anycompatiblerange`;

/** OID of the array type, OID of its element. */
const ARRAYS = `
  143 142, 271 5069, 629 628, 651 650, 719 718, 775 774, 791 790,
  1006 22, 1010 27, 1012 29, 1013 30, 1017 600, 1018 601, 1019 602, 1020 603, 1027 604,
  1034 1033, 1040 829, 1041 869, 1263 2275, 1270 1266, 1561 1560, 1563 1562, 2201 1790,
  2207 2202, 2209 2204, 2949 2970, 3221 3220, 3643 3614, 3644 3642,
  3645 3615, 3735 3734, 3770 3769, 3905 3904, 3907 3906, 3909 3908, 3911 3910, 3913 3912,
  3927 3926, 4073 4072, 4192 4191, 5039 5038, 6150 4451, 6151 4532, 6152 4533, 6153 4534,
  6155 4535, 6157 4536`;

const names = new Map<number, string>();
for (const item of SCALARS.split(',')) {
  const [, oid, name] = /^\s*(\d+) (.*)$/.exec(item) ?? [];
  if (name !== undefined) names.set(Number(oid), name);
}
for (const item of ARRAYS.split(',')) {
  const [oid, element] = item.trim().split(' ').map(Number);
  names.set(oid!, `${names.get(element!) ?? '???'}[]`);
}

/** By OID; undefined: PostgreSQL has none. */
export function otherTypeName(oid: number): string | undefined {
  return names.get(oid);
}
