/** What the services need of Debian: it is installed where this is CI and the user is root. */

import { execFileSync } from 'node:child_process';

/** Debian's package of each command that the services need. */
const PACKAGES: Readonly<Record<string, string>> = {
  java: 'openjdk-17-jre-headless',
  mvn: 'maven',
  openssl: 'openssl',
};

/** Commands that are missing and cannot be installed here; empty: all is there. */
export function missingCommands(): readonly string[] {
  const missing = Object.keys(PACKAGES).filter((command) => !hasCommand(command));
  if (missing.length === 0 || process.env.CI !== 'true' || process.getuid?.() !== 0) return missing;
  installPackages(missing.map((command) => PACKAGES[command]!));
  return missing.filter((command) => !hasCommand(command));
}

/** Installs Debian packages; only where the user is root. */
export function installPackages(packages: readonly string[]): void {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args: readonly string[]) =>
    execFileSync('apt-get', args, { stdio: ['ignore', 'ignore', 'inherit'], env });
  apt('update', '-qq');
  apt('install', '-qq', '-y', '--no-install-recommends', ...packages);
}

/** Whether a command is there. */
function hasCommand(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
