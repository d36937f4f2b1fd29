/**
 * One session's values of its settings. Names are case-insensitive. SET LOCAL lasts until the transaction ends; SET
 * inside a transaction rolls back with it.
 */

import { SqlError } from '../base/sql-error.ts';
import { canonicalSetting, showDuration } from './setting-values.ts';
import { SETTING_BY_NAME, SETTINGS, type SettingDefinition } from './settings.ts';

export interface SettingRow {
  readonly name: string;
  readonly value: string;
  readonly description: string;
}

/** One session's values. */
export class SessionVariables {
  readonly #defaults = new Map<string, string>();
  #values = new Map<string, string>();
  /** Values before the transaction's first change; null outside one. */
  #saved: Map<string, string> | null = null;
  /** What SET LOCAL must restore at the end of the transaction. */
  readonly #local = new Map<string, string | undefined>();
  readonly #onReport: (name: string, value: string) => void;
  /** Counts changes: what was planned under one version is good for that one. */
  version = 0;

  constructor(onReport: (name: string, value: string) => void = () => {}) {
    this.#onReport = onReport;
  }

  /** A startup parameter: becomes the session's default, which RESET goes back to. */
  setDefault(name: string, value: string): void {
    const definition = this.#definition(name);
    if (definition === undefined) this.#setCustom(this.#defaults, name, value);
    else this.#defaults.set(definition.name.toLowerCase(), canonicalSetting(definition, value));
  }

  /** What the server fixes for this session (session_authorization, ssl). */
  fix(name: string, value: string): void {
    this.#defaults.set(name.toLowerCase(), value);
  }

  /** The setting's name as PostgreSQL writes it: what SHOW calls its column. */
  nameOf(name: string): string {
    return this.#definition(name)?.name ?? name;
  }

  get(name: string): string {
    const value = this.find(name);
    if (value === undefined) throw unrecognized(name);
    return value;
  }

  /** As `SHOW name` prints it. */
  show(name: string): string {
    const value = this.get(name);
    return this.#definition(name)?.type.kind === 'duration' ? showDuration(value) : value;
  }

  /** undefined where no such setting is known. */
  find(name: string): string | undefined {
    const key = name.toLowerCase();
    return this.#values.get(key) ?? this.#defaults.get(key) ?? SETTING_BY_NAME.get(key)?.initial;
  }

  /** Milliseconds of a duration setting; 0 = none. */
  durationMs(name: string): number {
    return Number(this.get(name));
  }

  set(name: string, value: string, isLocal = false): void {
    const definition = this.#definition(name);
    if (definition?.isReadOnly)
      throw new SqlError('55P02', `parameter "${definition.name}" cannot be changed`);
    if (definition === undefined) {
      this.#remember(name.toLowerCase(), isLocal);
      this.#setCustom(this.#values, name, value);
      return;
    }
    const key = definition.name.toLowerCase();
    const next = canonicalSetting(definition, value, name);
    this.#remember(key, isLocal);
    this.#change(definition, key, next);
  }

  reset(name: string): void {
    const definition = this.#definition(name);
    if (definition === undefined && this.find(name) === undefined) throw unrecognized(name);
    const key = name.toLowerCase();
    this.#remember(key, false);
    const before = this.find(key);
    // A name of one's own stays known, as PostgreSQL keeps its placeholder.
    if (definition === undefined && !this.#defaults.has(key)) this.#values.set(key, '');
    else this.#values.delete(key);
    if (definition?.isReported && before !== this.find(key))
      this.#onReport(definition.name, this.get(key));
  }

  resetAll(): void {
    for (const key of [...this.#values.keys()]) this.reset(key);
  }

  begin(): void {
    this.#saved = null;
    this.#local.clear();
  }

  commit(): void {
    for (const [key, value] of this.#local) this.#restore(key, value);
    this.begin();
  }

  rollback(): void {
    const saved = this.#saved;
    this.#local.clear();
    if (saved !== null) {
      const keys = new Set([...saved.keys(), ...this.#values.keys()]);
      for (const key of keys) this.#restore(key, saved.get(key));
    }
    this.begin();
  }

  /** ParameterStatus pairs for the start of the session. */
  reported(): ReadonlyMap<string, string> {
    return new Map(
      SETTINGS.filter((definition) => definition.isReported).map((definition) => [
        definition.name,
        this.get(definition.name),
      ]),
    );
  }

  all(): readonly SettingRow[] {
    return SETTINGS.map(({ name, description }) => ({
      name,
      value: this.show(name),
      description,
    }));
  }

  #definition(name: string): SettingDefinition | undefined {
    return SETTING_BY_NAME.get(name.toLowerCase());
  }

  #setCustom(target: Map<string, string>, name: string, value: string): void {
    if (!/^[a-z_][a-z0-9_$]*(\.[a-z_][a-z0-9_$]*)+$/i.test(name)) throw unrecognized(name);
    target.set(name.toLowerCase(), value);
  }

  #remember(key: string, isLocal: boolean): void {
    this.version++;
    this.#saved ??= new Map(this.#values);
    if (isLocal) {
      if (!this.#local.has(key)) this.#local.set(key, this.#values.get(key));
    } else this.#local.delete(key);
  }

  #restore(key: string, value: string | undefined): void {
    const before = this.find(key);
    this.version++;
    if (value === undefined) this.#values.delete(key);
    else this.#values.set(key, value);
    const definition = SETTING_BY_NAME.get(key);
    if (definition?.isReported && before !== this.find(key))
      this.#onReport(definition.name, this.get(key));
  }

  #change(definition: SettingDefinition, key: string, next: string): void {
    const before = this.find(key);
    this.#values.set(key, next);
    if (definition.isReported && before !== next) this.#onReport(definition.name, next);
  }
}

function unrecognized(name: string): SqlError {
  return new SqlError('42704', `unrecognized configuration parameter "${name}"`);
}
