/**
 * SCRAM-SHA-256, the server's side (RFC 5802, RFC 7677), with tls-server-end-point channel binding
 * (RFC 5929) under TLS. The password itself is never kept: only a salted verifier is.
 */

import { createHash, createHmac, pbkdf2Sync, timingSafeEqual } from 'node:crypto';
import { systemRandomBytes } from '../base/random.ts';
import { SqlError } from '../base/sql-error.ts';
import { PROTOCOL_VIOLATION } from './message-body.ts';

export const SCRAM_SHA_256 = 'SCRAM-SHA-256';
export const SCRAM_SHA_256_PLUS = 'SCRAM-SHA-256-PLUS';

const ITERATIONS = 4096;
const SALT_SIZE = 16;
const KEY_SIZE = 32;
const NONCE_SIZE = 18;

/** What the server keeps of a password. */
export interface ScramVerifier {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

/** Salts and hashes a password: some milliseconds of CPU. */
export function createVerifier(password: string): ScramVerifier {
  const salt = Buffer.from(systemRandomBytes(SALT_SIZE));
  const salted = pbkdf2Sync(preparePassword(password), salt, ITERATIONS, KEY_SIZE, 'sha256');
  return {
    iterations: ITERATIONS,
    salt,
    storedKey: sha256(hmac(salted, 'Client Key')),
    serverKey: hmac(salted, 'Server Key'),
  };
}

/**
 * A verifier that no password meets, the same for a user each time: an unknown user looks like a
 * known one.
 */
export function mockVerifier(user: string): ScramVerifier {
  return {
    iterations: ITERATIONS,
    salt: hmac(MOCK_KEY, user).subarray(0, SALT_SIZE),
    storedKey: Buffer.from(systemRandomBytes(KEY_SIZE)),
    serverKey: Buffer.from(systemRandomBytes(KEY_SIZE)),
  };
}

const MOCK_KEY = Buffer.from(systemRandomBytes(KEY_SIZE));

function hmac(key: Buffer, message: string): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

function sha256(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest();
}

const NON_ASCII_SPACE = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/gu;
const PROHIBITED = /[\p{Cc}\p{Co}\p{Cs}\p{Cn}\u200e\u200f\u202a-\u202e\u2028\u2029\ufff9-\ufffd]/u;

/** RFC 3454 B.1: soft hyphens, joiners and variation selectors, commonly mapped to nothing. */
function isMappedToNothing(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  if (code >= 0x180b && code <= 0x180d) return true;
  if (code >= 0xfe00 && code <= 0xfe0f) return true;
  return [0xad, 0x34f, 0x1806, 0x200c, 0x200d, 0x2060, 0xfeff].includes(code);
}

/** SASLprep (RFC 4013); as in PostgreSQL, a password that it refuses is taken as it is. */
export function preparePassword(password: string): string {
  const kept = [...password].filter((character) => !isMappedToNothing(character)).join('');
  const prepared = kept.replace(NON_ASCII_SPACE, ' ').normalize('NFKC');
  return prepared === '' || PROHIBITED.test(prepared) ? password : prepared;
}

/** One login: `first` then `final`, each an answer to the client's message. */
export class ScramExchange {
  readonly #verifier: ScramVerifier;
  readonly #mechanism: string;
  /** Hash of the server's certificate; null without TLS. */
  readonly #binding: Buffer | null;
  #header = '';
  #clientFirst = '';
  #serverFirst = '';
  #nonce = '';

  constructor(verifier: ScramVerifier, mechanism: string, binding: Buffer | null) {
    this.#verifier = verifier;
    this.#mechanism = mechanism;
    this.#binding = binding;
  }

  /** server-first-message. */
  first(message: string): string {
    const match =
      /^(n|y|p=[A-Za-z0-9.-]+),(a=[^,]*)?,(n=[^,]*,r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?)$/s.exec(
        message,
      );
    if (match === null) throw malformed('The client-first message is not understood.');
    this.#checkBindingFlag(match[1] as string);
    if (match[2] !== undefined) {
      throw fatal('0A000', 'client uses authorization identity, but it is not supported');
    }
    this.#header = `${match[1]},,`;
    this.#clientFirst = match[3] as string;
    this.#nonce = match[4] + Buffer.from(systemRandomBytes(NONCE_SIZE)).toString('base64');
    const salt = this.#verifier.salt.toString('base64');
    this.#serverFirst = `r=${this.#nonce},s=${salt},i=${this.#verifier.iterations}`;
    return this.#serverFirst;
  }

  /** server-final-message, or null where the proof is not that of the password. */
  final(message: string): string | null {
    const match =
      /^((c=[A-Za-z0-9+/=]+),r=([\x21-\x2b\x2d-\x7e]+)(?:,.*)?),p=([A-Za-z0-9+/=]+)$/s.exec(
        message,
      );
    if (match === null) throw malformed('The client-final message is not understood.');
    const [, withoutProof, binding, nonce, proofText] = match as unknown as string[];
    if (nonce !== this.#nonce) throw malformed('The nonce does not match.');
    if (binding !== `c=${this.#expectedBinding()}`) {
      throw fatal('28000', 'SCRAM channel binding check failed');
    }
    const authMessage = `${this.#clientFirst},${this.#serverFirst},${withoutProof}`;
    const proof = Buffer.from(proofText as string, 'base64');
    if (!this.#isProof(proof, authMessage)) return null;
    return `v=${hmac(this.#verifier.serverKey, authMessage).toString('base64')}`;
  }

  #checkBindingFlag(flag: string): void {
    if (this.#mechanism === SCRAM_SHA_256_PLUS) {
      if (flag === 'p=tls-server-end-point') return;
      if (flag.startsWith('p=')) throw fatal('0A000', 'unsupported SCRAM channel-binding type');
      throw malformed('The client selected SCRAM-SHA-256-PLUS without channel binding data.');
    }
    if (flag.startsWith('p=')) throw malformed('Channel binding was not selected.');
    // 'y': the client could bind and believes that we cannot; under TLS we offered it, so somebody
    // took it out.
    if (flag === 'y' && this.#binding !== null) {
      throw fatal('28000', 'SCRAM channel binding negotiation error');
    }
  }

  #expectedBinding(): string {
    const header = Buffer.from(this.#header);
    if (this.#mechanism !== SCRAM_SHA_256_PLUS || this.#binding === null) {
      return header.toString('base64');
    }
    return Buffer.concat([header, this.#binding]).toString('base64');
  }

  #isProof(proof: Buffer, authMessage: string): boolean {
    if (proof.length !== KEY_SIZE) return false;
    const clientKey = hmac(this.#verifier.storedKey, authMessage);
    for (let i = 0; i < KEY_SIZE; i++) clientKey[i] = clientKey[i]! ^ proof[i]!;
    return timingSafeEqual(sha256(clientKey), this.#verifier.storedKey);
  }
}

function fatal(sqlstate: string, message: string): SqlError {
  return new SqlError(sqlstate, message, { severity: 'FATAL' });
}

function malformed(detail: string): SqlError {
  return new SqlError(PROTOCOL_VIOLATION, 'malformed SCRAM message', { severity: 'FATAL', detail });
}
