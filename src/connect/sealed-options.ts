/** Checked options that hold secrets: what is kept of them is sealed, and opened when a connector is. */

import { isSealed, type SecretBox } from '../base/secret-box.ts';
import type { Json } from './source.ts';

/** Names of the options whose values may be secrets: errors and status never show them. */
const MAY_BE_SECRET = /password|username|credentials|secret|token(?!\.endpoint)|\.pem$/;
/** Those whose plain values are not shown either. */
const IS_HIDDEN = /password|secret|token(?!\.endpoint)|key\.pem/;

export function maySecretBe(option: string): boolean {
  return MAY_BE_SECRET.test(option);
}

export function isHiddenOption(option: string): boolean {
  return IS_HIDDEN.test(option);
}

/** A text somewhere in JSON. */
export interface PlacedText {
  /** Names of members and numbers of elements, from the outside. */
  readonly path: readonly (string | number)[];
  readonly text: string;
}

/**
 * `kept` with every text sealed that comes from a secret, also in part: where `checked`, from the true values, differs from
 * `other`, the same options from other values. `kept` has the shape of `checked`, and may have more.
 */
export function sealOptions(kept: Json, checked: Json, other: Json, box: SecretBox): Json {
  return withTexts(kept, sealedTexts(checked, other, box));
}

/** Those texts alone, sealed, with their places. */
export function sealedTexts(checked: Json, other: Json, box: SecretBox): PlacedText[] {
  if (typeof checked === 'string') {
    return checked === other ? [] : [{ path: [], text: box.seal(checked) }];
  }
  if (typeof checked !== 'object' || checked === null) return [];
  const names = Array.isArray(checked) ? [...checked.keys()] : Object.keys(checked);
  return names.flatMap((name) =>
    sealedTexts(at(checked, name), at(other, name), box).map(({ path, text }) => {
      return { path: [name, ...path], text };
    }),
  );
}

/** The options with other texts at their places. */
export function withTexts(options: Json, texts: readonly PlacedText[]): Json {
  return texts.reduce((json, { path, text }) => withText(json, path, text), options);
}

function withText(json: Json, [name, ...rest]: PlacedText['path'], text: string): Json {
  if (name === undefined) return text;
  const inner = withText(at(json, name), rest, text);
  if (Array.isArray(json)) return json.map((item, i) => (i === name ? inner : (item as Json)));
  return { ...(json as { readonly [key: string]: Json }), [name]: inner };
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
