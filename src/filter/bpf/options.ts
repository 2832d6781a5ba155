/**
 * What the eBPF back end is told and what it returns.
 *
 * @module
 */

import type { Assembler, Assembly } from '../../bpf/assembler.ts';
import type { FilterSet } from '../extended/filter-set.ts';

/**
 * IPv6 extension headers followed in the kernel; RFC 8200 section 4.1 names seven in a packet. One with more is let
 * through as a possible match.
 */
export const MAX_EXTENSION_HEADERS = 8;

/** The maps of a filter set (`extended/set-map-layout.ts`): file descriptors of arrays of one map each. */
export interface SetMaps {
  /** Its map is a hash of single values. None there: there are no values. */
  readonly values: number;
  /** Its map is a trie of prefixes. None there: there are no prefixes. */
  readonly prefixes: number;
}

/** How a program finds the process behind a packet. */
export interface ProcessLookup {
  /**
   * Leaves in r0 the address of a `PROCESS_RECORD`, or 0 where the process is not known. The context is in r6. May
   * use r0-r5, which are lost, and of the stack what is below -256 (`r10 - 256` is the first byte that is not its
   * own); must fall through. Emitted at most twice.
   */
  emitLookup(assembler: Assembler): void;
}

/** Where the program will run: everything said here is folded into it. */
export interface BpfOptions {
  /** 'network': LOCAL_OUT or LOCAL_IN (see `direction`). 'forward': FORWARD. */
  readonly layer: 'network' | 'forward';
  /** Network layer only: 'outbound' at LOCAL_OUT, 'inbound' at LOCAL_IN. Default: 'outbound'. */
  readonly direction?: 'inbound' | 'outbound';
  /**
   * Whether the program only gets loopback packets (true) or none (false). 'unknown': both outcomes of a
   * `loopback` test are let through. Default: 'unknown' outbound, otherwise false.
   */
  readonly loopback?: boolean | 'unknown';
  /** Whether the program only gets injected packets. Default: 'unknown'. */
  readonly impostor?: boolean | 'unknown';
  /** IP versions the program can get. Packets of the other one do not match. Default: 'both'. */
  readonly family?: 4 | 6 | 'both';
  /** `ifIdx`, where the caller knows it. Default: read from the packet inbound and on forward, 1 on loopback. */
  readonly interfaceIndex?: number;
  /** `subIfIdx`. Default: 0, as everywhere on Linux. */
  readonly subInterfaceIndex?: number;
  /**
   * How the reader gets GSO super-packets: cut into 'segments' (NFQUEUE) or 'whole' as the program
   * sees them. Default: 'segments'.
   */
  readonly superPackets?: 'segments' | 'whole';
  /**
   * Super-packets of more than 64 KB (BIG TCP), whose IP header says length 0, are as long as they are.
   * Default: when they are cut into segments. Otherwise they are not valid packets.
   */
  readonly bigPackets?: boolean;
  /**
   * Whether TCP and UDP checksums are 'final' when the program runs or possibly 'partial', to be filled before
   * the reader gets the packet. Default: 'partial'.
   */
  readonly checksums?: 'final' | 'partial';
  /**
   * The maps of the filter's sets (`Filter.kernelSets`). A set without maps cannot be looked into: both outcomes are let
   * through.
   */
  readonly sets?: ReadonlyMap<FilterSet, SetMaps>;
  /**
   * Finds the process behind a packet, for `processId`, `userId` and `processName`. Default: it cannot be known, both
   * outcomes of these tests are let through.
   */
  readonly process?: ProcessLookup;
  /**
   * Whether the verifier also follows branches that are never taken, as processors do for a moment: without CAP_PERFMON,
   * up to Linux 6.16. Loops have no end there and are written out. Default: false.
   */
  readonly speculation?: boolean;
  /** Result on a match. Default: 1. Ignored with `emitMatch`. */
  readonly matchValue?: number;
  /**
   * Writes what the program does first, with the context in r6. May use r0-r5 and r7-r9; must fall
   * through or exit.
   */
  readonly emitPrologue?: (assembler: Assembler) => void;
  /**
   * Writes what the program does on a match instead of returning `matchValue`, with the context in r6.
   * May use every other register and the whole stack; must exit.
   */
  readonly emitMatch?: (assembler: Assembler) => void;
}

/** A test whose outcome the program cannot know, so that it lets both through. */
export interface Inexactness {
  /** Name of the field. */
  readonly field: string;
  readonly reason: InexactReason;
}

/** Why a program cannot know a field. */
export type InexactReason =
  /** Nothing in the program's context has it. */
  | 'not-in-context'
  /** The caller said 'unknown': a variant specialised to each value would be exact. */
  | 'needs-variants'
  /** The kernel fills the checksum in after the program ran. */
  | 'checksum-not-final'
  /** Differs between a GSO super-packet, which the program sees, and its segments, which the reader gets. */
  | 'differs-in-segments'
  /** The filter has too many combinations of unknown tests. */
  | 'too-complex';

/** A compiled filter: nonzero (or `emitMatch`) for every packet that may match. */
export interface BpfProgram extends Assembly {
  /**
   * The program never lets through what does not match, for any packet with at most
   * {@link MAX_EXTENSION_HEADERS} IPv6 extension headers.
   */
  readonly exact: boolean;
  /** The same, for packets that are not GSO super-packets. */
  readonly exactWithoutSegments: boolean;
  /** One entry per field and reason; empty when exact. */
  readonly inexact: readonly Inexactness[];
  /** Specialising to `loopback: true` and `loopback: false` gives programs that decide more. */
  readonly needsLoopbackVariants: boolean;
  /** Specialising to `impostor: true` and `impostor: false` gives programs that decide more. */
  readonly needsImpostorVariants: boolean;
  /** The program is the same for every packet it parses: never a match, or always one. */
  readonly constant: boolean | null;
}
