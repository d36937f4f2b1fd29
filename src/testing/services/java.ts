/**
 * Java programs from Maven Central: their jars come once, through the ordinary Maven client, into build/services, which all
 * runs share.
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const CACHE = join(import.meta.dirname, '../../../build/services');
const PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';

/** The class path of what a pom beside this file names, with all that it depends on. */
export function jarsOf(name: 'kafka' | 'debezium'): string {
  const pom = join(import.meta.dirname, `${name}.pom.xml`);
  const version = createHash('sha256').update(readFileSync(pom)).digest('hex').slice(0, 8);
  const directory = fetchOnce(`${name}-jars-${version}`, (into) =>
    maven(
      '-f',
      pom,
      `${PLUGIN}:copy-dependencies`,
      `-DoutputDirectory=${into}`,
      '-DincludeScope=runtime',
    ),
  );
  return join(directory, '*');
}

/** Where the files of an archive of Maven Central lie (group:artifact:version:type:classifier). */
export function unpacked(name: string, artifact: string): string {
  return fetchOnce(name, (into) =>
    maven(`${PLUGIN}:unpack`, `-Dartifact=${artifact}`, `-DoutputDirectory=${into}`),
  );
}

/** A folder that is there whole or not at all. */
function fetchOnce(name: string, fetch: (into: string) => void): string {
  const directory = join(CACHE, name);
  if (existsSync(join(directory, '.complete'))) return directory;
  const partial = `${directory}.${process.pid}`;
  mkdirSync(partial, { recursive: true });
  fetch(partial);
  writeFileSync(join(partial, '.complete'), '');
  try {
    renameSync(partial, directory);
  } catch (error) {
    // Another process was first.
    if (!existsSync(join(directory, '.complete'))) throw error;
    rmSync(partial, { recursive: true });
  }
  return directory;
}

/** In the cache, because the plugin leaves its marks in the folder where it runs. */
function maven(...args: readonly string[]): void {
  execFileSync('mvn', ['-q', '-B', '-ntp', ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: CACHE,
  });
}

/** Options of the JVM for a quick start; benchmarks leave them out. */
export const QUICK_START = ['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1'];
