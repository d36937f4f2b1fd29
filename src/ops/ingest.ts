/**
 * POST /ingest/SCHEMA/NAME: rows for a source of connector `webhook`. It answers 200 when they are durable.
 *
 * The bodies that a source has not answered are bounded in bytes; beyond that a request is told to come again (429). A
 * declared length counts from the start, a body without one as the largest that is allowed.
 */

import type { Context, Hono } from 'hono';
import { SqlError } from '../base/sql-error.ts';
import { isSignedBy } from '../connect/webhook/signature.ts';
import { type WebhookDoor, webhookDoor } from '../connect/webhook/webhook-options.ts';
import type { IngestPort, WebhookTarget } from '../session/ingest.ts';

type Status = 200 | 400 | 401 | 403 | 404 | 405 | 413 | 415 | 429 | 503;

/** An answer that is none of success. */
class Refusal extends Error {
  readonly status: Status;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: Status, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

const AGAIN_SOON = { 'retry-after': '1' };
const KEY_LENGTH_MAX = 255;
const LINES_TYPE = /^application\/(x-)?(ndjson|jsonl|jsonlines|json-lines)$/;
const JSON_TYPE = /^application\/([^/]+\+)?json$/;

export function addIngestRoute(app: Hono, ingest: IngestPort): void {
  /** By source: bytes of bodies that are not answered. */
  const queued = new Map<number, number>();
  app.all('/ingest/:schema/:name', async (context) => {
    const { schema, name } = context.req.param();
    try {
      const target = find(context, ingest, schema, name);
      return await answer(context, ingest, target, queued);
    } catch (error) {
      const { status, message, headers } = refusalOf(error);
      if (status !== 404) ingest.answered(schema, name, status);
      return context.json({ error: message }, status, { ...headers });
    }
  });
}

function find(context: Context, ingest: IngestPort, schema: string, name: string): WebhookTarget {
  const target = ingest.find(schema, name);
  if (target === null) throw noSource(schema, name);
  if (context.req.method === 'POST') return target;
  throw new Refusal(405, 'rows are sent by POST', { allow: 'POST' });
}

function noSource(schema: string, name: string): Refusal {
  return new Refusal(404, `there is no source "${schema}"."${name}" with connector "webhook"`);
}

async function answer(
  context: Context,
  ingest: IngestPort,
  target: WebhookTarget,
  queued: Map<number, number>,
): Promise<Response> {
  const door = webhookDoor(target.options);
  checkSender(context, door, ingest.isSecretNeeded);
  const size = announcedBytes(context, door);
  const before = queued.get(target.id) ?? 0;
  if (before > 0 && before + size > door.queuedBytesMax) {
    throw new Refusal(429, 'too much waits to be stored: send it again', AGAIN_SOON);
  }
  queued.set(target.id, before + size);
  try {
    const bytes = await readBody(context, door.bodyBytesMax);
    checkSignature(context, door, bytes);
    const body = { bytes, shape: shapeOf(context) };
    const result = await ingest.post(target, body, idempotencyKey(context));
    const { schema = '', name = '' } = context.req.param();
    ingest.answered(schema, name, 200);
    const { accepted, rejected, isRepeated } = result;
    return context.json({ accepted, rejected, ...(isRepeated ? { repeated: true } : {}) });
  } finally {
    const left = (queued.get(target.id) ?? 0) - size;
    if (left > 0) queued.set(target.id, left);
    else queued.delete(target.id);
  }
}

/** What can be told before the body is read. */
function checkSender(context: Context, door: WebhookDoor, isSecretNeeded: boolean): void {
  if (door.secret !== null) {
    if (context.req.header(door.signatureHeader) !== undefined) return;
    throw new Refusal(
      401,
      `the header ${door.signatureHeader} with the body's signature is missing`,
    );
  }
  if (isSecretNeeded) {
    throw new Refusal(403, 'the server has a password: only a source with a secret takes rows');
  }
  // Any page in a browser on this machine could post to a port of it.
  if (context.req.header('origin') !== undefined) {
    throw new Refusal(403, 'a source without a secret takes nothing from web pages');
  }
}

function checkSignature(context: Context, door: WebhookDoor, body: Uint8Array): void {
  if (door.secret === null) return;
  const header = context.req.header(door.signatureHeader) ?? '';
  if (isSignedBy(door.secret, body, header)) return;
  throw new Refusal(403, `the signature in ${door.signatureHeader} is not that of the body`);
}

function announcedBytes(context: Context, { bodyBytesMax }: WebhookDoor): number {
  const encoding = context.req.header('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new Refusal(415, `a body with content encoding "${encoding}" is not taken`);
  }
  const length = context.req.header('content-length');
  if (length === undefined) return bodyBytesMax;
  if (Number(length) > bodyBytesMax) throw tooLarge(bodyBytesMax);
  return Number(length);
}

function tooLarge(bytesMax: number): Refusal {
  return new Refusal(413, `the body is larger than ${bytesMax} bytes`, { connection: 'close' });
}

async function readBody(context: Context, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of context.req.raw.body ?? []) {
      size += chunk.length;
      if (size > bytesMax) break;
      chunks.push(chunk);
    }
  } catch {
    // Only the connection can fail here.
    throw new Refusal(400, 'the body ended too soon');
  }
  if (size > bytesMax) throw tooLarge(bytesMax);
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function shapeOf(context: Context): 'value' | 'lines' | 'auto' {
  const type = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  if (LINES_TYPE.test(type)) return 'lines';
  return JSON_TYPE.test(type) ? 'value' : 'auto';
}

function idempotencyKey(context: Context): string | null {
  const key = context.req.header('idempotency-key') ?? null;
  if (key === null || (key.length > 0 && key.length <= KEY_LENGTH_MAX)) return key;
  throw new Refusal(400, `Idempotency-Key must have 1 to ${KEY_LENGTH_MAX} characters`);
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (!(error instanceof SqlError)) throw error;
  const { sqlstate, message } = error;
  if (sqlstate === '42P01') return new Refusal(404, message);
  if (sqlstate.startsWith('22') || sqlstate === '54001') return new Refusal(400, message);
  return new Refusal(503, message, AGAIN_SOON);
}
