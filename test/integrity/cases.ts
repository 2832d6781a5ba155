/**
 * The cases of the short and the long form.
 *
 * @module
 */
import { FAMILIES } from '../helpers/datagram.ts';
import { ASSIGNED, IN_PLACE, REPLACED, type Rewriting, SWAPPED } from './rewrite.ts';
import type { Place } from './route.ts';
import type { Faults } from './stage.ts';
import type { Case } from './transfer.ts';

/** Megabytes of a case, by what it is for. */
export interface Amounts {
  readonly main: number;
  readonly matrix: number;
  readonly loopback: number;
  readonly faulty: number;
  readonly datagrams: number;
}

/** 10 GB and some in all. */
export const LONG: Amounts = { main: 1000, matrix: 40, loopback: 60, faulty: 32, datagrams: 24 };
export const SHORT: Amounts = { main: 4, matrix: 2, loopback: 2, faulty: 2, datagrams: 1 };

const MEGABYTE = 1_000_000;
const MTU_BYTES = 1500;
const JUMBO_MTU_BYTES = 9000;
const DATAGRAM_BYTES = 20_000;

const FAULTS: Record<string, Faults> = {
  loss: { loss: 0.01 },
  reordering: { reorder: 0.05, reorderMs: 2 },
  duplication: { duplicate: 0.05 },
  corruption: { corrupt: 0.01 },
  delay: { delayMs: 5 },
  'all of it': {
    loss: 0.005,
    reorder: 0.02,
    reorderMs: 1,
    duplicate: 0.02,
    corrupt: 0.005,
    delayMs: 1,
  },
};

/** A case before it has a seed. */
type Draft = Omit<Case, 'seed' | 'name'>;

const BASE: Draft = {
  place: 'inbound',
  family: 'ipv4',
  protocol: 'tcp',
  bytes: 0,
  mtuBytes: MTU_BYTES,
  offloads: true,
  pieces: false,
  faults: null,
  rewriting: IN_PLACE,
  largePackets: false,
  download: false,
  datagramBytes: 0,
};

/** What distinguishes a case, in words. */
function nameOf(one: Draft, fault: string): string {
  const parts = [
    one.protocol.toUpperCase(),
    one.place,
    one.family === 'ipv4' ? 'IPv4' : 'IPv6',
    one.rewriting.name,
    one.largePackets ? 'large packets' : 'segments',
    one.mtuBytes === MTU_BYTES ? '' : `MTU ${one.mtuBytes}`,
    one.offloads ? '' : 'no offloads',
    one.download ? 'download' : '',
    one.datagramBytes > 0 ? `datagrams of ${one.datagramBytes}` : '',
    one.pieces ? 'fragments' : '',
    fault,
  ];
  return parts.filter(Boolean).join(', ');
}

/** The most usual: a lot of bytes each. */
function mainCases(bytes: number): Draft[] {
  return [
    { ...BASE, bytes },
    { ...BASE, bytes, family: 'ipv6', rewriting: ASSIGNED, largePackets: true },
    { ...BASE, bytes, place: 'outbound', rewriting: ASSIGNED },
    { ...BASE, bytes, place: 'outbound', family: 'ipv6', largePackets: true },
    { ...BASE, bytes, place: 'NAT, sending host' },
    { ...BASE, bytes, place: 'NAT, router', family: 'ipv6', rewriting: ASSIGNED },
    { ...BASE, bytes, place: 'loopback', largePackets: true },
  ];
}

const EITHER = [false, true] as const;

function matrix(bytes: number): Draft[] {
  const places: readonly Place[] = ['inbound', 'outbound'];
  const rewritings: readonly Rewriting[] = [IN_PLACE, ASSIGNED];
  return places.flatMap((place) =>
    FAMILIES.flatMap((family) =>
      rewritings.flatMap((rewriting) =>
        EITHER.flatMap((largePackets) =>
          [MTU_BYTES, JUMBO_MTU_BYTES].flatMap((mtuBytes) =>
            EITHER.map(
              (offloads): Draft => ({
                ...BASE,
                bytes,
                place,
                family,
                rewriting,
                largePackets,
                mtuBytes,
                offloads,
              }),
            ),
          ),
        ),
      ),
    ),
  );
}

/** Handles on lo, on routers, and with other addresses and ports, each way. */
function otherPlaces(bytes: number): Draft[] {
  return FAMILIES.flatMap((family): Draft[] => [
    ...EITHER.flatMap((largePackets): Draft[] => [
      { ...BASE, bytes, family, largePackets, place: 'loopback' },
      { ...BASE, bytes, family, largePackets, place: 'loopback', rewriting: REPLACED },
      { ...BASE, bytes, family, largePackets, place: 'forward', rewriting: ASSIGNED },
      { ...BASE, bytes, family, largePackets, place: 'NAT, router' },
      { ...BASE, bytes, family, largePackets, place: 'NAT, router', download: true },
      { ...BASE, bytes, family, largePackets, place: 'NAT, sending host', download: true },
      { ...BASE, bytes, family, largePackets, place: 'NAT, sending host', rewriting: REPLACED },
    ]),
  ]);
}

function datagrams(bytes: number): Draft[] {
  const udp = { ...BASE, bytes, protocol: 'udp', datagramBytes: DATAGRAM_BYTES } as const;
  return FAMILIES.flatMap((family): Draft[] => [
    { ...udp, family, place: 'inbound' },
    { ...udp, family, place: 'inbound', rewriting: SWAPPED, pieces: true },
    { ...udp, family, place: 'inbound', mtuBytes: JUMBO_MTU_BYTES, rewriting: ASSIGNED },
    { ...udp, family, place: 'inbound', datagramBytes: 60_000, offloads: false },
    { ...udp, family, place: 'outbound', rewriting: ASSIGNED },
    { ...udp, family, place: 'outbound', rewriting: SWAPPED, pieces: true, offloads: false },
  ]);
}

function faultyCases(bytes: number): [Draft, string][] {
  return Object.entries(FAULTS).flatMap(([fault, faults]) =>
    FAMILIES.flatMap((family): [Draft, string][] => [
      [{ ...BASE, bytes, family, faults }, fault],
      [{ ...BASE, bytes, family, faults, place: 'outbound', rewriting: ASSIGNED }, fault],
    ]),
  );
}

/** UDP over a wire with faults: pieces of datagrams are lost, doubled and out of order. */
function faultyDatagrams(bytes: number): [Draft, string][] {
  const udp = { ...BASE, bytes, protocol: 'udp', datagramBytes: 6000 } as const;
  const fault = 'all of it';
  const faults = FAULTS[fault] ?? {};
  return FAMILIES.flatMap((family): [Draft, string][] => [
    [{ ...udp, family, faults }, fault],
    [{ ...udp, family, faults, rewriting: SWAPPED, pieces: true }, fault],
  ]);
}

function finished(drafts: readonly [Draft, string][], seed: number): Case[] {
  return drafts.map(([draft, fault], index) => ({
    ...draft,
    name: nameOf(draft, fault),
    seed: seed + index,
  }));
}

/** Everything. */
export function longCases(amounts: Amounts, seed: number): Case[] {
  const plain = [
    ...mainCases(amounts.main * MEGABYTE),
    ...matrix(amounts.matrix * MEGABYTE),
    ...otherPlaces(amounts.loopback * MEGABYTE),
    ...datagrams(amounts.datagrams * MEGABYTE),
  ].map((draft): [Draft, string] => [draft, '']);
  const faulty = [
    ...faultyCases(amounts.faulty * MEGABYTE),
    ...faultyDatagrams((amounts.faulty * MEGABYTE) / 8),
  ];
  return finished([...plain, ...faulty], seed);
}

/** Some of it: every place, way to rewrite, kind of link and fault that matters, a few megabytes each. */
export function shortCases(amounts: Amounts, seed: number): Case[] {
  const bytes = amounts.main * MEGABYTE;
  const few = amounts.faulty * MEGABYTE;
  const plain: Draft[] = [
    ...mainCases(bytes),
    { ...BASE, bytes, mtuBytes: JUMBO_MTU_BYTES, rewriting: REPLACED },
    { ...BASE, bytes, family: 'ipv6', place: 'outbound', offloads: false, largePackets: true },
    ...datagrams(amounts.datagrams * MEGABYTE).filter(
      ({ pieces, family, place }) => pieces && (family === 'ipv4') === (place === 'inbound'),
    ),
  ];
  const faulty: [Draft, string][] = ['corruption', 'all of it'].map((fault) => [
    { ...BASE, bytes: few, family: 'ipv4', faults: FAULTS[fault] ?? {} },
    fault,
  ]);
  return finished([...plain.map((draft): [Draft, string] => [draft, '']), ...faulty], seed);
}
