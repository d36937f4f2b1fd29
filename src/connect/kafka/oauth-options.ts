/** Options of the login OAUTHBEARER: a token, or where tokens come from (under the names of Kafka's own clients). */

import { SqlError } from '../../base/sql-error.ts';
import { badValue, OptionError, type OptionSchema, type OptionValue, placeOf } from '../options.ts';
import type { SaslConfig } from './kafka-config.ts';
import { isToken } from './token-source.ts';

const OWNER = 'connector "kafka"';
const PREFIX = 'properties.sasl.oauthbearer.';
const TOKEN = `${PREFIX}token`;
const ENDPOINT = `${PREFIX}token.endpoint.url`;
const CLIENT_ID = `${PREFIX}client.credentials.client.id`;
const CLIENT_SECRET = `${PREFIX}client.credentials.client.secret`;
const SCOPE = `${PREFIX}scope`;
const EXTENSIONS = `${PREFIX}extensions`;
const URLENCODE = `${PREFIX}header.urlencode`;

export const OAUTH_SCHEMA: OptionSchema = {
  [TOKEN]: { kind: 'text', default: null },
  [ENDPOINT]: { kind: 'text', default: null },
  [CLIENT_ID]: { kind: 'text', default: null },
  [CLIENT_SECRET]: { kind: 'text', default: null },
  [SCOPE]: { kind: 'text', default: null },
  [EXTENSIONS]: { kind: 'text', default: null },
  [URLENCODE]: { kind: 'boolean', default: false },
};

type Options = ReadonlyMap<string, OptionValue>;

/** 22023 unless the options name a token, or an endpoint with all that it needs. */
export function checkOAuth(options: Options): SaslConfig {
  const token = options.get(TOKEN) as string | null;
  const url = options.get(ENDPOINT) as string | null;
  if ((token === null) === (url === null)) {
    const message = `${OWNER} needs one of the options "${TOKEN}" and "${ENDPOINT}"`;
    throw new SqlError('22023', message);
  }
  const login = token === null ? checkEndpoint(options) : checkToken(token, options);
  const extensions = options.get(EXTENSIONS) as string | null;
  return extensions === null ? login : { ...login, extensions: checkExtensions(extensions) };
}

function checkToken(token: string, options: Options): SaslConfig {
  for (const name of [CLIENT_ID, CLIENT_SECRET, SCOPE]) {
    if (options.get(name) === null) continue;
    const message = `"${name}" needs the option "${ENDPOINT}"`;
    throw new OptionError('22023', message, placeOf(OWNER, name, 'name'));
  }
  if (isToken(token)) return { mechanism: 'OAUTHBEARER', username: '', password: token };
  // It is not shown.
  const message = `invalid value for option "${TOKEN}" of ${OWNER}`;
  const hint = 'It must be a token as an authorization server gives it, without blanks.';
  throw new OptionError('22023', message, placeOf(OWNER, TOKEN, 'value'), hint);
}

function checkEndpoint(options: Options): SaslConfig {
  const needed = (name: string): string => {
    const value = options.get(name) as string | null;
    if (value !== null) return value;
    throw new SqlError('22023', `${OWNER} needs the option "${name}"`);
  };
  const username = needed(CLIENT_ID);
  const password = needed(CLIENT_SECRET);
  const endpoint = {
    url: checkUrl(needed(ENDPOINT)),
    scope: options.get(SCOPE) as string | null,
    isUrlEncoded: options.get(URLENCODE) as boolean,
  };
  return { mechanism: 'OAUTHBEARER', username, password, endpoint };
}

/** The client's secret goes there: nobody else may read it. */
function checkUrl(text: string): string {
  const url = URL.parse(text);
  const isSafe =
    url?.protocol === 'https:' ||
    (url?.protocol === 'http:' && /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname));
  if (isSafe && url?.username === '' && url.password === '') return text;
  const wanted = 'a URL of https, or of http on this machine, without a name and password';
  throw badValue(OWNER, ENDPOINT, text.replace(/^(https?:\/*)?.*@/s, '$1********@'), wanted);
}

function checkExtensions(text: string): Readonly<Record<string, string>> {
  const pairs = text.split(',').map((part) => {
    const [, name = '', value = ''] = /^\s*([A-Za-z]+)=([\x21-\x7e]+)\s*$/.exec(part) ?? [];
    if (name !== '' && name !== 'auth') return [name, value] as const;
    const wanted = "names and values, as 'logicalCluster=a,identityPoolId=b'";
    throw badValue(OWNER, EXTENSIONS, text, wanted);
  });
  return Object.fromEntries(pairs);
}
