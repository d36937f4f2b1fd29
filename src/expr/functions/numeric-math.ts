/** sqrt, exp, ln, log and power of numeric: registered here, computed in types/decimal-math.ts. */

import {
  exponential,
  logarithm,
  logarithm10,
  naturalLog,
  power,
  squareRoot,
} from '../../types/decimal-math.ts';
import { defineFunction, defineOperator } from '../registry.ts';

defineFunction('sqrt(numeric)', 'numeric', (a) => squareRoot(a));
defineFunction('exp(numeric)', 'numeric', (a) => exponential(a));
defineFunction('ln(numeric)', 'numeric', (a) => naturalLog(a));
defineFunction('log(numeric)', 'numeric', (a) => logarithm10(a));
defineFunction('log10(numeric)', 'numeric', (a) => logarithm10(a));
defineFunction('log(numeric,numeric)', 'numeric', (base, a) => logarithm(base, a));
defineOperator('^(numeric,numeric)', 'numeric', (a, b) => power(a, b));
defineFunction('power(numeric,numeric)', 'numeric', (a, b) => power(a, b));
defineFunction('pow(numeric,numeric)', 'numeric', (a, b) => power(a, b));
