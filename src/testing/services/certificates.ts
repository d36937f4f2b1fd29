/** Certificates for tests: an authority, and a server's and a client's certificate that it signed, as PEM files in a folder. */

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const DAYS = '3650';

/** Makes ca.pem, server.pem, server.key, server.both.pem, client.pem, client.key unless they are there. */
export function makeCertificates(directory: string): void {
  if (existsSync(join(directory, '.complete'))) return;
  mkdirSync(directory, { recursive: true });
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { cwd: directory, stdio: ['ignore', 'ignore', 'pipe'] });
  const request = (who: string, ...args: readonly string[]) =>
    openssl(
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      `${who}.key`,
      '-subj',
      `/CN=${who}`,
      ...args,
    );
  request('ca', '-x509', '-days', DAYS, '-out', 'ca.pem');
  writeFileSync(join(directory, 'names'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  for (const who of ['server', 'client']) {
    request(who, '-out', `${who}.csr`);
    const signed = ['-in', `${who}.csr`, '-out', `${who}.pem`, '-days', DAYS, '-extfile', 'names'];
    openssl('x509', '-req', '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', ...signed);
    rmSync(join(directory, `${who}.csr`));
  }
  const both = ['server.key', 'server.pem'].map((name) =>
    readFileSync(join(directory, name), 'utf8'),
  );
  writeFileSync(join(directory, 'server.both.pem'), both.join(''));
  writeFileSync(join(directory, '.complete'), '');
}
