/**
 * What Wireshark's tools see in a capture file.
 *
 * @module
 */

import { spawnSync } from 'node:child_process';

/** A packet as tshark reads it. */
export interface TsharkPacket {
  /** Nanoseconds since 1970. */
  readonly timestampNs: bigint;
  readonly originalLength: number;
  /** Hexadecimal digits. */
  readonly bytes: string;
  /** Null where the file gives it no name. */
  readonly interface: string | null;
  readonly direction: 'inbound' | 'outbound' | null;
  readonly comments: string;
  readonly verdict: string;
  readonly lostBefore: string;
}

const FIELDS = [
  'frame.time_epoch',
  'frame.len',
  'frame.interface_name',
  'frame.packet_flags_direction',
  'frame.comment',
  'frame.verdict.ebpf_tc',
  'frame.drop_count',
];
const DIRECTIONS = [null, 'inbound', 'outbound'] as const;
const AS_ROOT = /^Running as user "root".*\n/gm;
const MAX_OUTPUT_BYTES = 256 * 1024 * 1024;

/**
 * Runs one of Wireshark's tools.
 *
 * @throws Error when it fails, or says anything but that it runs as root
 */
export function wireshark(tool: string, args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(tool, args, {
    encoding: 'utf8',
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  const warnings = stderr.replace(AS_ROOT, '');
  if (status === 0 && warnings === '') return stdout;
  throw new Error(`${tool} ${args.join(' ')}: exit code ${status}\n${warnings}`);
}

/** Every packet of a file; fails for files that tshark warns about. */
export function tsharkPackets(path: string): TsharkPacket[] {
  const fields = wireshark('tshark', [
    ...['-n', '-r', path, '-T', 'fields', '-E', 'separator=/t', '-E', 'aggregator=;'],
    ...FIELDS.flatMap((field) => ['-e', field]),
  ]);
  const raw: { _source: { layers: { frame_raw: [string] } } }[] = JSON.parse(
    wireshark('tshark', ['-n', '-r', path, '-T', 'json', '-x', '-J', 'frame']) || '[]',
  );
  const lines = fields === '' ? [] : fields.replace(/\n$/, '').split('\n');
  return lines.map((line, index) => {
    const [epoch = '', length, name = '', direction, comments = '', verdict = '', lost = ''] =
      line.split('\t');
    return {
      timestampNs: BigInt(epoch.replace('.', '')),
      originalLength: Number(length),
      bytes: raw[index]?._source.layers.frame_raw[0] ?? '',
      interface: name === '' || name === 'unknown' ? null : name,
      direction: DIRECTIONS[Number(direction)] ?? null,
      comments,
      verdict,
      lostBefore: lost,
    };
  });
}
