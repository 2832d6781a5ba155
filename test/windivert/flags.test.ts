import { expect, test } from 'vitest';
import { resolveFlags } from '../../src/windivert/flags.ts';
import {
  WINDIVERT_FLAG_DROP as DROP,
  WINDIVERT_FLAG_FRAGMENTS as FRAGMENTS,
  WINDIVERT_FLAG_NO_INSTALL as NO_INSTALL,
  WINDIVERT_FLAG_RECV_ONLY as RECV_ONLY,
  WINDIVERT_FLAG_SEND_ONLY as SEND_ONLY,
  WINDIVERT_FLAG_SNIFF as SNIFF,
} from '../../src/windivert/index.ts';

const NOTHING = { mode: 'divert', access: 'both', install: true, fragments: false };

test.each([
  [0, 0, { layer: 'network' }],
  [1, 0, { layer: 'forward' }],
  [0, SNIFF, { mode: 'sniff' }],
  [0, DROP, { mode: 'drop' }],
  [0, RECV_ONLY, { access: 'receive' }],
  [0, SEND_ONLY, { access: 'send' }],
  [0, NO_INSTALL, { install: false }],
  [0, FRAGMENTS, { fragments: true }],
  [
    1,
    SNIFF | RECV_ONLY | NO_INSTALL | FRAGMENTS,
    { layer: 'forward', mode: 'sniff', access: 'receive', install: false, fragments: true },
  ],
  [2, SNIFF | RECV_ONLY, { layer: 'flow', mode: 'sniff', access: 'receive' }],
  [3, RECV_ONLY, { layer: 'socket', access: 'receive' }],
  [3, SNIFF | RECV_ONLY, { layer: 'socket', mode: 'sniff', access: 'receive' }],
  [3, DROP | RECV_ONLY, { layer: 'socket', mode: 'drop', access: 'receive' }],
  [4, SNIFF | RECV_ONLY, { layer: 'reflect', mode: 'sniff', access: 'receive' }],
])('layer %i, flags %i', (layer, flags, options) => {
  expect(resolveFlags(layer, flags)).toEqual({ ...NOTHING, layer: 'network', ...options });
  expect(resolveFlags(layer, BigInt(flags))).toEqual(resolveFlags(layer, flags));
});
