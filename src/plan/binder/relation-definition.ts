/** CREATE TABLE and CREATE SOURCE: columns with defaults and generation, constraints, the watermark. */

import { must } from '../../base/assert.ts';
import { notSupported, SqlError } from '../../base/sql-error.ts';
import type {
  CatalogColumn,
  CheckConstraint,
  Constraint,
  Json,
  KeyConstraint,
  WatermarkDefinition,
} from '../../catalog/objects.ts';
import type { BoundExpr } from '../../expr/bound-expr.ts';
import type { Expr } from '../../sql/ast.ts';
import { deparseExpr } from '../../sql/deparse.ts';
import type {
  Constraint as AstConstraint,
  WatermarkDefinition as AstWatermark,
  ColumnDefinition,
  CreateSource,
  CreateTable,
} from '../../sql/statements.ts';
import {
  BYTEA,
  type DataType,
  INT4,
  INT8,
  JSONB,
  TEXT,
  TIMESTAMPTZ,
} from '../../types/data-type.ts';
import { plainTypeName } from '../../types/type-name.ts';
import type { BoundRelationDefinition } from '../bound-statement.ts';
import { isTimestampType, isVolatile } from '../expr-facts.ts';
import { castTo } from '../expr-make.ts';
import { exprText, withoutAssignment } from '../expr-text.ts';
import { columnsOf, someExpr } from '../expr-tree.ts';
import { foldExpr } from '../rules/fold-constants.ts';
import { fixedIntervalUs } from '../time-shift.ts';
import type { BindState } from './bind-state.ts';
import { bindConstantExpr, ExpressionBinder } from './expression.ts';
import { withoutColumns } from './no-columns.ts';
import { plainColumn } from './query.ts';
import { Scope, type ScopeColumn } from './scope.ts';
import { resolveTypeName } from './type-names.ts';

const COLUMNS_MAX = 1600;

export function bindRelationDefinition(
  statement: CreateTable | CreateSource,
  state: BindState,
): BoundRelationDefinition {
  return new RelationDefinitionBinder(statement, state).bind();
}

class RelationDefinitionBinder {
  readonly #statement: CreateTable | CreateSource;
  readonly #state: BindState;
  readonly #name: string;

  constructor(statement: CreateTable | CreateSource, state: BindState) {
    this.#statement = statement;
    this.#state = state;
    this.#name = statement.name.parts.at(-1) as string;
  }

  bind(): BoundRelationDefinition {
    const { columns: definitions } = this.#statement;
    this.#refuseDuplicates();
    const plain = definitions.map((column) => this.#plainColumn(column));
    const included = this.#included();
    const typed = [...plain, ...included];
    const generated = typed.map((column, i) => this.#generated(column, definitions[i], typed));
    const constraints = this.#constraints(generated);
    const primary = constraints.find((constraint) => constraint.kind === 'primary_key');
    const columns = generated.map((column, i) => {
      const isKey = primary?.kind === 'primary_key' && primary.columns.includes(i);
      return isKey ? { ...column, isNotNull: true } : column;
    });
    return { columns, constraints, watermark: this.#watermark(columns) };
  }

  #refuseDuplicates(): void {
    const seen = new Set<string>();
    const { columns, position } = this.#statement;
    for (const column of columns) {
      if (seen.has(column.name)) {
        const message = `column "${column.name}" specified more than once`;
        throw new SqlError('42701', message, { position: column.position });
      }
      seen.add(column.name);
    }
    if (columns.length > COLUMNS_MAX) {
      throw new SqlError('54011', `tables can have at most ${COLUMNS_MAX} columns`, { position });
    }
  }

  #plainColumn(column: ColumnDefinition): CatalogColumn {
    const { position } = column;
    if (column.identity !== null) throw notSupported('an identity column', { position });
    const type = column.type === null ? null : resolveTypeName(column.type);
    if (type?.id === 'void' || type?.id === 'record') {
      const message = `column "${column.name}" has pseudo-type ${plainTypeName(type)}`;
      throw new SqlError('42P16', message, { position });
    }
    const isNotNull = column.isNotNull;
    if (type === null) {
      // The type follows from the generation expression, which is bound over the typed columns.
      return plainColumn(column.name, TEXT, isNotNull);
    }
    const base = plainColumn(column.name, type, isNotNull);
    if (column.default === null) return base;
    const expr = this.#default(column.default, column.name, type);
    // DEFAULT NULL is none.
    if (expr.kind === 'literal' && expr.text === null) return base;
    const shown = column.default.kind === 'cast' ? expr : withoutAssignment(expr);
    const defaultText = exprText(shown, () => '') ?? deparseExpr(column.default);
    return { ...base, defaultText, defaultExpr: toJson(expr) };
  }

  #default(expr: Expr, name: string, type: DataType): BoundExpr {
    const bound = withoutColumns(
      () => bindConstantExpr(expr, null, this.#state, 'DEFAULT expression'),
      '0A000',
      'cannot use column reference in DEFAULT expression',
    );
    const cast = this.#state.coerce(bound, type, 'assignment', expr.position);
    if (cast !== null) return cast;
    const message = `column "${name}" is of type ${plainTypeName(type)} but default expression is of type ${plainTypeName(bound.type)}`;
    throw new SqlError('42804', message, {
      position: expr.position,
      hint: 'You will need to rewrite or cast the expression.',
    });
  }

  /** INCLUDE KEY AS k and the like: columns that the connector fills. */
  #included(): readonly CatalogColumn[] {
    return this.#statement.include.map((item) => {
      const name = item.alias ?? item.what;
      const included = item.header === null ? item.what : `${item.what}:${item.header}`;
      return { ...plainColumn(name, INCLUDED_TYPES[item.what] ?? TEXT, false), included };
    });
  }

  #generated(
    column: CatalogColumn,
    definition: ColumnDefinition | undefined,
    columns: readonly CatalogColumn[],
  ): CatalogColumn {
    if (definition === undefined || definition.generated === null) return column;
    const { generated, position } = definition;
    if (definition.default !== null) {
      const message = `both default and generation expression specified for column "${column.name}" of table "${this.#name}"`;
      throw new SqlError('42601', message, { position });
    }
    const bound = this.#binder(columns, 'column generation expressions').bind(generated);
    this.#refuseInGeneration(bound, generated);
    const type = definition.type === null ? ownType(bound) : column.type;
    const expr = castTo(bound, type, 'assignment', this.#state, generated.position);
    return { ...column, type, generatedText: deparseExpr(generated), generatedExpr: toJson(expr) };
  }

  #refuseInGeneration(bound: BoundExpr, generated: Expr): void {
    const { position } = generated;
    const isProctime = bound.kind === 'call' && bound.function === 'proctime()';
    const isMoving = isVolatile(bound) || someExpr(bound, (part) => part.kind === 'now');
    if (isMoving && !isProctime) {
      throw new SqlError('42P17', 'generation expression is not immutable', { position });
    }
    for (const index of columnsOf(bound)) {
      const source = this.#statement.columns[index];
      if (source === undefined || source.generated === null) continue;
      const message = `cannot use generated column "${source.name}" in column generation expression`;
      throw new SqlError('42P17', message, {
        position,
        detail: 'A generated column cannot reference another generated column.',
      });
    }
  }

  #binder(columns: readonly CatalogColumn[], clause: string): ExpressionBinder {
    const scope = new Scope(this.#state.newScopeId(), null);
    const shown: ScopeColumn[] = columns.map((column, index) => ({
      name: column.name,
      expr: { kind: 'column', index, type: column.type },
      origin: null,
    }));
    scope.tables = [{ alias: this.#name, schema: null, columns: shown, isVisible: true }];
    scope.visible = shown.map((column) => ({ ...column, table: this.#name }));
    return new ExpressionBinder(this.#state, {
      scope,
      clause,
      aggregates: null,
      windows: null,
      namedWindows: new Map(),
      bindSubquery: (query) => {
        throw new SqlError(
          '0A000',
          `cannot use subquery in ${clause.replace(/^check constraints$/, 'check constraint')}`,
          {
            position: query.position,
          },
        );
      },
    });
  }

  #constraints(columns: readonly CatalogColumn[]): readonly Constraint[] {
    const own = this.#statement.columns.flatMap((column) => column.constraints);
    const all = [...own, ...this.#statement.constraints];
    const names = new Set<string>();
    const bound = all.map((constraint) => this.#constraint(constraint, columns, names));
    const primaries = bound.filter((constraint) => constraint.kind === 'primary_key');
    if (primaries.length > 1) {
      const position = all.filter((constraint) => constraint.type === 'primary_key')[1]?.position;
      const message = `multiple primary keys for table "${this.#name}" are not allowed`;
      throw new SqlError('42P16', message, { position });
    }
    return bound;
  }

  #constraint(
    constraint: AstConstraint,
    columns: readonly CatalogColumn[],
    names: Set<string>,
  ): Constraint {
    const { position } = constraint;
    if (constraint.type === 'foreign_key') throw notSupported('FOREIGN KEY', { position });
    if (constraint.type === 'check') return this.#check(constraint, columns, names);
    const indexes = constraint.columns.map((name) => this.#columnIndex(name, columns, position));
    if (new Set(indexes).size < indexes.length) {
      const what = constraint.type === 'primary_key' ? 'primary key' : 'unique';
      const twice = constraint.columns.find((name, i) => constraint.columns.indexOf(name) < i);
      const message = `column "${twice}" appears twice in ${what} constraint`;
      throw new SqlError('42701', message, { position });
    }
    const wanted =
      constraint.type === 'primary_key'
        ? `${this.#name}_pkey`
        : `${this.#name}_${constraint.columns.join('_')}_key`;
    const name = this.#constraintName(constraint, wanted, names);
    const key: KeyConstraint = { kind: constraint.type, name, columns: indexes };
    return key;
  }

  #check(
    constraint: AstConstraint,
    columns: readonly CatalogColumn[],
    names: Set<string>,
  ): CheckConstraint {
    const check = must(constraint.check);
    const bound = this.#binder(columns, 'check constraints').condition(check, 'CHECK');
    const moving = someExpr(bound, (part) => part.kind === 'now') || isVolatile(bound);
    if (moving) {
      throw notSupported('a CHECK that is not immutable', { position: check.position });
    }
    const read = [...columnsOf(bound)];
    const only = read.length === 1 ? `_${must(columns[read[0] as number]).name}` : '';
    const name = this.#constraintName(constraint, `${this.#name}${only}_check`, names);
    const text = exprText(bound, (index) => must(columns[index]).name) ?? deparseExpr(check);
    return { kind: 'check', name, text, expr: toJson(bound) };
  }

  #constraintName(constraint: AstConstraint, wanted: string, names: Set<string>): string {
    if (constraint.name !== null && names.has(constraint.name)) {
      const message = `constraint "${constraint.name}" for relation "${this.#name}" already exists`;
      throw new SqlError('42710', message, { position: constraint.position });
    }
    let name = constraint.name ?? wanted;
    for (let i = 1; names.has(name); i++) name = `${wanted}${i}`;
    names.add(name);
    return name;
  }

  #columnIndex(name: string, columns: readonly CatalogColumn[], position: number): number {
    const index = columns.findIndex((column) => column.name === name);
    if (index >= 0) return index;
    throw new SqlError('42703', `column "${name}" named in key does not exist`, { position });
  }

  #watermark(columns: readonly CatalogColumn[]): WatermarkDefinition | null {
    const [watermark, second] = this.#statement.watermarks;
    if (second !== undefined) {
      throw notSupported('more than one WATERMARK', { position: second.position });
    }
    if (watermark === undefined) return null;
    const { position } = watermark;
    const column = columns.findIndex((one) => one.name === watermark.column);
    if (column < 0) {
      const message = `column "${watermark.column}" of WATERMARK does not exist`;
      throw new SqlError('42703', message, { position });
    }
    const { type } = must(columns[column]);
    if (!isTimestampType(type)) {
      const message = `watermark column "${watermark.column}" must be of type timestamp or timestamptz, not ${plainTypeName(type)}`;
      throw new SqlError('42804', message, { position });
    }
    const delayUs = this.#delay(watermark, column, columns);
    return { column, delayUs: String(delayUs), text: deparseExpr(watermark.expr) };
  }

  /** `c` or `c - INTERVAL`: the delay in µs. */
  #delay(watermark: AstWatermark, column: number, columns: readonly CatalogColumn[]): bigint {
    const { position } = watermark.expr;
    const bound = foldExpr(this.#binder(columns, 'WATERMARK').bind(watermark.expr));
    if (bound.kind === 'column' && bound.index === column) return 0n;
    const [base, amount] = bound.kind === 'call' ? bound.args : [];
    const isShift = bound.kind === 'call' && /^-\(timestamp(tz)?,interval\)$/.test(bound.function);
    const delay = isShift && amount !== undefined ? fixedIntervalUs(amount, true) : null;
    if (base?.kind === 'column' && base.index === column && delay !== null && delay >= 0n) {
      return delay;
    }
    throw new SqlError(
      '22023',
      `WATERMARK FOR ${watermark.column} must be the column itself, or the column less a constant interval of fixed length`,
      {
        position,
      },
    );
  }
}

const INCLUDED_TYPES: Readonly<Record<string, DataType>> = {
  key: BYTEA,
  partition: INT4,
  offset: INT8,
  timestamp: TIMESTAMPTZ,
  header: BYTEA,
  headers: JSONB,
  file: TEXT,
  line: INT8,
};

function ownType(expr: BoundExpr): DataType {
  return expr.type.id === 'unknown' ? TEXT : expr.type;
}

export function toJson(expr: BoundExpr): Json {
  return expr as unknown as Json;
}
