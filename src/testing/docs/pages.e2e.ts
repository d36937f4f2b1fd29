/** README.md's five minutes, and the pages of the documentation whose examples need nothing beside the server. */

import { testPages } from './pages.ts';

testPages('tour');
testPages('server');
