/** From the first byte to a session: encryption, cancel requests, start-up, authentication. */

import type { SecureContext } from 'node:tls';
import { SqlError } from '../base/sql-error.ts';
import type { Session, SessionFactory } from '../session/port.ts';
import { type Authentication, authenticate } from './authentication.ts';
import { writeBackendKeyData, writeParameterStatus } from './backend-messages.ts';
import { PROTOCOL_VIOLATION } from './message-body.ts';
import {
  decodeStartup,
  PROTOCOL_VERSION,
  STARTUP_BYTES_MAX,
  type StartupMessage,
  TLS_HANDSHAKE,
} from './startup.ts';
import type { Transport } from './transport.ts';

/** A connection's numbers: what a CancelRequest must name. */
export interface BackendKey {
  readonly processId: number;
  readonly key: number;
}

export interface LoginOptions {
  readonly sessions: SessionFactory;
  readonly authentication: Authentication;
  /** null: TLS is not offered. */
  readonly secureContext: SecureContext | null;
  /** A CancelRequest came. */
  readonly onCancelRequest: (processId: number, key: number) => void;
  /** Sends the client away with a FATAL error. */
  readonly terminate: (error: SqlError) => void;
  /** Counts the connection in; throws FATAL 53300 where there are too many. */
  readonly admit: () => BackendKey;
}

/**
 * Logs a client in; null where it went away, asked for a cancel, or speaks another protocol. Throws
 * FATAL SqlErrors.
 */
export async function login(transport: Transport, options: LoginOptions): Promise<Session | null> {
  if ((await transport.reader.peek()) === TLS_HANDSHAKE) {
    if (!(await upgradeDirectly(transport, options.secureContext))) return null;
  }
  const startup = await readStartup(transport, options);
  if (startup === null) return null;
  const { messages } = transport.output;
  if (startup.isNegotiated) {
    messages.begin('v').i32(PROTOCOL_VERSION).i32(startup.unknownOptions.length);
    for (const name of startup.unknownOptions) messages.text(name);
    messages.end();
  }
  const backend = options.admit();
  const rule = options.authentication.ruleFor(startup.user);
  if (!(await authenticate(transport, rule, startup.user))) return null;
  const session = await openSession(transport, startup, backend, options);
  for (const [name, value] of session.parameters) writeParameterStatus(messages, name, value);
  writeBackendKeyData(messages, backend.processId, backend.key);
  return session;
}

async function upgradeDirectly(
  transport: Transport,
  secureContext: SecureContext | null,
): Promise<boolean> {
  if (secureContext === null) return false;
  const isUp = await transport.upgrade(secureContext, transport.reader.takeAll());
  return isUp && transport.isNamedProtocol;
}

/** Answers requests for encryption (each at most once), then reads the start-up message. */
async function readStartup(
  transport: Transport,
  options: LoginOptions,
): Promise<StartupMessage | null> {
  let hasAskedTls = transport.isEncrypted;
  let hasAskedGss = transport.isEncrypted;
  for (;;) {
    const frame = await transport.reader.readStartup(STARTUP_BYTES_MAX);
    if (frame === null) return null;
    const packet = decodeStartup(frame.body);
    if (packet.kind === 'startup') return packet;
    if (packet.kind === 'cancel') {
      options.onCancelRequest(packet.processId, packet.key);
      return null;
    }
    if (packet.kind === 'ssl' ? hasAskedTls : hasAskedGss) return null;
    if (transport.reader.bufferedBytes > 0) {
      throw new SqlError(PROTOCOL_VIOLATION, 'received unencrypted data after encryption request', {
        severity: 'FATAL',
        detail:
          'This could be either a client-software bug or evidence of an attempted ' +
          'man-in-the-middle attack.',
      });
    }
    if (packet.kind === 'gss') hasAskedGss = true;
    else hasAskedTls = true;
    const useTls = packet.kind === 'ssl' && options.secureContext !== null;
    transport.writeByte(useTls ? 'S' : 'N');
    if (!useTls || options.secureContext === null) continue;
    if (!(await transport.upgrade(options.secureContext, Buffer.alloc(0)))) return null;
    hasAskedGss = true;
  }
}

async function openSession(
  transport: Transport,
  startup: StartupMessage,
  backend: BackendKey,
  options: LoginOptions,
): Promise<Session> {
  const address = transport.socket.remoteAddress ?? '';
  return options.sessions.open({
    user: startup.user,
    database: startup.database,
    settings: startup.settings,
    processId: backend.processId,
    clientAddress: address.replace(/^::ffff:/, ''),
    terminate: options.terminate,
  });
}
