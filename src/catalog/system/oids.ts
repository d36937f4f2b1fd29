/** OIDs of things that have no catalog object of their own: made from their relation's, above all others. */

/** pg_class.oid of the system catalogs that other catalogs refer to. */
export const PG_TYPE_CLASS = 1247;
export const PG_CLASS_CLASS = 1259;
export const PG_CONSTRAINT_CLASS = 2606;
export const PG_NAMESPACE_CLASS = 2615;

/** The one role, and the database. */
export const MILLRACE_ROLE_OID = 10;
export const MILLRACE_DATABASE_OID = 5;
export const DEFAULT_TABLESPACE_OID = 1663;
export const DEFAULT_COLLATION_OID = 100;

const DERIVED_BASE = 0x4000_0000;
/** A relation has at most 1,600 columns and as many constraints. */
const PER_RELATION = 4096;

/** pg_attrdef.oid of a column's default. */
export function attrdefOid(relationId: number, column: number): number {
  return DERIVED_BASE + relationId * PER_RELATION + column;
}

/** pg_constraint.oid of a relation's constraint number `index`. */
export function constraintOid(relationId: number, index: number): number {
  return DERIVED_BASE + relationId * PER_RELATION + 2048 + index;
}

/** What a derived OID stands for; null where it is not one. */
export function fromDerivedOid(oid: number): {
  readonly relationId: number;
  readonly kind: 'default' | 'constraint';
  readonly index: number;
} | null {
  if (oid < DERIVED_BASE) return null;
  const relationId = Math.floor((oid - DERIVED_BASE) / PER_RELATION);
  const rest = (oid - DERIVED_BASE) % PER_RELATION;
  return rest < 2048
    ? { relationId, kind: 'default', index: rest }
    : { relationId, kind: 'constraint', index: rest - 2048 };
}
