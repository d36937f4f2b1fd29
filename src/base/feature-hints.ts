/**
 * What to do instead of what is not supported: HINT of 0A000. `notSupported` looks here by the name of the feature, so that each
 * text stands once; where the place knows better, its own hint wins. A test holds every feature of the sources against this table.
 */

const REPLACE_VIEW = 'DROP it and create it again.';
const COPY_TABLE =
  'CREATE TABLE with the columns as they shall be, INSERT ... SELECT, DROP the old one and RENAME.';
const ONE_ROLE = 'There is one role, millrace; its password is what --password-file holds.';
const NESTED_ARRAY = 'Arrays have one dimension: keep one row for each inner array, or use jsonb.';
const COMPOSITE = 'Keep the fields in columns of their own, or use jsonb_build_object.';
const JSON_FUNCTIONS = 'Use the jsonb functions and operators: jsonb_build_object, ->, ->>, @>.';
const SUBQUERY_ELSEWHERE = 'Join with the query, and use its columns in the clause.';
const TEXT_FORMAT = 'Use the text format or CSV.';
const SMALL_TRANSACTION = 'Use a transaction of its own.';
const NUMBERED_KEYS =
  'Use a uuid with DEFAULT gen_random_uuid(), or give the numbers in the INSERT.';
const NO_EFFECT = 'Leave it out.';
const PLAIN_INDEX =
  'CREATE INDEX ON table (column, ...); the conditions of a query are checked anyway.';
const PLAIN_PATTERN =
  'Write the pattern without it, or take the text apart with split_part and substring.';

/** By the whole name. */
const HINTS: ReadonlyMap<string, string> = new Map([
  // Definitions.
  ['CREATE TABLE AS', 'CREATE TABLE, then INSERT ... SELECT; or CREATE MATERIALIZED VIEW.'],
  ['CREATE TABLE AS EXECUTE', 'CREATE TABLE, then INSERT ... SELECT with the query itself.'],
  ['SELECT INTO here', 'CREATE TABLE, then INSERT ... SELECT; or CREATE MATERIALIZED VIEW.'],
  ['CREATE TABLE OF', 'List the columns.'],
  ['this form of CREATE', 'CREATE TABLE with a list of columns.'],
  [
    'CREATE SCHEMA with elements',
    'CREATE SCHEMA first, then each object: CREATE TABLE schema.name ...',
  ],
  ['CREATE TEMPORARY TABLE', 'CREATE TABLE, and DROP it; or use WITH in the query.'],
  ['CREATE TEMPORARY VIEW', 'CREATE VIEW, and DROP it; or use WITH in the query.'],
  ['UNLOGGED', NO_EFFECT],
  ['TABLESPACE', NO_EFFECT],
  ['USING of a table access method', NO_EFFECT],
  ['LIKE in CREATE TABLE', 'List the columns; SHOW CREATE TABLE prints those of the other table.'],
  ['INHERITS', 'Create tables of their own and a view that is their UNION ALL.'],
  ['PARTITION OF', 'Create tables of their own and a view that is their UNION ALL.'],
  ['PARTITION BY', 'Keep all rows in one table.'],
  ['FOREIGN KEY', 'Leave it out; a view with an outer join can show the rows without a partner.'],
  ['EXCLUDE', 'Use UNIQUE, or a view that shows the rows in conflict.'],
  ['this constraint', 'Use NOT NULL, CHECK, UNIQUE or PRIMARY KEY.'],
  ['NULLS NOT DISTINCT', 'Declare the columns NOT NULL.'],
  ['a CHECK that is not immutable', 'Compare with constants, or check in the INSERT.'],
  ['an identity column', NUMBERED_KEYS],
  ['VIRTUAL generated column', 'Use GENERATED ALWAYS AS (...) STORED.'],
  ['%TYPE', "Write the type's name."],
  ['SETOF', "Write the element's type, or an array of it."],
  [
    'more than one WATERMARK',
    'Keep one; a view over the table can take windows by its other time columns.',
  ],
  ['ON CONFLICT of a table', 'Say ON CONFLICT in the INSERT.'],
  ['CREATE OR REPLACE MATERIALIZED VIEW', REPLACE_VIEW],
  ['WITH NO DATA', 'CREATE the view without it, when it is to run.'],
  ['WITH CHECK OPTION', 'Write to the table, with a CHECK there.'],
  ['CREATE UNIQUE INDEX', 'Say UNIQUE or PRIMARY KEY in CREATE TABLE.'],
  ['a partial index', PLAIN_INDEX],
  ['an index on an expression', 'Add a column GENERATED ALWAYS AS (...) STORED and index that.'],
  ['CREATE SINK ... INTO', 'CREATE MATERIALIZED VIEW, and read that in place of the table.'],
  ['CREATE TYPE', 'Use text with a CHECK for an enum, columns or jsonb for a composite type.'],
  ['CREATE DOMAIN', 'Use the type itself, with a CHECK on each column.'],
  ['CREATE FUNCTION', 'Write the expression into the query, or keep it in a view.'],
  [
    'CREATE AGGREGATE, OPERATOR, TYPE or COLLATION',
    'The built-in ones are there: docs/sql.md lists them.',
  ],
  [
    'CREATE TRIGGER',
    'CREATE MATERIALIZED VIEW over the table, and SUBSCRIBE to it or CREATE SINK from it.',
  ],
  ['CREATE RULE', 'CREATE VIEW, and write to the table below it.'],
  ['CREATE SEQUENCE', NUMBERED_KEYS],
  ['ALTER SEQUENCE', NUMBERED_KEYS],
  ['CREATE DATABASE', 'CREATE SCHEMA; or start another server with another --data-dir.'],
  ['DROP DATABASE', 'DROP SCHEMA ... CASCADE; or stop the server and remove its data directory.'],
  ['CREATE EXTENSION', 'There are none to install.'],
  ['CREATE SUBSCRIPTION', 'SUBSCRIBE to the view, or DECLARE a cursor FOR SUBSCRIBE.'],
  ['CREATE CONNECTION', 'Give the options in each CREATE SOURCE and CREATE SINK.'],
  [
    'CREATE ALERT',
    'CREATE MATERIALIZED VIEW with the condition, and SUBSCRIBE to it or CREATE SINK from it.',
  ],
  ['CREATE ROLE', ONE_ROLE],
  ['ALTER ROLE', 'Write the password into the file of --password-file and start the server again.'],
  ['DROP ROLE', ONE_ROLE],
  ['GRANT', ONE_ROLE],
  ['REVOKE', ONE_ROLE],
  // Changes of definitions.
  ['ALTER ... SET SCHEMA of this object', 'DROP it and create it again in the other schema.'],
  ['ALTER TYPE', 'There are built-in types only.'],
  ['ALTER FUNCTION', 'There are built-in functions only.'],
  // Statements.
  ['MERGE', 'Use INSERT ... ON CONFLICT DO UPDATE, UPDATE ... FROM and DELETE ... USING.'],
  ['DO', 'Send the statements one by one.'],
  ['CALL', 'Send the statements one by one.'],
  ['LISTEN', 'SUBSCRIBE to a view: its changes come as rows.'],
  ['NOTIFY', 'INSERT into a table, and SUBSCRIBE to a view over it.'],
  ['LOCK TABLE', 'Use BEGIN ISOLATION LEVEL SERIALIZABLE: a conflict is then an error (40001).'],
  ['SET CONSTRAINTS', 'Constraints are checked at the end of each statement.'],
  ['LOAD', 'There is nothing to load.'],
  [
    'EXPLAIN ANALYZE',
    'EXPLAIN shows the plan; millrace.jobs and millrace.operators show what a view costs.',
  ],
  ['EXPLAIN (STAGE fragments)', 'Stages are: logical, stream.'],
  [
    'CHECK MATERIALIZED VIEW',
    "Compare by hand: the view's query EXCEPT ALL the view, and the other way round.",
  ],
  [
    'REPLAY DEAD LETTERS of generated records',
    'What is generated stays as it is: create the source again, as it should be.',
  ],
  [
    'REPLAY DEAD LETTERS in a transaction block',
    'Send it by itself: its rows enter an epoch of their own.',
  ],
  ['REFRESH MATERIALIZED VIEW', 'A materialized view is always current: reading it is enough.'],
  ['a statement other than SELECT here', 'Send the statement by itself.'],
  ['AND CHAIN', 'COMMIT or ROLLBACK, then BEGIN.'],
  ['SAVEPOINT', SMALL_TRANSACTION],
  ['RELEASE SAVEPOINT', SMALL_TRANSACTION],
  ['ROLLBACK TO SAVEPOINT', SMALL_TRANSACTION],
  ['PREPARE TRANSACTION', 'Use COMMIT.'],
  ['COMMIT PREPARED', 'There are no prepared transactions.'],
  ['ROLLBACK PREPARED', 'There are no prepared transactions.'],
  ['SET TRANSACTION SNAPSHOT', 'Read in one transaction: BEGIN ISOLATION LEVEL REPEATABLE READ.'],
  ['SET ... FROM CURRENT', 'Give the value.'],
  ['an expression in SET', 'Give a constant.'],
  ['COPY ... PROGRAM', "Use psql's \\copy ... FROM PROGRAM, which runs it on the client."],
  ['COPY with a file on the server', "Use \\copy in psql, or a source with connector = 'file'."],
  ['COPY ... WHERE', 'COPY into a table of its own, then INSERT ... SELECT ... WHERE.'],
  ['COPY in binary format', TEXT_FORMAT],
  ['COPY of a statement with RETURNING', 'COPY (SELECT ...) TO STDOUT after it.'],
  ['DECLARE BINARY CURSOR', 'The client chooses the format of the results.'],
  ['WITH HOLD in a transaction that has written', 'COMMIT first.'],
  ['SUBSCRIBE to a query', 'CREATE MATERIALIZED VIEW and subscribe to that.'],
  ['SUBSCRIBE ... AS OF', 'SUBSCRIBE without it: the snapshot comes first, then each change.'],
  [
    'SUBSCRIBE ... ENVELOPE',
    'Put the changes together by the key: rows of weight -1 go, those of +1 come.',
  ],
  ['SUBSCRIBE WITH (PROGRESS)', 'Rows of a new epoch say that the one before is complete.'],
  ['SUBSCRIBE in a transaction that has written', 'COMMIT first.'],
  [
    'SUBSCRIBE to a view that emits less often than every half an hour',
    'SELECT from the view from time to time.',
  ],
  ['the function call message', 'Send SELECT function(...).'],
  // Writing rows.
  ['RETURNING WITH', 'RETURNING gives the new values.'],
  ['assignment to a part of a column', 'Assign the whole value.'],
  ['assignment of a volatile subquery to several columns', 'Assign to one column at a time.'],
  ['ON CONFLICT (expression)', 'Name the columns of a unique constraint.'],
  ['a partial index in ON CONFLICT', 'Name the columns of a unique constraint.'],
  ['OVERRIDING', NO_EFFECT],
  [
    'UPDATE ... FROM on a table without a primary key',
    'Declare one, or use a subquery in SET and WHERE.',
  ],
  [
    'INSERT, UPDATE or DELETE in WITH',
    'Send it as a statement of its own, both in one transaction.',
  ],
  ['WHERE CURRENT OF', 'Use the primary key of the row that was fetched.'],
  // Queries.
  [
    'WITH RECURSIVE',
    'Use generate_series for numbers and times; join the table with itself once for each level.',
  ],
  [
    'SEARCH or CYCLE',
    'Use generate_series for numbers and times; join the table with itself once for each level.',
  ],
  ['FOR UPDATE or FOR SHARE', 'Writers take their locks at the first INSERT, UPDATE or DELETE.'],
  ['FETCH FIRST WITH TIES', 'Filter by rank() OVER (ORDER BY ...) in a subquery.'],
  ['ORDER BY ... USING', 'Say ASC or DESC.'],
  ['TABLESAMPLE', 'WHERE random() < 0.1 in an ad-hoc query, or a condition on a key.'],
  ['XMLTABLE', 'Take the text apart before it comes here.'],
  ['JSON_TABLE', 'Use LATERAL jsonb_array_elements(...), and ->> for the columns.'],
  ['XML', 'Use text or jsonb.'],
  ['JOIN ... USING (...) AS alias', "Use the tables' own names."],
  [
    'ASOF JOIN',
    'Join by key and time <= time, and keep the latest: DISTINCT ON (...) ORDER BY time DESC.',
  ],
  ['FOR SYSTEM_TIME AS OF', 'Join with the view or table as it is: its changes are followed.'],
  ['GAP_FILL', 'Join with generate_series of the times.'],
  [
    'MATCH_RECOGNIZE',
    'Patterns over few rows can be written as joins of the table with itself, or with lag().',
  ],
  [
    'ROWS FROM with several functions',
    'Join them: f(...) WITH ORDINALITY FULL JOIN g(...) WITH ORDINALITY USING (ordinality).',
  ],
  ['a column definition list', 'Use jsonb_to_record with ->> for each column.'],
  ['WITH ORDINALITY of this function', 'Use row_number() OVER ().'],
  ['VARIADIC in a call', 'Give the arguments one by one.'],
  [
    'VARIADIC with other than ARRAY[...]',
    'Give the arguments one by one, or array_to_string for one array.',
  ],
  ['a subquery in the ON clause of an outer join', SUBQUERY_ELSEWHERE],
  ['a correlated subquery with FULL JOIN', SUBQUERY_ELSEWHERE],
  ['a subquery in this clause', SUBQUERY_ELSEWHERE],
  ['comparison of a row with a subquery', 'Use EXISTS with one comparison for each column.'],
  [
    'more than one set-returning function in a select list',
    'Put them into FROM: FROM f(...), g(...).',
  ],
  ['a set-returning function in this select list', 'Put the function into FROM.'],
  ['a whole-row reference', 'List the columns, or use jsonb_build_object.'],
  ['a row value outside a comparison', COMPOSITE],
  ['a field of a composite value', COMPOSITE],
  ['expansion of a composite value', COMPOSITE],
  ['input of anonymous composite types', COMPOSITE],
  ['binary input of composite types', COMPOSITE],
  ['a multidimensional array constructor', NESTED_ARRAY],
  ['a slice of a multidimensional array', NESTED_ARRAY],
  ['concatenation of multidimensional arrays', NESTED_ARRAY],
  ['trim_array of a multidimensional array', NESTED_ARRAY],
  ['NULL among nested arrays', NESTED_ARRAY],
  ['ARRAY of this type', 'Cast the elements to text.'],
  [
    'WITHIN GROUP',
    'Rank the rows with row_number() OVER (ORDER BY ...) and take those at the wanted place.',
  ],
  ['SESSION WITH GAP in OVER', 'Use FROM SESSION(...), and group by window_start and window_end.'],
  ['DISTINCT in a window function', 'Use a subquery with DISTINCT or GROUP BY.'],
  ['FILTER in a window function', 'Use CASE WHEN ... THEN ... END as its argument.'],
  ['ORDER BY in a window function', 'Say ORDER BY in OVER (...).'],
  [
    'this window frame',
    'Begin it at UNBOUNDED PRECEDING and end it at CURRENT ROW or UNBOUNDED FOLLOWING.',
  ],
  ['IS JSON', 'Cast to jsonb: what is not JSON is an error (22P02).'],
  ['JSON_OBJECT()', JSON_FUNCTIONS],
  ['JSON_ARRAY()', JSON_FUNCTIONS],
  ['JSON()', JSON_FUNCTIONS],
  ['JSON_SCALAR()', JSON_FUNCTIONS],
  ['JSON_SERIALIZE()', JSON_FUNCTIONS],
  ['a SQL/JSON query function', JSON_FUNCTIONS],
  ['MERGE_ACTION()', 'It belongs to MERGE, which is not supported either.'],
  ['look-around in a regular expression', PLAIN_PATTERN],
  ['a back-reference in a regular expression', PLAIN_PATTERN],
  ['a regular expression that mixes greedy and non-greedy parts', PLAIN_PATTERN],
  ['a repeated capturing group in a regular expression', 'Write the group as (?:...).'],
  // Views.
  [
    'proctime() over an input that is not append-only',
    'Take proctime() in a view right over the source or APPEND ONLY table.',
  ],
  [
    'allowed_lateness together with EMIT ON WINDOW CLOSE',
    'Leave one of them out: a window that is shown once has no corrections.',
  ],
  [
    'now() outside a comparison with a column in a materialized view',
    'Write the condition as `column > now() - INTERVAL ...`.',
  ],
  // Connectors.
  [
    'PRIMARY KEY with FORMAT PLAIN',
    'Use FORMAT UPSERT or DEBEZIUM; records of FORMAT PLAIN have no key.',
  ],
  ['a group in a Protobuf schema', 'Use a message of its own, as in proto3.'],
  ['Avro of an array of several dimensions', NESTED_ARRAY],
  ['Protobuf of an array of several dimensions', NESTED_ARRAY],
  ['the combined nexmark stream', "Give nexmark.table.type = 'person', 'auction' or 'bid'."],
]);

/** By the form of the name, for those that contain what the user wrote. */
const FORMS: readonly (readonly [RegExp, string])[] = [
  [
    /^volatile function .* in a materialized view$/,
    'Compute the value when the row is written, into a column, or in the query over the view.',
  ],
  [/^a system relation /, 'Read it with a plain SELECT or a view.'],
  [/^option "retention" /, "Use WHERE column > now() - INTERVAL '...' in the view."],
  [/^option "ttl" /, "Use WHERE column > now() - INTERVAL '...' in the view."],
  [/^option ".*" of a materialized view$/, NO_EFFECT],
  [/^table option /, NO_EFFECT],
  [/^view option /, NO_EFFECT],
  [/^COPY option /, NO_EFFECT],
  [/^a unique key over /, 'Use a type whose equal values look the same.'],
  [/^ALTER TABLE .*ROW (LEVEL )?SECURITY/, ONE_ROLE],
  [/^ALTER SYSTEM$/, 'Set it with a flag or in the file of --config.'],
  [/^ALTER TABLE/, COPY_TABLE],
  [
    /^ALTER SECRET /,
    'ALTER SECRET name AS gives it another value; CREATE SECRET makes another one.',
  ],
  [/^ALTER (MATERIALIZED VIEW|VIEW|SOURCE|SINK|INDEX|SCHEMA) /, REPLACE_VIEW],
  [/^ALTER \.\.\. RENAME /, REPLACE_VIEW],
  [/^ALTER /, REPLACE_VIEW],
  [/^(CREATE|ALTER|DROP) (ROLE|USER|GROUP)/, ONE_ROLE],
  [
    /^(DROP|COMMENT ON) /,
    'Tables, sources, sinks, views, materialized views, indexes and schemas are.',
  ],
  [/ of a job$/, 'DROP it, and create it again when it is to run. RESUME takes sources and sinks.'],
  [
    /^SHOW /,
    'Use SHOW SOURCES, TABLES, VIEWS, MATERIALIZED VIEWS, SINKS, INDEXES, SECRETS or JOBS.',
  ],
  [/^EXPLAIN of /, 'EXPLAIN takes a query, CREATE MATERIALIZED VIEW and MATERIALIZED VIEW v.'],
  [/^function pg_sleep$/, 'Wait on the client.'],
  [
    /^function (percentile_cont|percentile_disc|mode)$/,
    'Rank the rows with row_number() OVER (ORDER BY ...) and take those at the wanted place.',
  ],
  [/^function (nextval|currval|setval|lastval)$/, NUMBERED_KEYS],
  [/^function pg_/, 'The relations of pg_catalog and millrace can be read.'],
  [/^function (xml|query_to_xml|table_to_xml)/, 'Use text or jsonb.'],
  [
    /^function ntile$/,
    'Compute it: (row_number() OVER (ORDER BY ...) - 1) * n / count(*) OVER () + 1.',
  ],
  [/^(function|aggregate function) /, 'docs/sql.md lists what there is.'],
  [/^type (small|big)?serial[248]?$/, NUMBERED_KEYS],
  [/^type .*range$/, 'Use two columns, from and to.'],
  [/^type money$/, 'Use numeric(p,s).'],
  [/^type (timetz|time with time zone)$/, 'Use timestamptz, or time.'],
  [/^type (bit|varbit)$/, 'Use bytea, text, or an integer with & and |.'],
  [/^type xml$/, 'Use text or jsonb.'],
  [/^type /, 'Use text.'],
  [/^collation /, 'Text is ordered as in collation "C".'],
  [/^row comparison with /, 'Compare with =, <>, <, <=, > or >=.'],
  [/^date\/time input /, 'Use current_date, or now() with an INTERVAL.'],
  [/ in a regular expression$/, PLAIN_PATTERN],
  [/ of a table with a connector$/, 'Check the rows in a view over the table.'],
  [/^FORMAT DEBEZIUM /, 'Use ENCODE JSON, AVRO, PROTOBUF or MSGPACK.'],
  [/^ENCODE .* of files$/, 'Use ENCODE CSV or JSON.'],
  [/^ENCODE /, 'Use ENCODE JSON, AVRO, CSV, MSGPACK or BYTES.'],
  [/^datagen for columns of type /, 'Use text or a number, and cast in a view.'],
  [
    /^(CHECK|UNIQUE) of a table with a connector$/,
    'Leave it out; a view over the table can tell the rows apart.',
  ],
  [
    /^PRIMARY KEY with FORMAT PLAIN$/,
    'Use FORMAT UPSERT where records have keys, or leave it out.',
  ],
  [/^CREATE /, 'docs/sql.md lists what can be created.'],
];

/** What to do instead of `feature`; undefined: nothing is known. */
export function featureHint(feature: string): string | undefined {
  return HINTS.get(feature) ?? FORMS.find(([form]) => form.test(feature))?.[1];
}
