/**
 * The HTTP port: /healthz (the process lives), /readyz (recovered, views running), /metrics (Prometheus text), and
 * /ingest/SCHEMA/NAME (rows for a source, ingest.ts).
 */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { IngestPort } from '../session/ingest.ts';
import { addIngestRoute } from './ingest.ts';

/** What the HTTP port asks of the server. */
export interface OpsPort {
  /** null: ready; else why not. */
  notReadyReason(): string | null;
  /** Refreshes the gauges and renders them. */
  metrics(): Promise<{ readonly contentType: string; readonly text: string }>;
  readonly ingest: IngestPort;
  /** A request failed in a way that is a bug of ours. */
  failed(error: Error): void;
}

export interface HttpServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Slow clients are dropped (reliability.md R27). */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 10_000;

function routes(ops: OpsPort): Hono {
  const app = new Hono();
  app.get('/healthz', (context) => context.text('ok\n'));
  app.get('/readyz', (context) => {
    const reason = ops.notReadyReason();
    return reason === null ? context.text('ready\n') : context.text(`${reason}\n`, 503);
  });
  app.get('/metrics', async (context) => {
    const { contentType, text } = await ops.metrics();
    return context.body(text, 200, { 'content-type': contentType });
  });
  addIngestRoute(app, ops.ingest);
  app.onError((error, context) => {
    ops.failed(error);
    return context.json({ error: 'internal error' }, 500);
  });
  app.notFound((context) =>
    context.text('not found: /healthz, /readyz, /metrics and /ingest/SCHEMA/NAME are here\n', 404),
  );
  return app;
}

/** Listens; rejects with the system's error (EADDRINUSE ...). */
export async function startHttpServer(
  host: string,
  port: number,
  ops: OpsPort,
): Promise<HttpServer> {
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS },
    getRequestListener(routes(ops).fetch),
  );
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
