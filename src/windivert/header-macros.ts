/**
 * The macros of windivert.h for fields that are no whole bytes. Values are as the macros have them:
 * in network byte order, as they lie in memory.
 *
 * @module
 */
import type { WINDIVERT_IPHDR, WINDIVERT_IPV6HDR } from './headers.ts';

/** Bits of `FragOff0`, read little-endian: the high byte of the header's word comes first. */
const FRAG_OFF = 0xff1f;
const MF = 0x0020;
const DF = 0x0040;
const RESERVED = 0x0080;

const FLOW_LABEL_0_SHIFT = 16;
const TRAFFIC_CLASS_0_SHIFT = 4;

/** The fragment offset, in network byte order and units of 8 bytes. */
export function WINDIVERT_IPHDR_GET_FRAGOFF(header: WINDIVERT_IPHDR): number {
  return header.FragOff0 & FRAG_OFF;
}

/** 1: more fragments follow. */
export function WINDIVERT_IPHDR_GET_MF(header: WINDIVERT_IPHDR): number {
  return header.FragOff0 & MF ? 1 : 0;
}

/** 1: the packet must not be fragmented. */
export function WINDIVERT_IPHDR_GET_DF(header: WINDIVERT_IPHDR): number {
  return header.FragOff0 & DF ? 1 : 0;
}

/** The reserved flag. */
export function WINDIVERT_IPHDR_GET_RESERVED(header: WINDIVERT_IPHDR): number {
  return header.FragOff0 & RESERVED ? 1 : 0;
}

/** @param value in network byte order */
export function WINDIVERT_IPHDR_SET_FRAGOFF(header: WINDIVERT_IPHDR, value: number): void {
  header.FragOff0 = (header.FragOff0 & ~FRAG_OFF) | (value & FRAG_OFF);
}

/** @param value 0 or 1, only the lowest bit counts */
export function WINDIVERT_IPHDR_SET_MF(header: WINDIVERT_IPHDR, value: number): void {
  setFlag(header, MF, value);
}

/** @param value 0 or 1, only the lowest bit counts */
export function WINDIVERT_IPHDR_SET_DF(header: WINDIVERT_IPHDR, value: number): void {
  setFlag(header, DF, value);
}

/** @param value 0 or 1, only the lowest bit counts */
export function WINDIVERT_IPHDR_SET_RESERVED(header: WINDIVERT_IPHDR, value: number): void {
  setFlag(header, RESERVED, value);
}

/** The traffic class, 0..255. */
export function WINDIVERT_IPV6HDR_GET_TRAFFICCLASS(header: WINDIVERT_IPV6HDR): number {
  return (header.TrafficClass0 << TRAFFIC_CLASS_0_SHIFT) | header.TrafficClass1;
}

/** The flow label: its upper 4 bits above the lower 16, which are in network byte order. */
export function WINDIVERT_IPV6HDR_GET_FLOWLABEL(header: WINDIVERT_IPV6HDR): number {
  return (header.FlowLabel0 << FLOW_LABEL_0_SHIFT) | header.FlowLabel1;
}

/** @param value 0..255 */
export function WINDIVERT_IPV6HDR_SET_TRAFFICCLASS(header: WINDIVERT_IPV6HDR, value: number): void {
  header.TrafficClass0 = value >> TRAFFIC_CLASS_0_SHIFT;
  header.TrafficClass1 = value;
}

/** @param value as `WINDIVERT_IPV6HDR_GET_FLOWLABEL` returns it */
export function WINDIVERT_IPV6HDR_SET_FLOWLABEL(header: WINDIVERT_IPV6HDR, value: number): void {
  header.FlowLabel0 = value >> FLOW_LABEL_0_SHIFT;
  header.FlowLabel1 = value;
}

function setFlag(header: WINDIVERT_IPHDR, flag: number, value: number): void {
  header.FragOff0 = value & 1 ? header.FragOff0 | flag : header.FragOff0 & ~flag;
}
