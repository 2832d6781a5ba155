import { expect, test } from 'vitest';
import { Assembler } from '../../src/bpf/assembler.ts';
import { R0, R2, R3, R4, R10 } from '../../src/bpf/instruction.ts';
import { emitFamily, type KnownEnds } from '../../src/linux/events/emit-address.ts';
import { RECORD_AT } from '../../src/linux/events/emit-record.ts';
import { ADDRESS_FLAGS } from '../../src/packet/address.ts';
import { EVENT_RECORD, SOCKET_EVENT } from '../../src/packet/event-layout.ts';
import { runProgram } from '../helpers/bpf-machine.ts';
import { inputOf, recordOf } from '../helpers/event-record.ts';

/** The flags that a program finds out from the addresses in a record. */
function familyOf(localAddress: string, remoteAddress: string, ends: KnownEnds): string[] {
  const assembler = new Assembler();
  const done = assembler.newLabel();
  assembler.moveImmediate(R2, 0);
  assembler.move(R3, R10);
  assembler.alu('ADD', R3, RECORD_AT, 64);
  assembler.moveImmediate(R4, SOCKET_EVENT.BYTES);
  assembler.call('skb_load_bytes');
  assembler.jumpIf('JNE', R0, 0, done);
  emitFamily(assembler, ends);
  assembler.load('B', R0, R10, RECORD_AT + EVENT_RECORD.FLAGS);
  assembler.label(done);
  assembler.exit();
  const record = recordOf(inputOf({ localAddress, remoteAddress, outbound: true }, 'flow'), 'flow');
  const flags = runProgram(assembler.assemble().instructions, record);
  return Object.entries(ADDRESS_FLAGS)
    .filter(([, bit]) => (flags & bit) !== 0)
    .map(([name]) => name.toLowerCase());
}

const BOTH: KnownEnds = { local: true, remote: true };

test.each<readonly [local: string, remote: string, expected: string[]]>([
  ['10.0.0.1', '10.0.0.2', ['outbound']],
  ['10.0.0.1', '10.0.0.1', ['outbound', 'loopback']],
  ['127.0.0.1', '127.0.0.1', ['outbound', 'loopback']],
  ['10.0.0.1', '127.255.255.254', ['outbound', 'loopback']],
  ['127.0.0.1', '127.0.0.2', ['outbound', 'loopback']],
  ['126.255.255.255', '128.0.0.0', ['outbound']],
  ['::ffff:10.0.0.1', '::ffff:10.0.0.2', ['outbound']],
  ['::1', '::1', ['outbound', 'loopback', 'ipv6']],
  ['2001:db8::1', '2001:db8::2', ['outbound', 'ipv6']],
  ['2001:db8::1', '2001:db8::1', ['outbound', 'loopback', 'ipv6']],
  ['2001:db8::1', '2001:db8:1::1', ['outbound', 'ipv6']],
  ['::', '::2', ['outbound', 'ipv6']],
  ['::127.0.0.1', '::127.0.0.2', ['outbound', 'ipv6']],
  ['::1:0:0:1', '::1:0:0:2', ['outbound', 'ipv6']],
])('%s to %s: %j', (local, remote, expected) => {
  expect(familyOf(local, remote, BOTH)).toEqual(expected);
  expect(familyOf(remote, local, BOTH)).toEqual(expected);
});

test('an end that is not known says nothing', () => {
  expect(familyOf('10.0.0.1', '::', { local: true, remote: false })).toEqual(['outbound']);
  expect(familyOf('::', '2001:db8::1', { local: false, remote: true })).toEqual([
    'outbound',
    'ipv6',
  ]);
  expect(familyOf('127.0.0.1', '::', { local: true, remote: false })).toEqual([
    'outbound',
    'loopback',
  ]);
});
