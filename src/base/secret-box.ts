/**
 * Encryption of what must not be readable in the data directory: AES-256-GCM with a random nonce for each text, and a key that
 * lies in a file of its own.
 *
 * It keeps secrets from who sees a copy of the log, a checkpoint or the catalog without the key, not from who may read the key.
 * Costs: O(length of the text); the key file is read once.
 */

import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { SqlError } from './sql-error.ts';
import { syncDirectory } from './sync-directory.ts';

/** Where the key is: a file with 64 hexadecimal digits, or those digits where nothing is kept. */
export type SecretKeySource = { readonly file: string } | { readonly hex: string };

const ALGORITHM = 'aes-256-gcm';
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** No text of a statement holds the character U+0000: nobody can write such a text. */
const SEALED = '\u0000sealed:';

/** A new key, as a key file holds it. */
export function newSecretKey(): string {
  return randomBytes(KEY_BYTES).toString('hex');
}

export function isSealed(text: string): boolean {
  return text.startsWith(SEALED);
}

export class SecretBox {
  readonly #source: SecretKeySource;
  #key: Buffer | null = null;

  constructor(source: SecretKeySource) {
    this.#source = source;
  }

  /** Makes the key file, mode 0600 and durable, where there is none yet. 58030 where that fails. */
  ensureKey(): void {
    if (!('file' in this.#source) || fs.existsSync(this.#source.file)) return;
    const { file } = this.#source;
    try {
      const fd = fs.openSync(file, 'wx', 0o600);
      try {
        fs.writeSync(fd, `${newSecretKey()}\n`);
        fs.fsyncSync(fd);
      } finally {
        fs.closeSync(fd);
      }
      syncDirectory(path.dirname(file));
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      throw new SqlError('58030', `could not make the key file "${file}": ${code}`);
    }
  }

  /** The text, so that only this key opens it; never the same twice. */
  seal(text: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(ALGORITHM, this.#loaded(), nonce);
    const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
    return SEALED + Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
  }

  /** What was sealed; 58000 where another key did it, or the text was changed. */
  open(sealed: string): string {
    const bytes = Buffer.from(sealed.slice(SEALED.length), 'base64');
    const key = this.#loaded();
    try {
      const nonce = bytes.subarray(0, NONCE_BYTES);
      const decipher = createDecipheriv(ALGORITHM, key, nonce, { authTagLength: TAG_BYTES });
      decipher.setAuthTag(bytes.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
      const body = decipher.update(bytes.subarray(NONCE_BYTES + TAG_BYTES));
      return Buffer.concat([body, decipher.final()]).toString('utf8');
    } catch {
      throw new SqlError('58000', `${this.#name} does not open the secrets`, {
        hint: 'Start the server with the key that they were made with: --secret-key-file.',
      });
    }
  }

  get #name(): string {
    return 'file' in this.#source ? `the key in "${this.#source.file}"` : 'the key';
  }

  #loaded(): Buffer {
    this.#key ??= this.#load();
    return this.#key;
  }

  #load(): Buffer {
    const text = 'file' in this.#source ? readKey(this.#source.file) : this.#source.hex;
    if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
    throw new SqlError('58000', `${this.#name} must be 64 hexadecimal digits`, {
      hint: 'Make one with: openssl rand -hex 32',
    });
  }
}

function readKey(file: string): string {
  try {
    return fs.readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code = String(error) } = error as NodeJS.ErrnoException;
    throw new SqlError('58030', `could not read the key file "${file}": ${code}`, {
      hint: 'It is made with the first secret; --secret-key-file says where it is.',
    });
  }
}
