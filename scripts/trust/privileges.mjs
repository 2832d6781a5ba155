/** Which feature works with which capabilities, and that text of filters cannot become code. */

import { passes } from '../live-tests.mjs';

const PARTS = [
  [
    'system',
    'test/system/privilege-table.test.ts',
    'test/system/privileges.test.ts',
    'test/system/drop-privileges.test.ts',
  ],
  ['unit', 'test/filter/emit-js.test.ts'],
];

export function run() {
  for (const [project, ...files] of PARTS) {
    if (!passes(project, files)) throw new Error(`${files.join(', ')} failed`);
  }
  return 'the table of docs/trust/privileges.md holds, each missing capability is named';
}
