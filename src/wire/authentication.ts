/** Who may log in, and the exchange that proves it. */

import { createHash, X509Certificate } from 'node:crypto';
import { TLSSocket } from 'node:tls';
import { SqlError } from '../base/sql-error.ts';
import type { Frame } from './frame-reader.ts';
import { passwordLimit } from './frontend-messages.ts';
import { MessageBody, PROTOCOL_VIOLATION } from './message-body.ts';
import {
  createVerifier,
  mockVerifier,
  SCRAM_SHA_256,
  SCRAM_SHA_256_PLUS,
  ScramExchange,
  type ScramVerifier,
} from './scram.ts';
import type { Transport } from './transport.ts';

/**
 * What a user has to show. `verifier` null: there is no such login, which the client learns only at
 * the end.
 */
export type LoginRule =
  | { readonly kind: 'trust' }
  | { readonly kind: 'scram'; readonly verifier: ScramVerifier | null };

export interface Authentication {
  ruleFor(user: string): LoginRule;
}

/** Lets everybody in. */
export const TRUST: Authentication = { ruleFor: () => ({ kind: 'trust' }) };

/**
 * SCRAM-SHA-256 for everybody; those without a password here are refused. Keeps verifiers, not the
 * passwords.
 */
export function passwordAuthentication(passwords: ReadonlyMap<string, string>): Authentication {
  const verifiers = new Map<string, ScramVerifier>();
  for (const [user, password] of passwords) verifiers.set(user, createVerifier(password));
  return { ruleFor: (user) => ({ kind: 'scram', verifier: verifiers.get(user) ?? null }) };
}

/** The superuser, who has the server's password. */
const SUPERUSER = 'millrace';

/** The rule of a server with one password, or none. Salts are the system's: no seed may repeat them. */
export function createAuthentication(password: string | null): Authentication {
  return password === null ? TRUST : passwordAuthentication(new Map([[SUPERUSER, password]]));
}

const OK = 0;
const SASL = 10;
const SASL_CONTINUE = 11;
const SASL_FINAL = 12;

/** Runs the exchange; false where the client went away. Throws FATAL 28P01 for a wrong password. */
export async function authenticate(
  transport: Transport,
  rule: LoginRule,
  user: string,
): Promise<boolean> {
  if (rule.kind === 'scram' && !(await exchangeScram(transport, rule.verifier, user))) return false;
  transport.output.messages.begin('R').i32(OK).end();
  return true;
}

async function exchangeScram(
  transport: Transport,
  verifier: ScramVerifier | null,
  user: string,
): Promise<boolean> {
  const binding = certificateHash(transport);
  const mechanisms = binding === null ? [SCRAM_SHA_256] : [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
  const request = transport.output.messages.begin('R').i32(SASL);
  for (const mechanism of mechanisms) request.text(mechanism);
  request.u8(0).end();

  const initial = await answer(transport);
  if (initial === null) return false;
  const { mechanism, data } = decodeInitial(initial.body);
  if (!mechanisms.includes(mechanism)) {
    throw fatal(PROTOCOL_VIOLATION, 'client selected an invalid SASL authentication mechanism');
  }
  const exchange = new ScramExchange(verifier ?? mockVerifier(user), mechanism, binding);
  sendData(transport, SASL_CONTINUE, exchange.first(data));

  const response = await answer(transport);
  if (response === null) return false;
  const final = exchange.final(response.body.toString('utf8'));
  if (final === null || verifier === null) {
    throw fatal('28P01', `password authentication failed for user "${user}"`);
  }
  sendData(transport, SASL_FINAL, final);
  return true;
}

function answer(transport: Transport): Promise<Frame | null> {
  transport.output.flush();
  return transport.reader.read(passwordLimit);
}

function sendData(transport: Transport, step: number, data: string): void {
  transport.output.messages.begin('R').i32(step).bytes(Buffer.from(data)).end();
}

/** SASLInitialResponse. */
function decodeInitial(body: Buffer): { mechanism: string; data: string } {
  const reader = new MessageBody(body);
  const mechanism = reader.text();
  const size = reader.i32();
  const data = size === -1 ? '' : reader.bytes(size).toString('utf8');
  reader.end();
  return { mechanism, data };
}

/**
 * The hash of the server's certificate that SCRAM binds to (RFC 5929 §4.1): the certificate's own
 * hash function, SHA-256 in place of MD5 and SHA-1; null without TLS or where the signature names
 * no hash (Ed25519).
 */
function certificateHash(transport: Transport): Buffer | null {
  const { socket } = transport;
  if (!(socket instanceof TLSSocket)) return null;
  const certificate = socket.getCertificate();
  if (certificate === null || !('raw' in certificate) || certificate.raw === undefined) return null;
  const algorithm = new X509Certificate(certificate.raw).signatureAlgorithm ?? '';
  const match = /(sha\d+|md5)/i.exec(algorithm.replaceAll('-', ''));
  if (match === null) return null;
  const name = (match[1] as string).toLowerCase();
  const hash = name === 'md5' || name === 'sha1' ? 'sha256' : name;
  return createHash(hash).update(certificate.raw).digest();
}

function fatal(sqlstate: string, message: string): SqlError {
  return new SqlError(sqlstate, message, { severity: 'FATAL' });
}
