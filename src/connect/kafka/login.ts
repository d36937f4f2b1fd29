/**
 * Logging in at a broker (SASL) over a connection of the library.
 *
 * The library's own way is left out in two points. It takes a broker's refusal of a token, which comes as an answer of its own
 * (RFC 7628, section 3.2.3), for success. And near the end of a session it logs in again among other requests, for which
 * brokers close the connection (KIP-368): here the session's length is told, and the caller takes another connection.
 */

import {
  type Connection,
  type SASLOptions,
  type saslAuthenticateV2,
  saslPlain,
  saslScramSha,
} from '@platformatic/kafka';
import type { Clock } from '../../base/clock.ts';
import type { SaslConfig } from './kafka-config.ts';
import { KAFKA_CODES, KafkaError } from './kafka-error.ts';
import { expiryMs } from './token-source.ts';

type Ask = saslAuthenticateV2.SASLAuthenticationAPI;
type Answer = saslAuthenticateV2.SaslAuthenticateResponse;

/** With the token in place of `password` for OAUTHBEARER. `onSession`: how long it is good for, in ms; not called for ever. */
export function loginOptions(
  sasl: SaslConfig,
  clock: Clock,
  onSession: (lifetimeMs: number) => void,
): SASLOptions {
  return {
    mechanism: sasl.mechanism,
    authenticate: (_mechanism, connection, ask, _username, _password, _token, callback) => {
      logIn(sasl, connection, ask, clock).then(
        (answer) => {
          const lifetimeMs = Number(answer.sessionLifetimeMs);
          if (lifetimeMs > 0) onSession(lifetimeMs);
          callback(null, { ...answer, sessionLifetimeMs: 0n });
        },
        (error: Error) => callback(error),
      );
    },
  };
}

function logIn(sasl: SaslConfig, connection: Connection, ask: Ask, clock: Clock): Promise<Answer> {
  const { mechanism, username, password } = sasl;
  switch (mechanism) {
    case 'PLAIN':
      return saslPlain.authenticate(ask, connection, username, password);
    case 'SCRAM-SHA-256':
      return saslScramSha.authenticate(ask, connection, 'SHA-256', username, password);
    case 'SCRAM-SHA-512':
      return saslScramSha.authenticate(ask, connection, 'SHA-512', username, password);
    case 'OAUTHBEARER':
      return bearToken(sasl, connection, ask, clock);
  }
}

async function bearToken(
  { password: token, extensions = {} }: SaslConfig,
  connection: Connection,
  ask: Ask,
  clock: Clock,
): Promise<Answer> {
  const pairs = Object.entries({ auth: `Bearer ${token}`, ...extensions });
  const parts = ['n,,', ...pairs.map(([name, value]) => `${name}=${value}`), '\x01'];
  const answer = await ask.async(connection, Buffer.from(parts.join('\x01')));
  if (answer.authBytes.length === 0) return answer;
  throw refused(token, answer.authBytes.toString(), clock);
}

/** `reason`: JSON with a status. A broker says little more; the token itself tells the commonest cause. */
function refused(token: string, reason: string, clock: Clock): KafkaError {
  const status = /"status" *: *"([^"]*)"/.exec(reason)?.[1] ?? reason;
  const endMs = expiryMs(token);
  const isOver = endMs !== null && BigInt(endMs) * 1000n <= clock.wallUs();
  const cause = isOver ? `, it expired at ${new Date(endMs).toISOString()}` : '';
  const message = `the token is refused (${status})${cause}`;
  const id = 'SASL_AUTHENTICATION_FAILED';
  return new KafkaError(message, KAFKA_CODES.saslAuthenticationFailed, id, true);
}
