/** The signature of a posted body: HMAC with SHA-256 (RFC 2104) over its bytes, as GitHub and others send it. */

import { createHmac, timingSafeEqual } from 'node:crypto';

/** Whether `header`, in hexadecimal and perhaps behind `sha256=`, signs the body; it takes as long for any wrong one. */
export function isSignedBy(secret: string, body: Uint8Array, header: string): boolean {
  const given = /^(?:sha256=)?([0-9a-f]{64})$/i.exec(header.trim())?.[1];
  if (given === undefined) return false;
  const wanted = createHmac('sha256', secret).update(body).digest();
  return timingSafeEqual(wanted, Buffer.from(given, 'hex'));
}
