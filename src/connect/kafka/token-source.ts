/**
 * TokenSource: tokens for OAUTHBEARER, by client credentials from an authorization server (RFC 6749, section 4.4).
 *
 * State: the last token. It is given to every connection until most of its time is over, then another one is asked for; where
 * that fails it is given on as long as it is good. A token that tells no lifetime is used once.
 */

import type { Clock } from '../../base/clock.ts';
import { fetchReason } from '../fetch-reason.ts';
import type { SaslConfig, TokenEndpointConfig } from './kafka-config.ts';
import { KafkaError } from './kafka-error.ts';

export interface Token {
  readonly text: string;
  /** It was given before: the brokers may have taken it then. */
  readonly isUsed: boolean;
}

interface KeptToken {
  readonly text: string;
  readonly sinceUs: bigint;
  /** 0: not known. */
  readonly lifetimeUs: number;
}

/** As Kafka's own clients (sasl.login.refresh.window.factor). */
const FRESH_FACTOR = 0.8;
const US_PER_SECOND = 1e6;
/** What may stand behind "Bearer". */
const TOKEN = /^[\x21-\x7e]+$/;
/** As Kafka's own clients. */
const ANSWERS: ReadonlySet<number> = new Set([200, 201]);
/** The client's own fault; anything else may pass. */
const REFUSALS: ReadonlySet<number> = new Set([400, 401, 403]);
const REASON_LENGTH_MAX = 200;

/** KafkaError's id where the endpoint gave no token. */
export const NO_TOKEN = 'NO_TOKEN';

export class TokenSource {
  readonly #sasl: SaslConfig;
  readonly #endpoint: TokenEndpointConfig;
  readonly #timeoutMs: number;
  readonly #clock: Clock;
  #kept: KeptToken | null = null;
  #asking: Promise<KeptToken> | null = null;

  constructor(sasl: SaslConfig, endpoint: TokenEndpointConfig, timeoutMs: number, clock: Clock) {
    this.#sasl = sasl;
    this.#endpoint = endpoint;
    this.#timeoutMs = timeoutMs;
    this.#clock = clock;
  }

  /** KafkaError (NO_TOKEN) where there is none: of the login where the endpoint refused it. */
  async token(): Promise<Token> {
    const kept = this.#kept;
    if (kept !== null && this.#isWithin(kept, FRESH_FACTOR)) {
      return { text: kept.text, isUsed: true };
    }
    try {
      this.#asking ??= this.#ask().finally(() => {
        this.#asking = null;
      });
      this.#kept = await this.#asking;
      return { text: this.#kept.text, isUsed: false };
    } catch (error) {
      if (kept !== null && this.#isWithin(kept, 1)) return { text: kept.text, isUsed: true };
      throw error;
    }
  }

  /** The brokers do not take it: it is not given again. */
  drop({ text }: Token): void {
    if (this.#kept?.text === text) this.#kept = null;
  }

  #isWithin({ sinceUs, lifetimeUs }: KeptToken, factor: number): boolean {
    return Number(this.#clock.monotonicUs() - sinceUs) < factor * lifetimeUs;
  }

  async #ask(): Promise<KeptToken> {
    const sinceUs = this.#clock.monotonicUs();
    const { status, text } = await this.#post();
    const answer = json(text);
    if (!ANSWERS.has(status)) throw this.#failure(`${status} ${reasonOf(answer, text)}`, status);
    const { access_token: token, expires_in: seconds } = answer ?? {};
    if (typeof token !== 'string' || !TOKEN.test(token)) {
      throw this.#failure('the answer holds no token');
    }
    const lifetime = typeof seconds === 'number' ? seconds : lifetimeSeconds(token);
    return { text: token, sinceUs, lifetimeUs: lifetime * US_PER_SECOND };
  }

  async #post(): Promise<{ readonly status: number; readonly text: string }> {
    const { url, scope } = this.#endpoint;
    const form = new URLSearchParams({ grant_type: 'client_credentials' });
    if (scope !== null) form.set('scope', scope);
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { accept: 'application/json', authorization: `Basic ${this.#credentials()}` },
        body: form,
        // The secret is for this address alone.
        redirect: 'error',
        signal: AbortSignal.timeout(this.#timeoutMs),
      });
      return { status: response.status, text: await response.text() };
    } catch (error) {
      throw this.#failure(fetchReason(error));
    }
  }

  #credentials(): string {
    const parts = [this.#sasl.username, this.#sasl.password];
    const encoded = this.#endpoint.isUrlEncoded ? parts.map(encodeURIComponent) : parts;
    return Buffer.from(encoded.join(':')).toString('base64');
  }

  #failure(reason: string, status: number | null = null): KafkaError {
    let shown = reason;
    for (const secret of [this.#credentials(), this.#sasl.password]) {
      if (secret !== '') shown = shown.replaceAll(secret, '********');
    }
    const message = `no token from ${this.#endpoint.url}: ${shown.slice(0, REASON_LENGTH_MAX)}`;
    return new KafkaError(message, null, NO_TOKEN, status !== null && REFUSALS.has(status));
  }
}

/** Whether it can be sent as a token. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** When a JSON Web Token's time is over, in ms since 1970; null: it does not say, or is something else. */
export function expiryMs(token: string): number | null {
  const { exp } = claimsOf(token);
  return typeof exp === 'number' ? exp * 1000 : null;
}

/** By the clock of whom it comes from; 0: not known. */
function lifetimeSeconds(token: string): number {
  const { iat, exp } = claimsOf(token);
  return typeof iat === 'number' && typeof exp === 'number' ? exp - iat : 0;
}

function claimsOf(token: string): Record<string, unknown> {
  const [, payload = ''] = token.split('.');
  return json(Buffer.from(payload, 'base64url').toString()) ?? {};
}

function json(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

function reasonOf(answer: Record<string, unknown> | null, text: string): string {
  const named = [answer?.error, answer?.error_description].filter((one) => typeof one === 'string');
  return named.length > 0 ? named.join(': ') : text;
}
