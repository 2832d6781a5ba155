import { expect, test } from 'vitest';
import { DivertError } from '../../src/errors.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { evaluateFilter } from '../../src/filter/evaluate.ts';
import type { AddressInit } from '../../src/packet/address.ts';
import { EVAL_VECTORS } from '../conformance/filter-engine.ts';
import { ipv4, ipv6, tcp } from '../helpers/build-packet.ts';

const packet = ipv4({}, tcp({ destinationPort: 443 }));

function verdictOf(evaluate: () => boolean): boolean | string {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof DivertError && error.code === 'invalid-parameter') return error.code;
    throw error;
  }
}

test('vectors/eval.json: every entry', () => {
  const failures = EVAL_VECTORS.filter(({ filter, packet, addr, result, error }) => {
    const bytes = packet === null ? null : Uint8Array.from(Buffer.from(packet, 'hex'));
    return verdictOf(() => evaluateFilter(filter, bytes, addr)) !== (error ?? result);
  });
  expect(failures.slice(0, 10)).toEqual([]);
});

const REFUSED: readonly (readonly [
  name: string,
  filter: string,
  packet: Uint8Array | null,
  address: unknown,
  message: RegExp,
])[] = [
  ['no address', 'true', packet, null, /address/],
  ['an address left out', 'true', packet, undefined, /address/],
  ['a layer number that is none', 'true', packet, { layer: 5 }, /layer/],
  ['a layer name that is none', 'true', packet, { layer: 'link' }, /layer/],
  ['a filter that does not compile', 'tcp.Port', packet, {}, /tcp\.Port/],
  ['a field of another layer', 'processId == 1', packet, {}, /processId/],
  ['no packet on the network layer', 'true', null, {}, /needs a packet/],
  ['a packet that is none', 'true', new Uint8Array(20), {}, /no valid IP header/],
  ['the wrong family', 'true', packet, { ipv6: true }, /family/],
  ['a packet on the flow layer', 'true', packet, { layer: 'flow' }, /flow has no packets/],
  ['an event name that is none', 'true', packet, { event: 'packets' }, /event is "packets"/],
  [
    'a handle layer that is none',
    'true',
    null,
    { layer: 4, handleLayer: 'x' },
    /handleLayer is "x"/,
  ],
  ['a timestamp that is no integer', 'true', packet, { timestamp: 0.5 }, /timestamp is 0.5/],
  ['a timestamp that is no number', 'true', packet, { timestamp: '1s' }, /timestamp is "1s"/],
  ['an endpoint id that is no number', 'true', null, { layer: 2, endpointId: '' }, /endpointId/],
  ['an address that is none', 'true', null, { layer: 2, localAddr: '1.2.3' }, /localAddr/],
  ['an address of three words', 'true', null, { layer: 2, remoteAddr: [1, 2, 3] }, /remoteAddr/],
];

test.each(REFUSED)('refuses %s', (_, filter, bytes, address, message) => {
  const evaluate = () => evaluateFilter(filter, bytes, address as AddressInit);
  expect(evaluate).toThrow(message);
  expect(verdictOf(evaluate)).toBe('invalid-parameter');
});

test('a filter refuses an address of another layer', () => {
  const filter = compileFilter('true', 'forward');
  expect(filter.matches(packet, {})).toBe(true);
  expect(filter.matches(packet, { layer: 'forward' })).toBe(true);
  expect(() => filter.matches(packet, { layer: 'network' })).toThrow(/layer forward/);
});

test('the error of a filter that does not compile has the compile error as its cause', () => {
  const attempt = () => evaluateFilter('tcp.Port', packet, {});
  expect(attempt).toThrow(
    expect.objectContaining({ cause: expect.objectContaining({ code: 'bad-token' }) }),
  );
});

const SPELLINGS: readonly (readonly [name: string, filter: string, address: AddressInit])[] = [
  ['layer by number', 'event == ESTABLISHED', { layer: 2, event: 1 }],
  ['layer and event by name', 'event == DELETED', { layer: 'flow', event: 'deleted' }],
  ['close on the socket layer', 'event == CLOSE', { layer: 'socket', event: 'close' }],
  ['close on the reflect layer', 'event == CLOSE', { layer: 'reflect', event: 'close' }],
  ['handle layer by number', 'layer == SOCKET', { layer: 4, handleLayer: 3 }],
  ['handle layer by name', 'layer == SOCKET', { layer: 4, handleLayer: 'socket' }],
  ['flags as numbers', 'outbound and loopback', { layer: 2, outbound: 1, loopback: 1 }],
  ['timestamp as bigint', 'timestamp == -5', { layer: 2, timestamp: -5n }],
  ['timestamp as number', 'timestamp == -4294967301', { layer: 2, timestamp: -4_294_967_301 }],
  ['timestamp as text', 'timestamp == -5', { layer: 2, timestamp: '-5' }],
  ['large safe number', 'timestamp == 9007199254740991', { layer: 2, timestamp: 2 ** 53 - 1 }],
  ['endpoint as number', 'endpointId == 4294967297', { layer: 2, endpointId: 4_294_967_297 }],
  [
    'endpoint as text',
    'endpointId == 18446744073709551615',
    { layer: 2, endpointId: '18446744073709551615' },
  ],
  ['parent endpoint as bigint', 'parentEndpointId == 7', { layer: 3, parentEndpointId: 7n }],
  ['localAddr as IPv4 text', 'localAddr == 10.0.0.1', { layer: 2, localAddr: '10.0.0.1' }],
  [
    'localAddress as mapped text',
    'localAddr == 10.0.0.1',
    { layer: 2, localAddress: '::ffff:10.0.0.1' },
  ],
  [
    'remoteAddr as words',
    'remoteAddr == 10.0.0.1',
    { layer: 2, remoteAddr: [0x0a000001, 0xffff, 0, 0] },
  ],
  ['remoteAddress as text', 'remoteAddr == fe80::1', { layer: 2, remoteAddress: 'fe80::1' }],
];

test.each(SPELLINGS)('reads %s', (_, filter, address) => {
  expect(evaluateFilter(filter, null, address)).toBe(true);
});

test.each([
  ['ifIdx', { ifIdx: 7, subIfIdx: 8 }],
  ['interfaceIndex', { interfaceIndex: 7, subInterfaceIndex: 8 }],
])('reads %s', (_, address) => {
  expect(evaluateFilter('ifIdx == 7 and subIfIdx == 8', packet, address)).toBe(true);
});

test('absent keys are 0, also after an address that had them', () => {
  const filter = compileFilter(
    'ifIdx == 0 and subIfIdx == 0 and timestamp == 0 and inbound and not loopback',
  );
  const full: AddressInit = {
    ifIdx: 1,
    subIfIdx: 1,
    timestamp: -1n,
    outbound: true,
    loopback: true,
  };
  expect(filter.matches(packet, full)).toBe(false);
  expect(filter.matches(packet, {})).toBe(true);
  expect(filter.matches(ipv6({}, tcp({})), { ipv6: true })).toBe(true);
});

test('a Buffer inside a larger one is read in its own bounds', () => {
  const buffer = Buffer.concat([Buffer.alloc(3, 0x45), packet, Buffer.from('tail')]);
  const view = buffer.subarray(3, 3 + packet.length);
  expect(evaluateFilter(`length == ${packet.length} and packet[0] == 0x45`, view, {})).toBe(true);
});
