/** How a cluster is reached: what the options say, as JSON. */

export interface KafkaConfig {
  /** host:port of brokers to ask first. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly tls: {
    /** PEM; null: the system's authorities. */
    readonly ca: string | null;
    readonly certificate: string | null;
    readonly key: string | null;
    readonly isVerified: boolean;
  } | null;
  readonly sasl: SaslConfig | null;
  readonly requestTimeoutMs: number;
  /** Also for a token. */
  readonly connectTimeoutMs: number;
}

export interface SaslConfig {
  readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER';
  /** For OAUTHBEARER the client's id; '' where the token is given. */
  readonly username: string;
  /** For OAUTHBEARER the client's secret, or the token. */
  readonly password: string;
  /** OAUTHBEARER: where tokens come from; absent: `password` is the token. */
  readonly endpoint?: TokenEndpointConfig;
  /** OAUTHBEARER: what the brokers are told besides. */
  readonly extensions?: Readonly<Record<string, string>>;
}

/** An authorization server's token endpoint (RFC 6749). */
export interface TokenEndpointConfig {
  readonly url: string;
  /** null: the server's own. */
  readonly scope: string | null;
  /** Id and secret are URL-encoded in the Authorization header, as the RFC says and many servers do not expect. */
  readonly isUrlEncoded: boolean;
}

export interface BrokerAddress {
  readonly host: string;
  readonly port: number;
}
