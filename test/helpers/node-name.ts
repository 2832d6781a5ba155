/**
 * What the kernel calls a process of this Node.js: `node` up to Node 22, `MainThread` with Node 24, `node-MainThread`
 * with Node 26, which give their main thread a name.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';

const SCRIPT = "require('node:fs').readFileSync('/proc/self/comm', 'latin1').trim()";

export const NODE_NAME: string = execFileSync(process.execPath, ['-p', SCRIPT], {
  encoding: 'utf8',
}).trim();
