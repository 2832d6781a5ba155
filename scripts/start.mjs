/** `npm start`: set-up, then the demo, in one process so that signals reach it. */

import { orExplain, setUp } from './setup.mjs';

orExplain(() => setUp('start'));
process.argv.splice(2, 0, 'demo');
await import('../dist/bin/main.js');
