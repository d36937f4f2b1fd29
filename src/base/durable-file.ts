/** A small file that is there whole or not at all, also after the power was lost. */

import * as fs from 'node:fs';
import * as path from 'node:path';
import { syncDirectory } from './sync-directory.ts';

/** In place of what the file held. Throws what node:fs throws. */
export function writeDurably(file: string, text: string): void {
  const temporary = `${file}.new`;
  const fd = fs.openSync(temporary, 'w', 0o600);
  try {
    fs.writeSync(fd, text);
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
  fs.renameSync(temporary, file);
  syncDirectory(path.dirname(file));
}
