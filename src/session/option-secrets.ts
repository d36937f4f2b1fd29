/**
 * Secrets among a connector's options. What is kept of a statement names them; their values are there while a statement checks
 * them, no error of it shows them, and what the engine is given is sealed (connect/sealed-options.ts).
 */

import { must } from '../base/assert.ts';
import { SqlError } from '../base/sql-error.ts';
import type { Catalog } from '../catalog/catalog.ts';
import { type ConnectorDefinition, type Json, referencedSecret } from '../catalog/objects.ts';
import { OptionError } from '../connect/options.ts';
import { type PlacedText, sealedTexts, sealOptions } from '../connect/sealed-options.ts';
import type { Database } from './database.ts';
import type { SessionState } from './session-state.ts';

type Options = Readonly<Record<string, string>>;

/** The options with the secrets' values in them. */
export function withSecretValues(options: Options, catalog: Catalog, database: Database): Options {
  return mapSecrets(options, (id) => secretValue(id, catalog, database));
}

function secretValue(id: number, catalog: Catalog, { secrets }: Database): string {
  const object = must(catalog.object(id));
  return object.kind === 'secret' ? secrets.open(object.sealed) : '';
}

function mapSecrets(options: Options, valueOfSecret: (id: number) => string): Options {
  const entries = Object.entries(options).map(([name, value]) => {
    const id = referencedSecret(value);
    return [name, id === null ? value : valueOfSecret(id)] as const;
  });
  return Object.fromEntries(entries);
}

export class OptionSecrets {
  /** The definition with true values. */
  readonly plain: ConnectorDefinition;
  readonly #other: ConnectorDefinition;
  readonly #values = new Set<string>();
  readonly #session: SessionState;

  constructor(kept: ConnectorDefinition, session: SessionState) {
    this.#session = session;
    const valueOfSecret = (id: number) => secretValue(id, session.catalog, session.database);
    this.plain = mapDefinition(kept, (id) => {
      this.#values.add(valueOfSecret(id));
      return valueOfSecret(id);
    });
    this.#other = mapDefinition(kept, (id) => `${valueOfSecret(id)}.`);
  }

  /** Runs `work`; where its error shows a value, stars stand there. */
  async hidden<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw this.withStars(error);
    }
  }

  /** The error; where it shows a value, stars stand there. */
  withStars(error: unknown): unknown {
    if (!(error instanceof SqlError) || this.#values.size === 0) return error;
    return this.#hideIn(error);
  }

  /** Of what `check` gave for the true values: what may be kept. */
  seal<T extends Json>(kept: T, check: (definition: ConnectorDefinition) => Json): T {
    if (this.#values.size === 0) return kept;
    const { secrets } = this.#session.database;
    return sealOptions(kept, check(this.plain), check(this.#other), secrets) as T;
  }

  /** Of what `check` gives: where the secrets' values are, and those, sealed. */
  sealedTexts(check: (definition: ConnectorDefinition) => Json): PlacedText[] {
    try {
      const { secrets } = this.#session.database;
      return sealedTexts(check(this.plain), check(this.#other), secrets);
    } catch (error) {
      throw this.withStars(error);
    }
  }

  #hideIn(error: SqlError): SqlError {
    const hide = (text: string) =>
      [...this.#values].reduce((shown, value) => shown.replaceAll(value, '********'), text);
    const { detail, hint } = error.fields;
    const message = hide(error.message);
    const hidden = hint === undefined ? undefined : hide(hint);
    if (error instanceof OptionError) {
      return new OptionError(error.sqlstate, message, error.place, hidden);
    }
    const shown = detail === undefined ? {} : { detail: hide(detail) };
    return new SqlError(error.sqlstate, message, { ...error.fields, ...shown, hint: hidden });
  }
}

function mapDefinition(
  definition: ConnectorDefinition,
  valueOfSecret: (id: number) => string,
): ConnectorDefinition {
  return {
    ...definition,
    options: mapSecrets(definition.options, valueOfSecret),
    encodeOptions: mapSecrets(definition.encodeOptions, valueOfSecret),
  };
}
