/** Checked options that hold secrets: what is kept of them is sealed, and opened when a connector is. */

import { isSealed, type SecretBox } from '../base/secret-box.ts';
import type { Json } from './source.ts';

/** Names of the options whose values may be secrets: errors and status never show them. */
const MAY_BE_SECRET = /password|username|secret|token|\.pem$/;
/** Those whose plain values are not shown either. */
const IS_HIDDEN = /password|secret|token|key\.pem/;

export function maySecretBe(option: string): boolean {
  return MAY_BE_SECRET.test(option);
}

export function isHiddenOption(option: string): boolean {
  return IS_HIDDEN.test(option);
}

/**
 * `kept` with every text sealed that comes from a secret, also in part: where `checked`, from the true values, differs from
 * `other`, the same options from other values. `kept` has the shape of `checked`, and may have more.
 */
export function sealOptions(kept: Json, checked: Json, other: Json, box: SecretBox): Json {
  if (typeof checked === 'string') {
    return checked === other || typeof kept !== 'string' ? kept : box.seal(kept);
  }
  if (Array.isArray(kept)) {
    return kept.map((item, i) => sealOptions(item as Json, at(checked, i), at(other, i), box));
  }
  if (typeof kept !== 'object' || kept === null) return kept;
  const members = Object.entries(kept).map(([name, value]) => [
    name,
    sealOptions(value as Json, at(checked, name), at(other, name), box),
  ]);
  return Object.fromEntries(members) as Json;
}

/** What was sealed, opened; throws as SecretBox.open does. */
export function openOptions(kept: Json, box: SecretBox): Json {
  if (typeof kept === 'string') return isSealed(kept) ? box.open(kept) : kept;
  if (Array.isArray(kept)) return kept.map((item) => openOptions(item as Json, box));
  if (typeof kept !== 'object' || kept === null) return kept;
  return Object.fromEntries(
    Object.entries(kept).map(([name, value]) => [name, openOptions(value as Json, box)]),
  ) as Json;
}

function at(json: Json, name: string | number): Json {
  if (typeof json !== 'object' || json === null) return null;
  return (json as Record<string | number, Json>)[name] ?? null;
}
