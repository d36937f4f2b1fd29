/** A catalog made from DDL text, and plans of queries over it: what the planner's tests stand on. */

import { must } from '../base/assert.ts';
import { Catalog } from '../catalog/catalog.ts';
import type { CatalogObject, Json, SystemRelation } from '../catalog/objects.ts';
import type { Query } from '../sql/ast.ts';
import { parseStatements } from '../sql/parse.ts';
import type { Statement } from '../sql/statements.ts';
import type { DataType } from '../types/data-type.ts';
import { DEFAULT_SETTINGS } from '../types/value.ts';
import type { DmlPlan, PlannedView } from './bound-statement.ts';
import type { PlannerContext } from './context.ts';
import { explainQuery, explainStream } from './explain.ts';
import type { QueryPlan } from './plan-node.ts';
import {
  planDml,
  planPlainView,
  planQuery,
  planRelation,
  planView,
  type ViewOptions,
} from './planner.ts';
import { DEFAULT_VIEW_OPTIONS } from './stream.ts';

export class ScriptedCatalog {
  catalog: Catalog;
  /** Compare with and without. */
  optimize = true;

  constructor(system: readonly SystemRelation[] = []) {
    this.catalog = Catalog.create(system);
  }

  context(parameterTypes: readonly (DataType | null)[] = []): PlannerContext {
    const { catalog, optimize } = this;
    const searchPath = ['public'];
    return { catalog, searchPath, settings: DEFAULT_SETTINGS, parameterTypes, optimize };
  }

  /** Runs CREATE statements. */
  define(text: string): this {
    for (const { ast } of parseStatements(text)) {
      const id = this.catalog.nextId;
      const puts = [this.#object(ast, id)];
      this.catalog = this.catalog.apply({ puts, removes: [], nextId: id + 1 });
    }
    return this;
  }

  query(text: string, parameterTypes: readonly (DataType | null)[] = []): QueryPlan {
    return planQuery(queryOf(text), this.context(parameterTypes));
  }

  view(text: string, options: Partial<ViewOptions> = {}): PlannedView {
    return planView(queryOf(text), [], { ...DEFAULT_VIEW_OPTIONS, ...options }, this.context());
  }

  dml(text: string, parameterTypes: readonly (DataType | null)[] = []): DmlPlan {
    const { ast } = must(parseStatements(text)[0]);
    if (ast.kind !== 'insert' && ast.kind !== 'update' && ast.kind !== 'delete') {
      throw new TypeError(`no DML: ${ast.kind}`);
    }
    return planDml(ast, this.context(parameterTypes));
  }

  explain(text: string): string {
    return explainQuery(this.query(text));
  }

  explainView(text: string, options: Partial<ViewOptions> = {}): string {
    return explainStream(this.view(text, options).plan);
  }

  #object(ast: Statement, id: number): CatalogObject {
    const schemaId = must(this.catalog.schema('public')).id;
    const base = { id, owner: 'millrace', comment: null, schemaId, settings: {} };
    switch (ast.kind) {
      case 'create_table':
        return {
          ...base,
          ...planRelation(ast, this.context()),
          kind: 'table',
          name: must(ast.name.parts.at(-1)),
          isAppendOnly: ast.isAppendOnly,
          onConflict: ast.onConflict,
          connector: null,
        };
      case 'create_source': {
        const connector = {
          connector: 'test',
          options: {},
          format: null,
          encode: null,
          encodeOptions: {},
        };
        const name = must(ast.name.parts.at(-1));
        return { ...base, ...planRelation(ast, this.context()), kind: 'source', name, connector };
      }
      case 'create_view': {
        const planned = planPlainView(ast.query, ast.columns, this.context());
        return {
          ...base,
          kind: 'view',
          name: must(ast.name.parts.at(-1)),
          columns: planned.columns,
          sql: ast.queryText,
          plan: planned.plan as unknown as Json,
          dependsOn: planned.relationIds,
        };
      }
      case 'create_materialized_view': {
        const emit = ast.emit?.mode ?? 'update';
        const options = { ...DEFAULT_VIEW_OPTIONS, emit };
        const planned = planView(ast.query, ast.columns, options, this.context());
        return {
          ...base,
          kind: 'materialized_view',
          name: must(ast.name.parts.at(-1)),
          columns: planned.columns,
          sql: ast.queryText,
          plan: planned.plan as unknown as Json,
          properties: planned.properties,
          options: {},
          dependsOn: planned.dependsOn,
        };
      }
      default:
        throw new TypeError(`not for a scripted catalog: ${ast.kind}`);
    }
  }
}

export function queryOf(text: string): Query {
  const { ast } = must(parseStatements(text)[0]);
  if (ast.kind !== 'select_statement') throw new TypeError(`no query: ${ast.kind}`);
  return ast.query;
}
