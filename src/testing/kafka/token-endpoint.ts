/** An authorization server for tests: signs JSON Web Tokens, gives them for client credentials, and shows its key to brokers. */

import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { SystemClock } from '../../base/clock.ts';
import { makeCertificates } from '../services/certificates.ts';
import { TOKEN_AUDIENCE } from '../services/kafka.ts';

const KEY_ID = 'test';

export class TokenEndpoint {
  readonly #clock = new SystemClock();
  readonly #directory = mkdtempSync(join(tmpdir(), 'millrace-tokens-'));
  readonly #key = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly #server: Server;
  readonly #secureServer: Server;
  /** Of the one client that it knows; tests change it. */
  clientSecret = 'client-secret';
  lifetimeSeconds = 3600;
  /** What it says of the lifetime beside the token; null: nothing. */
  toldSeconds: number | null = null;
  /** What it answers with instead of a token; null: it gives one. */
  refusal: { readonly status: number; readonly body: string } | null = null;
  /** The tokens that it gave, and what they were asked for with. */
  readonly given: { readonly token: string; readonly form: string }[] = [];

  private constructor() {
    const jwk = this.#key.publicKey.export({ format: 'jwk' });
    const keys = [{ ...jwk, kid: KEY_ID, alg: 'ES256', use: 'sig' }];
    writeFileSync(join(this.#directory, 'keys.json'), JSON.stringify({ keys }));
    const answer = (request: IncomingMessage, response: ServerResponse) => {
      void this.#answer(request, response);
    };
    this.#server = createServer(answer);
    makeCertificates(this.#directory);
    const pem = (name: string) => readFileSync(join(this.#directory, name));
    const certificate = { key: pem('server.key'), cert: pem('server.pem') };
    this.#secureServer = createSecureServer(certificate, answer);
  }

  static async start(): Promise<TokenEndpoint> {
    const endpoint = new TokenEndpoint();
    for (const server of endpoint.#servers) {
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    }
    return endpoint;
  }

  /** Where brokers find the key. */
  get keysUrl(): string {
    return pathToFileURL(join(this.#directory, 'keys.json')).href;
  }

  get url(): string {
    return `http://127.0.0.1:${portOf(this.#server)}/token`;
  }

  /** For servers that trust `authority`. */
  get secureUrl(): string {
    return `https://localhost:${portOf(this.#secureServer)}/token`;
  }

  /** A PEM file. */
  get authority(): string {
    return join(this.#directory, 'ca.pem');
  }

  /** Since 1970, as tokens tell times. */
  get nowSeconds(): number {
    return Number(this.#clock.wallUs() / 1_000_000n);
  }

  /** A token of its own; `claims` replace what it would say. */
  token(claims: Readonly<Record<string, unknown>> = {}): string {
    const now = this.nowSeconds;
    const payload = {
      sub: 'service',
      aud: TOKEN_AUDIENCE,
      scope: 'records',
      iat: now,
      exp: now + this.lifetimeSeconds,
      ...claims,
    };
    const signed = [{ alg: 'ES256', kid: KEY_ID, typ: 'JWT' }, payload].map(base64Json).join('.');
    const key = { key: this.#key.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return `${signed}.${sign('sha256', Buffer.from(signed), key).toString('base64url')}`;
  }

  async dispose(): Promise<void> {
    for (const server of this.#servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    rmSync(this.#directory, { recursive: true });
  }

  get #servers(): readonly Server[] {
    return [this.#server, this.#secureServer];
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const form = await text(request);
    const expected = `Basic ${Buffer.from(`client:${this.clientSecret}`).toString('base64')}`;
    const isKnown = request.headers.authorization === expected;
    const refusal = isKnown ? this.refusal : UNKNOWN_CLIENT;
    response.setHeader('content-type', 'application/json');
    if (refusal !== null) {
      response.writeHead(refusal.status).end(refusal.body);
      return;
    }
    const token = this.token();
    this.given.push({ token, form });
    const told = this.toldSeconds === null ? {} : { expires_in: this.toldSeconds };
    response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', ...told }));
  }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

const UNKNOWN_CLIENT = {
  status: 401,
  body: '{"error": "invalid_client", "error_description": "no such client"}',
};

function base64Json(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
