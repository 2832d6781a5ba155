/** Rules of other programs in a namespace. */

import type { NetworkEnd } from './namespaces.ts';

/** Runs a script of nft commands. */
export async function runNft(end: NetworkEnd, script: string): Promise<string> {
  const { code, stdout, stderr } = await end.exec('nft', ['-f', '-'], { input: `${script}\n` });
  if (code !== 0) throw new Error(stderr);
  return stdout;
}

/** Hooks a chain in and takes it out again: the kernel drops what waits in every queue. */
export async function unregisterHook(end: NetworkEnd): Promise<void> {
  await runNft(end, 'table inet another { chain c { type filter hook input priority 0; }; }');
  await runNft(end, 'delete table inet another');
}
