/** A value that a folder keeps: made the first time, read again afterwards. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** `make` gives JSON. */
export async function remembered<T>(
  directory: string,
  name: string,
  make: () => Promise<T>,
): Promise<T> {
  const path = join(directory, `${name}.json`);
  if (existsSync(path)) return JSON.parse(readFileSync(path, 'utf8')) as T;
  const value = await make();
  mkdirSync(directory, { recursive: true });
  writeFileSync(path, JSON.stringify(value));
  return value;
}
