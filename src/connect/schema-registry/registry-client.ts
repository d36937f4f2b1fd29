/**
 * SchemaRegistryClient: a schema registry with Confluent's REST interface (Confluent, Apicurio's ccompat, Karapace): schemas by
 * id and by subject, with the schemas that they refer to; registering.
 *
 * Schemas are kept by id (an id never changes its meaning), at most KEPT_MAX. An id that is not there is asked for again after
 * a while. Requests that fail for lack of connection or by an error of the server are tried again, with growing pauses, a few
 * times; RegistryError says then that it cannot be reached.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { Clock } from '../../base/clock.ts';
import { SqlError } from '../../base/sql-error.ts';
import type { WriterSchema } from '../../formats/message-decoder.ts';
import { fetchReason } from '../fetch-reason.ts';

/** How a registry is reached; JSON. */
export interface RegistryConfig {
  /** Its path is kept: `http://host/apis/ccompat/v7`. */
  readonly url: string;
  /** The Authorization header; null: none. */
  readonly authorization: string | null;
  readonly timeoutMs: number;
}

export interface RegisteredSchema {
  readonly id: number;
  readonly schema: WriterSchema;
}

/** The registry cannot be reached or refuses everything: waiting may help. */
export class RegistryError extends Error {
  override readonly name = 'RegistryError';
  readonly isAuthentication: boolean;

  constructor(message: string, isAuthentication = false) {
    super(message);
    this.isAuthentication = isAuthentication;
  }

  toSqlError(): SqlError {
    return new SqlError(this.isAuthentication ? '28000' : '08001', this.message);
  }
}

const KEPT_MAX = 1000;
const MISSING_KEPT_US = 10_000_000n;
const ATTEMPTS_MAX = 3;
const RETRY_MS = 100;
const REFERENCES_MAX = 100;
const CONTENT_TYPE = 'application/vnd.schemaregistry.v1+json';

interface SchemaAnswer {
  readonly id?: number;
  readonly schema: string;
  readonly schemaType?: string;
  readonly references?: readonly Reference[];
}

interface Reference {
  readonly subject: string;
  readonly version: number;
}

export class SchemaRegistryClient {
  readonly #config: RegistryConfig;
  readonly #clock: Clock;
  readonly #kept = new Map<number, WriterSchema>();
  /** Ids that are not there, and when (monotonic µs) that was seen. */
  readonly #missing = new Map<number, bigint>();

  constructor(config: RegistryConfig, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
  }

  /** The schema of an id; null: there is none. */
  async schema(id: number): Promise<WriterSchema | null> {
    const kept = this.#kept.get(id);
    if (kept !== undefined) return kept;
    const missedUs = this.#missing.get(id);
    if (missedUs !== undefined && this.#clock.monotonicUs() - missedUs < MISSING_KEPT_US) {
      return null;
    }
    const answer = await this.#get(`schemas/ids/${id}`);
    if (answer === null) {
      keep(this.#missing, id, this.#clock.monotonicUs());
      return null;
    }
    const schema = await this.#withReferences(answer);
    keep(this.#kept, id, schema);
    return schema;
  }

  /** As `schema`, and an id that was not there a moment ago is asked for once more. */
  schemaNow(id: number): Promise<WriterSchema | null> {
    this.#missing.delete(id);
    return this.schema(id);
  }

  /** The newest schema of a subject; null: there is no such subject. */
  async latest(subject: string): Promise<RegisteredSchema | null> {
    const answer = await this.#get(`subjects/${encodeURIComponent(subject)}/versions/latest`);
    if (answer === null) return null;
    return { id: answer.id ?? -1, schema: await this.#withReferences(answer) };
  }

  /** Registers a schema, or finds it; its id. 42804 where the registry refuses it. */
  async register(subject: string, type: string, text: string): Promise<number> {
    const path = `subjects/${encodeURIComponent(subject)}/versions`;
    const body = JSON.stringify({ schema: text, ...(type === 'AVRO' ? {} : { schemaType: type }) });
    const answer = (await this.#request('POST', path, body)) as { id: number } | null;
    if (answer === null) throw this.#unexpected('it knows no subjects');
    return answer.id;
  }

  async #withReferences(answer: SchemaAnswer): Promise<WriterSchema> {
    const found = new Map<string, string>();
    await this.#collect(answer.references ?? [], found);
    const { schema: text, schemaType: type = 'AVRO' } = answer;
    return { type, text, references: [...found.values()] };
  }

  /** Depth first: what a schema needs comes before it. */
  async #collect(references: readonly Reference[], found: Map<string, string>): Promise<void> {
    for (const { subject, version } of references) {
      const key = `${subject}/${version}`;
      if (found.has(key)) continue;
      if (found.size >= REFERENCES_MAX) throw this.#unexpected('too many references');
      const path = `subjects/${encodeURIComponent(subject)}/versions/${version}`;
      const answer = await this.#get(path);
      if (answer === null) throw this.#unexpected(`reference ${key} is not there`);
      await this.#collect(answer.references ?? [], found);
      found.set(key, answer.schema);
    }
  }

  async #get(path: string): Promise<SchemaAnswer | null> {
    const answer = (await this.#request('GET', path, null)) as SchemaAnswer | null;
    if (answer !== null && typeof answer.schema !== 'string') throw this.#unexpected('no schema');
    return answer;
  }

  /** The answer's JSON; null: 404. */
  async #request(method: string, path: string, body: string | null): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#requestOnce(method, path, body);
      } catch (error) {
        const isFinal = !(error instanceof RegistryError) || error.isAuthentication;
        if (isFinal || attempt === ATTEMPTS_MAX) throw error;
        await delay(RETRY_MS * 2 ** attempt, undefined, { ref: false });
      }
    }
  }

  async #requestOnce(method: string, path: string, body: string | null): Promise<unknown> {
    const { url, authorization, timeoutMs } = this.#config;
    const headers: Record<string, string> = { accept: `${CONTENT_TYPE}, application/json` };
    if (authorization !== null) headers.authorization = authorization;
    if (body !== null) headers['content-type'] = CONTENT_TYPE;
    let response: Response;
    let text: string;
    try {
      const signal = AbortSignal.timeout(timeoutMs);
      response = await fetch(`${url}/${path}`, { method, headers, body, signal });
      text = await response.text();
    } catch (error) {
      throw this.#unexpected(fetchReason(error));
    }
    if (response.ok) {
      const json = parsed(text);
      if (json === null) throw this.#unexpected('the answer is not JSON');
      return json;
    }
    if (response.status === 404) return null;
    const reason = `${response.status} ${reasonOf(text)}`;
    if (response.status === 401 || response.status === 403) {
      throw new RegistryError(`schema registry at ${url} refused the login: ${reason}`, true);
    }
    if (method === 'POST' && (response.status === 409 || response.status === 422)) {
      throw new SqlError('42804', `the schema registry refused the schema: ${reason}`);
    }
    throw this.#unexpected(reason);
  }

  #unexpected(reason: string): RegistryError {
    return new RegistryError(`could not ask the schema registry at ${this.#config.url}: ${reason}`);
  }
}

function keep<T>(map: Map<number, T>, id: number, value: T): void {
  map.delete(id);
  map.set(id, value);
  if (map.size <= KEPT_MAX) return;
  for (const oldest of map.keys()) {
    map.delete(oldest);
    return;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function reasonOf(text: string): string {
  const message = (parsed(text) as { message?: unknown } | null)?.message;
  return typeof message === 'string' ? message : text.slice(0, 200);
}
