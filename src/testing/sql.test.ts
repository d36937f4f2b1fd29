/** sql-tests/: every file under the default configuration. */

import { DEFAULT_CONFIGURATION } from './slt/configurations.ts';
import { describeFiles, SLT_FILES } from './slt/describe-files.ts';

describeFiles(DEFAULT_CONFIGURATION, SLT_FILES);
