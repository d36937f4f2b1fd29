/** What PostgreSQL's pg_proc says of a function's parameters and result; types are OIDs. */

export interface FunctionSignature {
  readonly resultType: number;
  readonly isSet: boolean;
  readonly parameters: readonly {
    /** pg_proc.proargmodes: in, out, inout, variadic, table. */
    readonly mode: 'i' | 'o' | 'b' | 'v' | 't';
    /** '': none. */
    readonly name: string;
    readonly type: number;
  }[];
}
