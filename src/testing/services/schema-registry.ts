/**
 * A real schema registry with Confluent's REST interface: Apicurio Registry 2.6, which keeps its schemas in memory. (3.x wants
 * Java 21; Confluent's own is not on Maven Central.)
 */

import { globSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';
import { QUICK_START, unpacked } from './java.ts';
import { remembered } from './remembered.ts';
import { type Program, ServiceProcess } from './service-process.ts';

const ARTIFACT = 'io.apicurio:apicurio-registry-app:2.6.13.Final:tar.gz:all';

export class SchemaRegistry {
  readonly #process: ServiceProcess;
  /** What a client is given. */
  readonly url: string;

  private constructor(directory: string, port: number) {
    this.#process = new ServiceProcess(directory);
    this.url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  }

  static async at(directory: string): Promise<SchemaRegistry> {
    const port = await remembered(directory, 'port', async () => (await freePorts(1))[0]!);
    return new SchemaRegistry(directory, port);
  }

  static async start(directory: string): Promise<SchemaRegistry> {
    const registry = await SchemaRegistry.at(directory);
    await registry.start();
    return registry;
  }

  async start(): Promise<void> {
    const home = unpacked('registry', ARTIFACT);
    const jar = globSync('*-runner.jar', { cwd: home })[0];
    if (jar === undefined) throw new Error(`no runner in ${home}`);
    const program: Program = {
      name: 'Apicurio Registry',
      command: 'java',
      args: [
        ...['-Xmx256m', ...QUICK_START, '-Dquarkus.http.host=127.0.0.1'],
        ...[`-Dquarkus.http.port=${new URL(this.url).port}`, '-jar', join(home, jar)],
      ],
      ready: 'Listening on',
    };
    await this.#process.start(program);
  }

  async stop(): Promise<void> {
    await this.#process.end('SIGTERM');
  }
}
