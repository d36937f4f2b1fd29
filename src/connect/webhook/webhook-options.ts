/** Options of the connector `webhook`: checks at CREATE, and what the HTTP port has to know of a source. */

import { notSupported } from '../../base/sql-error.ts';
import { checkMessageEncoding } from '../encodings.ts';
import { badValue, type CheckRequest, checkOptions, type OptionSchema } from '../options.ts';
import type { Json, SourceColumn, SourceContext, SourceReader } from '../source.ts';
import { WebhookSource, type WebhookSourceOptions } from './webhook-source.ts';

const OWNER = 'connector "webhook"';
const KIB = 1024;
const MIB = 1024 * KIB;

const SCHEMA: OptionSchema = {
  secret: { kind: 'text', default: null },
  'signature.header': { kind: 'text', default: 'x-hub-signature-256' },
  'body.max.bytes': { kind: 'integer', min: 1, max: 64 * MIB, default: MIB },
  'queued.max.bytes': { kind: 'integer', min: 1, max: 1024 * MIB, default: 16 * MIB },
};

/** A header's name (RFC 9110: a token). */
const HEADER_NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/** What is asked of a request before its body becomes rows. */
export interface WebhookDoor {
  /** Key of the signature; null: none is asked for. */
  readonly secret: string | null;
  /** Name of the signature's header, in lower case. */
  readonly signatureHeader: string;
  readonly bodyBytesMax: number;
  /** Bytes of bodies that are not answered yet. */
  readonly queuedBytesMax: number;
}

export function checkWebhookSource(request: CheckRequest): Json {
  doorOf(request.options);
  const { encode, encodeOptions, columns, context, settings } = request;
  const fields = columns.flatMap(({ isGenerated }, index) => (isGenerated === true ? [] : [index]));
  const members = columns.filter((_, index) => fields.includes(index));
  const schema = context.schema ?? null;
  const encoding = checkMessageEncoding(encode, encodeOptions, members, schema, settings);
  if (encoding.kind !== 'json') {
    throw notSupported(`ENCODE ${encode?.toUpperCase()} with ${OWNER}`, {
      hint: 'Say FORMAT PLAIN ENCODE JSON.',
    });
  }
  const checked: WebhookSourceOptions = { encoding, fields, settings };
  return checked as unknown as Json;
}

export function openWebhookSource(
  checked: Json,
  columns: readonly SourceColumn[],
  context: SourceContext,
): SourceReader {
  return new WebhookSource(checked as unknown as WebhookSourceOptions, columns, context);
}

/** Of the options as the catalog keeps them. */
export function webhookDoor(options: Readonly<Record<string, string>>): WebhookDoor {
  const { connector: _, ...own } = options;
  const known = Object.keys(SCHEMA).flatMap((name) =>
    own[name] === undefined ? [] : [[name, own[name]] as const],
  );
  return doorOf(new Map(known));
}

function doorOf(given: ReadonlyMap<string, string>): WebhookDoor {
  const options = checkOptions(OWNER, SCHEMA, given);
  const secret = options.get('secret') as string | null;
  if (secret === '') throw badValue(OWNER, 'secret', '', 'a text of one character at least');
  const header = options.get('signature.header') as string;
  const signatureHeader = header.toLowerCase();
  if (!HEADER_NAME.test(signatureHeader)) {
    throw badValue(OWNER, 'signature.header', header, "a header's name");
  }
  return {
    secret,
    signatureHeader,
    bodyBytesMax: options.get('body.max.bytes') as number,
    queuedBytesMax: options.get('queued.max.bytes') as number,
  };
}
