import { describe, expect, test } from 'vitest';
import { DivertError } from '../../src/errors.ts';
import { type AddressInit, LAYERS } from '../../src/packet/address.ts';
import {
  WINDIVERT_ADDRESS,
  WINDIVERT_IPHDR,
  WINDIVERT_IPV6HDR,
  WinDivertHelperCalcChecksums,
  WinDivertHelperCompileFilter,
  WinDivertHelperDecrementTTL,
  WinDivertHelperEvalFilter,
  WinDivertHelperFormatFilter,
  WinDivertHelperFormatIPv4Address,
  WinDivertHelperFormatIPv6Address,
  WinDivertHelperHashPacket,
  WinDivertHelperHtonIPv6Address,
  WinDivertHelperHtonIpv6Address,
  WinDivertHelperHtonl,
  WinDivertHelperHtonll,
  WinDivertHelperHtons,
  WinDivertHelperNtohIPv6Address,
  WinDivertHelperNtohIpv6Address,
  WinDivertHelperNtohl,
  WinDivertHelperNtohll,
  WinDivertHelperNtohs,
  WinDivertHelperParseIPv4Address,
  WinDivertHelperParseIPv6Address,
  WinDivertHelperParsePacket,
} from '../../src/windivert/index.ts';
import { concat } from '../helpers/build-packet.ts';
import { build } from '../packet/build.ts';
import { fromHex, loadVectors, toHex } from '../packet/vectors.ts';

/** Entries that `check` says are different, the first few: thousands of tests would only be slow. */
function expectAll<T>(vectors: readonly T[], check: (vector: T) => boolean): void {
  expect(vectors.length).toBeGreaterThan(100);
  expect(vectors.filter((vector) => !check(vector)).slice(0, 5)).toEqual([]);
}

describe('vectors', () => {
  test('hash.json', () => {
    expectAll(
      loadVectors<{ packet: string; seed: string; hash: string }>('hash'),
      ({ packet, seed, hash }) =>
        WinDivertHelperHashPacket(fromHex(packet), BigInt(seed)) === BigInt(hash),
    );
  });

  test('checksums.json', () => {
    type Vector = {
      packet: string;
      flags: string;
      addr: AddressInit | null;
      ok: boolean;
      result: string;
      resultAddr: Record<'ipChecksum' | 'tcpChecksum' | 'udpChecksum', number> | null;
    };
    expectAll(loadVectors<Vector>('checksums'), (vector) => {
      const bytes = fromHex(vector.packet);
      const address = vector.addr && WINDIVERT_ADDRESS.from(vector.addr);
      const done = WinDivertHelperCalcChecksums(bytes, address, BigInt(vector.flags));
      const want = vector.resultAddr;
      const isMarked =
        !address ||
        !want ||
        (address.IPChecksum === want.ipChecksum &&
          address.TCPChecksum === want.tcpChecksum &&
          address.UDPChecksum === want.udpChecksum);
      return done === vector.ok && toHex(bytes) === vector.result && isMarked;
    });
  });

  test('ttl.json', () => {
    expectAll(
      loadVectors<{ packet: string; ok: boolean; result: string }>('ttl'),
      ({ packet, ok, result }) => {
        const bytes = fromHex(packet);
        return WinDivertHelperDecrementTTL(bytes) === ok && toHex(bytes) === result;
      },
    );
  });

  test('addresses.json', () => {
    type Vector =
      | { kind: 'parseIPv4'; text: string; ok: boolean; addr: number }
      | { kind: 'parseIPv6'; text: string; ok: boolean; addr: number[] }
      | { kind: 'formatIPv4'; text: string; addr: number }
      | { kind: 'formatIPv6'; text: string; addr: number[] };
    expectAll(loadVectors<Vector>('addresses'), (vector) => {
      switch (vector.kind) {
        case 'parseIPv4':
          return WinDivertHelperParseIPv4Address(vector.text) === (vector.ok ? vector.addr : null);
        case 'parseIPv6':
          return (
            String(WinDivertHelperParseIPv6Address(vector.text)) ===
            String(vector.ok ? vector.addr : null)
          );
        case 'formatIPv4':
          return WinDivertHelperFormatIPv4Address(vector.addr) === vector.text;
        default:
          return WinDivertHelperFormatIPv6Address(vector.addr) === vector.text;
      }
    });
  });

  test('parse.json', () => {
    type Vector = {
      packet: string;
      ok: boolean;
      protocol: number;
      dataLen: number;
      nextLen: number;
    };
    const HEADERS = ['ip', 'ipv6', 'icmp', 'icmpv6', 'tcp', 'udp'] as const;
    expectAll(
      loadVectors<Vector & Record<(typeof HEADERS)[number] | 'data' | 'next', number | null>>(
        'parse',
      ),
      (vector) => {
        // Not at the start of its memory, so that offsets show.
        const packet = concat(new Uint8Array(7), fromHex(vector.packet)).subarray(7);
        const parsed = WinDivertHelperParsePacket(packet);
        if (!parsed) return !vector.ok;
        const offset = (bytes: Uint8Array | undefined | null): number | null =>
          bytes ? bytes.byteOffset - packet.byteOffset : null;
        return (
          HEADERS.every((name) => offset(parsed[`${name}Hdr`]?.bytes) === vector[name]) &&
          offset(parsed.data) === vector.data &&
          (parsed.data?.length ?? 0) === vector.dataLen &&
          parsed.dataLen === vector.dataLen &&
          parsed.protocol === vector.protocol &&
          offset(parsed.next) === vector.next &&
          (parsed.next?.length ?? 0) === vector.nextLen &&
          parsed.nextLen === vector.nextLen
        );
      },
    );
  });

  test('compile.json', () => {
    type Vector = {
      filter: string;
      layer: (typeof LAYERS)[number];
      object?: string;
      formatted?: string;
      error?: string;
    };
    expectAll(loadVectors<Vector>('compile'), ({ filter, layer, object, formatted }) => {
      const number = LAYERS.indexOf(layer);
      const compiled = WinDivertHelperCompileFilter(filter, number);
      if (compiled.object !== (object ?? null)) return false;
      if (object === undefined) return compiled.errorStr !== 'No error';
      return (
        compiled.errorStr === 'No error' &&
        WinDivertHelperFormatFilter(filter, number) === formatted
      );
    });
  });

  test('eval.json, through the 80 bytes', () => {
    type Vector = {
      filter: string;
      addr: AddressInit | null;
      packet: string | null;
      result: boolean;
      error?: string;
    };
    const isCodable = ({ addr }: Vector): boolean => Number(addr?.layer ?? 0) < LAYERS.length;
    expectAll(loadVectors<Vector>('eval').filter(isCodable), (vector) => {
      const address = vector.addr && WINDIVERT_ADDRESS.from(vector.addr);
      const packet = vector.packet === null ? null : fromHex(vector.packet);
      try {
        return WinDivertHelperEvalFilter(vector.filter, packet, address) === vector.result;
      } catch (error) {
        return error instanceof DivertError && error.win32 === 87 && error.code === vector.error;
      }
    });
  });
});

describe('compiling', () => {
  test.each([
    ['', 0, 'Filter expression parse error', 0],
    ['tcp.DstPort == 80 and tcp.Port', 0, 'Filter expression contains a bad token', 22],
    ['processId == 1', 0, 'Filter expression contains a bad token for layer', 0],
    ['packet[70000] == 1', 0, 'Filter expression array index is out-of-bounds', 7],
    ['@WinDiv_', 0, 'Filter object is invalid', 0],
  ])('%j on layer %i: %s', (filter, layer, errorStr, errorPos) => {
    expect(WinDivertHelperCompileFilter(filter, layer)).toEqual({
      object: null,
      errorStr,
      errorPos,
    });
  });

  test.each([-1, 5, 0.5])('there is no layer %d', (layer) => {
    const error = expect.objectContaining({ code: 'invalid-parameter', win32: 87 });
    expect(() => WinDivertHelperCompileFilter('true', layer)).toThrow(error);
    expect(() => WinDivertHelperFormatFilter('true', layer)).toThrow(error);
  });

  test('evaluating without an address', () => {
    expect(() => WinDivertHelperEvalFilter('true', build(4, 'tcp', 0), null)).toThrow(
      expect.objectContaining({ win32: 87 }),
    );
  });

  test('formatting a filter that does not compile', () => {
    expect(() => WinDivertHelperFormatFilter('tcp.Port', 0)).toThrow(
      expect.objectContaining({ win32: 87, code: 'bad-token' }),
    );
  });
});

describe('headers', () => {
  test('numbers are as they lie in memory', () => {
    const packet = build(4, 'tcp', 3);
    const parsed = WinDivertHelperParsePacket(packet);
    expect(parsed?.ipHdr).toMatchObject({ Version: 4, HdrLength: 5, TTL: 64, Protocol: 6, TOS: 0 });
    expect(parsed?.ipHdr?.Length).toBe(WinDivertHelperHtons(43));
    expect(parsed?.ipHdr?.Id).toBe(0x3412);
    expect(parsed?.ipHdr?.SrcAddr).toBe(0x0100000a);
    expect(parsed?.ipHdr?.DstAddr).toBe(0x0200000a);
    expect(parsed?.tcpHdr?.DstPort).toBe(WinDivertHelperHtons(80));
    expect(parsed?.tcpHdr).toMatchObject({ Ack: 1, Psh: 1, Syn: 0, Fin: 0, Rst: 0, Urg: 0 });
    expect(parsed?.tcpHdr).toMatchObject({ HdrLength: 5, SeqNum: 0x04030201, AckNum: 0x08070605 });
  });

  test('of IPv6', () => {
    const parsed = WinDivertHelperParsePacket(build(6, 'udp', 2));
    expect(parsed?.ipv6Hdr).toMatchObject({
      Version: 6,
      NextHdr: 17,
      HopLimit: 64,
      Length: 0x0a00,
    });
    expect([...(parsed?.ipv6Hdr?.DstAddr ?? [])]).toEqual([0xb80d0120, 0, 0, 0x02000000]);
    expect(parsed?.udpHdr).toMatchObject({ DstPort: 0x3500, Length: 0x0a00 });
  });

  /** Every field of every header: written, read back, and nothing else touched. */
  const parsedOf = (family: 4 | 6, transport: 'tcp' | 'udp' | 'icmp') => {
    const parsed = WinDivertHelperParsePacket(build(family, transport, 4));
    if (!parsed) throw new Error('no packet');
    return parsed;
  };
  test.each([
    ['ipHdr', parsedOf(4, 'tcp').ipHdr],
    ['ipv6Hdr', parsedOf(6, 'tcp').ipv6Hdr],
    ['tcpHdr', parsedOf(4, 'tcp').tcpHdr],
    ['udpHdr', parsedOf(6, 'udp').udpHdr],
    ['icmpHdr', parsedOf(4, 'icmp').icmpHdr],
    ['icmpv6Hdr', parsedOf(6, 'icmp').icmpv6Hdr],
  ] as const)('%s: every field by itself', (_, header) => {
    if (!header) throw new Error('no such header');
    const fields = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(header)))
      .filter(([name, descriptor]) => descriptor.set && !name.endsWith('Addr'))
      .map(([name]) => name);
    let bits = 0;
    for (const name of fields) {
      for (const fill of [0, 0xff]) {
        header.bytes.fill(fill);
        const before = toHex(header.bytes);
        const value = Number(Reflect.get(header, name));
        Reflect.set(header, name, fill === 0 ? 0xffffffff : 0);
        const after = Number(Reflect.get(header, name));
        expect(Math.min(value, after), name).toBe(0);
        if (fill === 0) bits += Math.log2(after + 1);
        Reflect.set(header, name, value);
        expect(toHex(header.bytes), name).toBe(before);
      }
    }
    const addressBits = { 20: 64, 40: 256 }[header.bytes.length] ?? 0;
    const withAddresses = fields.length > 0 && 'SrcAddr' in header ? addressBits : 0;
    expect(bits + withAddresses).toBe(header.bytes.length * 8);
  });

  test('a batch is walked with next', () => {
    const packets = [build(4, 'udp', 1), build(6, 'tcp', 0), build(4, 'icmp', 9)];
    const lengths: number[] = [];
    for (let rest: Uint8Array | null = concat(...packets); rest; ) {
      const parsed = WinDivertHelperParsePacket(rest);
      lengths.push(rest.length - (parsed?.nextLen ?? 0));
      rest = parsed?.next ?? null;
    }
    expect(lengths).toEqual(packets.map((packet) => packet.length));
  });
});

describe('macros', () => {
  test.each([
    ['MF', 0x20, 0x2000],
    ['DF', 0x40, 0x4000],
    ['RESERVED', 0x80, 0x8000],
  ] as const)('WINDIVERT_IPHDR_*_%s', async (name, mask, word) => {
    const macros = await import('../../src/windivert/index.ts');
    const header = new WINDIVERT_IPHDR();
    const get = macros[`WINDIVERT_IPHDR_GET_${name}`];
    const set = macros[`WINDIVERT_IPHDR_SET_${name}`];
    expect(get(header)).toBe(0);
    set(header, 1);
    expect([get(header), header.FragOff0]).toEqual([1, mask]);
    expect(header.view.getUint16(6)).toBe(word);
    header.FragOff0 = 0xffff;
    set(header, 2);
    expect([get(header), header.FragOff0]).toEqual([0, 0xffff & ~mask]);
  });

  test('WINDIVERT_IPHDR_*_FRAGOFF', async () => {
    const { WINDIVERT_IPHDR_GET_FRAGOFF, WINDIVERT_IPHDR_SET_FRAGOFF } = await import(
      '../../src/windivert/index.ts'
    );
    const header = new WINDIVERT_IPHDR();
    header.FragOff0 = 0x00e0;
    WINDIVERT_IPHDR_SET_FRAGOFF(header, WinDivertHelperHtons(0x1abc));
    expect(header.view.getUint16(6)).toBe(0xfabc);
    expect(WinDivertHelperNtohs(WINDIVERT_IPHDR_GET_FRAGOFF(header))).toBe(0x1abc);
  });

  test('traffic class and flow label', async () => {
    const macros = await import('../../src/windivert/index.ts');
    const header = new WINDIVERT_IPV6HDR();
    header.Version = 6;
    macros.WINDIVERT_IPV6HDR_SET_TRAFFICCLASS(header, 0xa5);
    macros.WINDIVERT_IPV6HDR_SET_FLOWLABEL(header, 0x93412);
    expect(toHex(header.bytes.subarray(0, 4))).toBe('6a591234');
    expect(macros.WINDIVERT_IPV6HDR_GET_TRAFFICCLASS(header)).toBe(0xa5);
    expect(macros.WINDIVERT_IPV6HDR_GET_FLOWLABEL(header)).toBe(0x93412);
  });
});

describe('byte order', () => {
  test.each([
    [0x0102, 0x0201],
    [0xff00, 0x00ff],
    [0x1ffff, 0xffff],
  ])('16 bits: %i', (x, swapped) => {
    expect([WinDivertHelperNtohs(x), WinDivertHelperHtons(x)]).toEqual([swapped, swapped]);
  });

  test.each([
    [0x01020304, 0x04030201],
    [0x000000ff, 0xff000000],
    [0xffffffff, 0xffffffff],
  ])('32 bits: %i', (x, swapped) => {
    expect([WinDivertHelperNtohl(x), WinDivertHelperHtonl(x)]).toEqual([swapped, swapped]);
  });

  test.each([
    [0x0102030405060708n, 0x0807060504030201n],
    [0xffn, 0xff00000000000000n],
  ])('64 bits: %i', (x, swapped) => {
    expect([WinDivertHelperNtohll(x), WinDivertHelperHtonll(x)]).toEqual([swapped, swapped]);
  });

  test('IPv6 addresses, to a new array, to another and in place', () => {
    const words = WinDivertHelperParseIPv6Address('2001:db8::8:9') ?? [0, 0, 0, 0];
    const inMemory = new Uint32Array(4);
    expect(WinDivertHelperHtonIPv6Address(words, inMemory)).toBe(inMemory);
    expect(toHex(new Uint8Array(inMemory.buffer))).toBe('20010db8000000000000000000080009');
    expect(WinDivertHelperNtohIPv6Address(inMemory)).toEqual(words);
    WinDivertHelperNtohIpv6Address(inMemory, inMemory);
    expect([...inMemory]).toEqual(words);
    const header = new WINDIVERT_IPV6HDR();
    WinDivertHelperHtonIpv6Address(words, header.SrcAddr);
    expect(toHex(header.bytes.subarray(8, 24))).toBe('20010db8000000000000000000080009');
  });
});
