/** Fills the registry: imported for its effect by whatever looks functions up. */

import './functions/aggregate-signatures.ts';
import './functions/arithmetic.ts';
import './functions/arrays.ts';
import './functions/casts.ts';
import './functions/comparison.ts';
import './functions/conditional.ts';
import './functions/datetime.ts';
import './functions/encoding.ts';
import './functions/format.ts';
import './functions/formatting.ts';
import './functions/json.ts';
import './functions/jsonb-edit.ts';
import './functions/math.ts';
import './functions/numeric-math.ts';
import './functions/patterns.ts';
import './functions/regex-functions.ts';
import './functions/system.ts';
import './functions/text.ts';
import './vector/identity.ts';
import './vector/integers.ts';
import './vector/floats.ts';
import './vector/compare-text.ts';
import './vector/numerics.ts';
import './vector/times.ts';
import './vector/patterns.ts';
import './table-functions.ts';
