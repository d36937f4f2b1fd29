/** The AST of statements; queries and expressions are in ast.ts. */

import type {
  Emit,
  Expr,
  QualifiedName,
  Query,
  SelectItem,
  SortKey,
  TableRef,
  TypeName,
  WithClause,
} from './ast.ts';

/** One option of WITH (...), FORMAT ... ENCODE ... (...), EXPLAIN (...), COPY (...). */
export interface Option {
  readonly kind: 'option';
  readonly position: number;
  /** Dotted names in one string, lower-cased where unquoted: properties.bootstrap.server. */
  readonly name: string;
  /** The value's text without quotes; null where none was given. Lists (FORCE_NULL (a, b)) are in `list`. */
  readonly value: string | null;
  readonly valuePosition: number;
  /** `option = secret NAME`; absent: the value is said. */
  readonly secret?: string;
  readonly list: readonly string[] | null;
}

// ---------------------------------------------------------------------------------------------- definitions

export type ReferentialAction = 'no action' | 'restrict' | 'cascade' | 'set null' | 'set default';

export interface Constraint {
  readonly kind: 'constraint';
  readonly position: number;
  readonly name: string | null;
  readonly type: 'primary_key' | 'unique' | 'check' | 'foreign_key';
  /** Of the table's own; of a column constraint that column. */
  readonly columns: readonly string[];
  /** CHECK. */
  readonly check: Expr | null;
  readonly references: {
    readonly table: QualifiedName;
    readonly columns: readonly string[];
    readonly onDelete: ReferentialAction;
    readonly onUpdate: ReferentialAction;
  } | null;
}

export interface ColumnDefinition {
  readonly kind: 'column_definition';
  readonly position: number;
  readonly name: string;
  /** null: from the generation expression (day AS expr). */
  readonly type: TypeName | null;
  readonly isNotNull: boolean;
  readonly default: Expr | null;
  /** GENERATED ALWAYS AS (expr) STORED, or `day DATE AS (expr)`. */
  readonly generated: Expr | null;
  readonly identity: 'always' | 'by_default' | null;
  readonly collation: QualifiedName | null;
  readonly constraints: readonly Constraint[];
}

/** WATERMARK FOR column AS expr. */
export interface WatermarkDefinition {
  readonly kind: 'watermark';
  readonly position: number;
  readonly column: string;
  readonly expr: Expr;
}

/** INCLUDE KEY|PARTITION|OFFSET|TIMESTAMP|HEADER 'name' AS alias. */
export interface IncludeItem {
  readonly kind: 'include';
  readonly position: number;
  readonly what:
    | 'key'
    | 'partition'
    | 'offset'
    | 'timestamp'
    | 'header'
    | 'headers'
    | 'file'
    | 'line';
  readonly header: string | null;
  readonly alias: string | null;
}

/** FORMAT PLAIN|UPSERT|DEBEZIUM ENCODE JSON|CSV|... (options). */
export interface FormatClause {
  readonly kind: 'format';
  readonly position: number;
  readonly format: string;
  readonly encode: string;
  readonly options: readonly Option[];
}

interface RelationDefinition {
  readonly position: number;
  readonly name: QualifiedName;
  readonly ifNotExists: boolean;
  readonly columns: readonly ColumnDefinition[];
  readonly constraints: readonly Constraint[];
  readonly watermarks: readonly WatermarkDefinition[];
  readonly include: readonly IncludeItem[];
  readonly options: readonly Option[];
  readonly format: FormatClause | null;
}

export interface CreateTable extends RelationDefinition {
  readonly kind: 'create_table';
  readonly isTemporary: boolean;
  readonly isAppendOnly: boolean;
  readonly onConflict: 'overwrite' | 'do_nothing' | 'do_update_if_not_null' | null;
}

export interface CreateSource extends RelationDefinition {
  readonly kind: 'create_source';
}

/** CREATE TABLE t AS query, SELECT INTO. */
export interface CreateTableAs {
  readonly kind: 'create_table_as';
  readonly position: number;
  readonly name: QualifiedName;
  readonly columns: readonly string[];
  readonly ifNotExists: boolean;
  readonly isTemporary: boolean;
  readonly query: Query;
  readonly withData: boolean;
}

export interface CreateView {
  readonly kind: 'create_view';
  readonly position: number;
  readonly name: QualifiedName;
  readonly columns: readonly string[];
  readonly orReplace: boolean;
  readonly isTemporary: boolean;
  readonly options: readonly Option[];
  readonly query: Query;
  /** The query's part of the statement's text, [start, end). */
  readonly queryText: string;
}

export interface CreateMaterializedView {
  readonly kind: 'create_materialized_view';
  readonly position: number;
  readonly name: QualifiedName;
  readonly columns: readonly string[];
  readonly orReplace: boolean;
  readonly ifNotExists: boolean;
  readonly options: readonly Option[];
  readonly query: Query;
  readonly queryText: string;
  readonly emit: Emit | null;
  readonly withData: boolean;
}

export interface CreateSink {
  readonly kind: 'create_sink';
  readonly position: number;
  readonly name: QualifiedName;
  readonly ifNotExists: boolean;
  /** FROM v, or AS query. */
  readonly from: QualifiedName | null;
  readonly query: Query | null;
  readonly queryText: string | null;
  readonly into: QualifiedName | null;
  readonly intoColumns: readonly string[];
  readonly emit: Emit | null;
  readonly options: readonly Option[];
  readonly format: FormatClause | null;
}

export interface CreateIndex {
  readonly kind: 'create_index';
  readonly position: number;
  /** null: PostgreSQL's default name. */
  readonly name: string | null;
  readonly table: QualifiedName;
  readonly ifNotExists: boolean;
  readonly isUnique: boolean;
  readonly method: string;
  readonly keys: readonly SortKey[];
  readonly include: readonly string[];
  readonly where: Expr | null;
}

export interface CreateSchema {
  readonly kind: 'create_schema';
  readonly position: number;
  readonly name: string;
  readonly ifNotExists: boolean;
}

export interface CreateSecret {
  readonly kind: 'create_secret';
  readonly position: number;
  readonly name: string;
  readonly ifNotExists: boolean;
  readonly options: readonly Option[];
  readonly value: string;
}

export interface AlterSecret {
  readonly kind: 'alter_secret';
  readonly position: number;
  readonly name: string;
  readonly options: readonly Option[];
  readonly value: string;
}

export type ObjectKind =
  | 'table'
  | 'source'
  | 'sink'
  | 'view'
  | 'materialized view'
  | 'index'
  | 'schema'
  | 'column'
  | 'type'
  | 'function'
  | 'subscription'
  | 'secret'
  | 'connection'
  | 'sequence'
  | 'database';

export interface Drop {
  readonly kind: 'drop';
  readonly position: number;
  readonly object: ObjectKind;
  readonly names: readonly QualifiedName[];
  readonly ifExists: boolean;
  readonly behavior: 'cascade' | 'restrict';
}

export type AlterAction =
  | { readonly kind: 'rename'; readonly newName: string }
  | { readonly kind: 'rename_column'; readonly column: string; readonly newName: string }
  | { readonly kind: 'set_schema'; readonly schema: string }
  | { readonly kind: 'swap_with'; readonly other: QualifiedName }
  | { readonly kind: 'set_options'; readonly options: readonly Option[] }
  | { readonly kind: 'reset_options'; readonly names: readonly string[] }
  | {
      readonly kind: 'add_column';
      readonly column: ColumnDefinition;
      readonly ifNotExists: boolean;
    }
  | { readonly kind: 'drop_column'; readonly column: string; readonly ifExists: boolean }
  | { readonly kind: 'set_default'; readonly column: string; readonly default: Expr | null }
  | { readonly kind: 'set_not_null'; readonly column: string; readonly isNotNull: boolean }
  | {
      readonly kind: 'alter_type';
      readonly column: string;
      readonly type: TypeName;
      readonly using: Expr | null;
    }
  | { readonly kind: 'add_constraint'; readonly constraint: Constraint }
  | { readonly kind: 'drop_constraint'; readonly name: string; readonly ifExists: boolean }
  | { readonly kind: 'owner_to'; readonly owner: string };

export interface Alter {
  readonly kind: 'alter';
  readonly position: number;
  readonly object: ObjectKind;
  readonly name: QualifiedName;
  readonly ifExists: boolean;
  readonly actions: readonly AlterAction[];
}

export interface Comment {
  readonly kind: 'comment';
  readonly position: number;
  readonly object: ObjectKind;
  /** For a column: the relation's name followed by the column's. */
  readonly name: QualifiedName;
  readonly text: string | null;
}

// ---------------------------------------------------------------------------------------------- rows

export interface SelectStatement {
  readonly kind: 'select_statement';
  readonly position: number;
  readonly query: Query;
}

/** SET a = expr, (a, b) = (row or query). */
export interface Assignment {
  readonly kind: 'assignment';
  readonly position: number;
  readonly columns: readonly string[];
  /** For several columns a row or a scalar_subquery of as many columns. */
  readonly value: Expr;
}

export interface OnConflict {
  readonly kind: 'on_conflict';
  readonly position: number;
  readonly columns: readonly string[];
  readonly constraint: string | null;
  readonly indexWhere: Expr | null;
  readonly action: 'nothing' | 'update';
  readonly assignments: readonly Assignment[];
  readonly where: Expr | null;
}

export interface Insert {
  readonly kind: 'insert';
  readonly position: number;
  readonly with: WithClause | null;
  readonly table: QualifiedName;
  readonly alias: string | null;
  /** Empty: all columns in order. */
  readonly columns: readonly { readonly name: string; readonly position: number }[];
  readonly overriding: 'system' | 'user' | null;
  /** null: DEFAULT VALUES. */
  readonly query: Query | null;
  readonly onConflict: OnConflict | null;
  readonly returning: readonly SelectItem[];
}

export interface Update {
  readonly kind: 'update';
  readonly position: number;
  readonly with: WithClause | null;
  readonly table: QualifiedName;
  readonly alias: string | null;
  readonly assignments: readonly Assignment[];
  readonly from: readonly TableRef[];
  readonly where: Expr | null;
  readonly returning: readonly SelectItem[];
}

export interface Delete {
  readonly kind: 'delete';
  readonly position: number;
  readonly with: WithClause | null;
  readonly table: QualifiedName;
  readonly alias: string | null;
  readonly using: readonly TableRef[];
  readonly where: Expr | null;
  readonly returning: readonly SelectItem[];
}

export interface Truncate {
  readonly kind: 'truncate';
  readonly position: number;
  readonly tables: readonly QualifiedName[];
  readonly restartIdentity: boolean;
  readonly behavior: 'cascade' | 'restrict';
}

export interface Copy {
  readonly kind: 'copy';
  readonly position: number;
  readonly table: QualifiedName | null;
  readonly columns: readonly string[];
  /** COPY (query) TO. */
  readonly query: Query | null;
  /** COPY (SUBSCRIBE ...) TO STDOUT. */
  readonly subscribe: Subscribe | null;
  readonly direction: 'from' | 'to';
  /** null: STDIN or STDOUT. */
  readonly file: string | null;
  readonly isProgram: boolean;
  readonly options: readonly Option[];
  readonly where: Expr | null;
}

export interface Subscribe {
  readonly kind: 'subscribe';
  readonly position: number;
  readonly relation: QualifiedName | null;
  readonly query: Query | null;
  readonly queryText: string | null;
  readonly options: readonly Option[];
  readonly asOf: Expr | null;
  readonly envelope: { readonly type: 'upsert'; readonly key: readonly string[] } | null;
}

export interface DeclareCursor {
  readonly kind: 'declare_cursor';
  readonly position: number;
  readonly name: string;
  readonly isBinary: boolean;
  readonly scroll: boolean | null;
  readonly isWithHold: boolean;
  readonly query: Query | null;
  readonly subscribe: Subscribe | null;
}

/** FETCH and MOVE. */
export interface Fetch {
  readonly kind: 'fetch';
  readonly position: number;
  readonly isMove: boolean;
  readonly cursor: string;
  readonly direction: 'forward' | 'backward' | 'absolute' | 'relative';
  /** 'all' for ALL; a decimal integer otherwise. */
  readonly count: bigint | 'all';
}

export interface CloseCursor {
  readonly kind: 'close_cursor';
  readonly position: number;
  /** null: ALL. */
  readonly name: string | null;
}

// ---------------------------------------------------------------------------------------------- the session

export interface TransactionStatement {
  readonly kind: 'transaction';
  readonly position: number;
  readonly action:
    | 'begin'
    | 'commit'
    | 'rollback'
    | 'savepoint'
    | 'release'
    | 'rollback_to'
    | 'prepare'
    | 'commit_prepared'
    | 'rollback_prepared';
  readonly savepoint: string | null;
  /** ISOLATION LEVEL as written, lower case. */
  readonly isolation: string | null;
  readonly isReadOnly: boolean | null;
  readonly isDeferrable: boolean | null;
  /** AND CHAIN. */
  readonly isChain: boolean;
}

export interface SetStatement {
  readonly kind: 'set';
  readonly position: number;
  readonly scope: 'session' | 'local';
  /** TimeZone, search_path ... as written. `SET TRANSACTION ...` comes as name 'transaction' with `options`. */
  readonly name: string;
  /** null: DEFAULT. Several for lists (search_path). */
  readonly values: readonly string[] | null;
  readonly options: readonly Option[];
}

export interface ResetStatement {
  readonly kind: 'reset';
  readonly position: number;
  /** null: ALL. */
  readonly name: string | null;
}

export interface ShowVariable {
  readonly kind: 'show_variable';
  readonly position: number;
  /** 'all' for SHOW ALL. */
  readonly name: string;
}

export interface ShowObjects {
  readonly kind: 'show_objects';
  readonly position: number;
  readonly objects:
    | 'sources'
    | 'tables'
    | 'views'
    | 'materialized views'
    | 'sinks'
    | 'indexes'
    | 'jobs'
    | 'schemas'
    | 'databases'
    | 'columns'
    | 'subscriptions'
    | 'connections'
    | 'secrets'
    | 'functions';
  /** FROM schema (or, for columns and indexes, FROM relation). */
  readonly from: QualifiedName | null;
  readonly like: string | null;
}

export interface ShowCreate {
  readonly kind: 'show_create';
  readonly position: number;
  readonly object: ObjectKind;
  readonly name: QualifiedName;
}

export interface Describe {
  readonly kind: 'describe';
  readonly position: number;
  readonly name: QualifiedName;
}

export interface Explain {
  readonly kind: 'explain';
  readonly position: number;
  readonly options: readonly Option[];
  /** EXPLAIN [ANALYZE] MATERIALIZED VIEW v. */
  readonly view: QualifiedName | null;
  readonly statement: Statement | null;
}

export interface PrepareStatement {
  readonly kind: 'prepare';
  readonly position: number;
  readonly name: string;
  readonly types: readonly TypeName[];
  readonly statement: Statement;
}

export interface ExecuteStatement {
  readonly kind: 'execute';
  readonly position: number;
  readonly name: string;
  readonly args: readonly Expr[];
}

export interface Deallocate {
  readonly kind: 'deallocate';
  readonly position: number;
  /** null: ALL. */
  readonly name: string | null;
}

export interface Discard {
  readonly kind: 'discard';
  readonly position: number;
  readonly target: 'all' | 'plans' | 'sequences' | 'temp';
}

/** LISTEN, UNLISTEN, NOTIFY, LOCK TABLE, VACUUM, ANALYZE, CHECKPOINT ...: the session decides which are no-ops. */
export interface UtilityStatement {
  readonly kind: 'utility';
  readonly position: number;
  /** Upper case command tag: LISTEN, LOCK TABLE, VACUUM, CHECKPOINT, ... */
  readonly command: string;
  readonly names: readonly QualifiedName[];
}

/** REFRESH MATERIALIZED VIEW v. */
export interface Refresh {
  readonly kind: 'refresh';
  readonly position: number;
  readonly name: QualifiedName;
}

/** CHECK MATERIALIZED VIEW v. */
export interface CheckView {
  readonly kind: 'check_view';
  readonly position: number;
  readonly name: QualifiedName;
}

/** REPLAY DEAD LETTERS FOR s [WHERE ...]. */
export interface ReplayDeadLetters {
  readonly kind: 'replay_dead_letters';
  readonly position: number;
  readonly relation: QualifiedName;
  readonly where: Expr | null;
}

/** PAUSE | RESUME a job. */
export interface JobControl {
  readonly kind: 'job_control';
  readonly position: number;
  readonly action: 'pause' | 'resume';
  readonly object: ObjectKind;
  readonly name: QualifiedName;
}

/** What parses but is not done: its name, for 0A000. */
export interface UnsupportedStatement {
  readonly kind: 'unsupported';
  readonly position: number;
  /** CREATE FUNCTION, GRANT, ... */
  readonly feature: string;
}

export type Statement =
  | CreateTable
  | CreateSource
  | CreateTableAs
  | CreateView
  | CreateMaterializedView
  | CreateSink
  | CreateIndex
  | CreateSchema
  | CreateSecret
  | Drop
  | Alter
  | AlterSecret
  | Comment
  | SelectStatement
  | Insert
  | Update
  | Delete
  | Truncate
  | Copy
  | Subscribe
  | DeclareCursor
  | Fetch
  | CloseCursor
  | TransactionStatement
  | SetStatement
  | ResetStatement
  | ShowVariable
  | ShowObjects
  | ShowCreate
  | Describe
  | Explain
  | PrepareStatement
  | ExecuteStatement
  | Deallocate
  | Discard
  | UtilityStatement
  | Refresh
  | CheckView
  | ReplayDeadLetters
  | JobControl
  | UnsupportedStatement;

/** One statement of a text. */
export interface ParsedStatement {
  readonly ast: Statement;
  /** The statement's own text, without leading blanks and comments, without the semicolon. */
  readonly text: string;
  /** [start, end) of it in the whole text; positions in `ast` are offsets into the whole text. */
  readonly start: number;
  readonly end: number;
}
