import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readCapture, writeCapture } from '../../src/pcap/index.ts';
import { COMMAND, ensureBuilt, netdivert, ROOT } from '../helpers/command.ts';

const CAPTURE = join(ROOT, 'captures/demo.pcapng');
const SYN = '450000280001400040066f86 0a4d0001 0a4d0002 9c41005000000001000000005002faf000000000';

beforeAll(ensureBuilt, 60_000);

test('--version prints the version of the package', async () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  expect(await netdivert(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

test('--help names every command and the exit codes', async () => {
  const { code, stdout } = await netdivert(['--help']);
  expect(code).toBe(0);
  for (const word of ['dump', 'pass', 'filter', 'demo', '130 interrupted']) {
    expect(stdout).toContain(word);
  }
});

test.each([
  [
    'filter check',
    ['filter', 'check', 'tcp.DstPort == 80 && outbound'],
    'tcp.DstPort = 80 and outbound\n',
  ],
  ['filter check in several words', ['filter', 'check', 'udp', 'or', 'icmp'], 'udp or icmp\n'],
  ['filter check of an object', ['filter', 'check', '@WinDiv_WX_eXWWAX'], 'tcp\n'],
  [
    'filter check on a layer',
    ['filter', 'check', 'processId = 4', '-L', 'flow'],
    'processId = 4\n',
  ],
  ['filter eval, a match', ['filter', 'eval', 'tcp.Syn', '--packet', SYN], 'true\n'],
  ['filter eval, no match', ['filter', 'eval', 'tcp.Ack', '--packet', SYN], 'false\n'],
  [
    'filter eval, inbound',
    ['filter', 'eval', 'inbound', '--packet', SYN, '--direction', 'inbound'],
    'true\n',
  ],
  [
    'filter eval, loopback',
    ['filter', 'eval', 'loopback', '--packet', SYN, '--loopback'],
    'true\n',
  ],
  [
    'filter eval, impostor',
    ['filter', 'eval', 'impostor', '--packet', SYN, '--impostor'],
    'true\n',
  ],
  [
    'filter eval, interface',
    ['filter', 'eval', 'ifIdx = 7', '--packet', SYN, '--interface', '7'],
    'true\n',
  ],
])('%s', async (_name, args, stdout) => {
  expect(await netdivert(args)).toMatchObject({ code: 0, stdout });
});

test('filter check tells what is odd on standard error', async () => {
  const { code, stdout, stderr } = await netdivert(['filter', 'check', 'tcp.DstPort == 70000']);
  expect({ code, stdout }).toEqual({ code: 0, stdout: 'not tcp\n' });
  expect(stderr).toMatch(/warning at \d+: .*70000/);
});

test('filter explain shows the graph, the hooks and the program', async () => {
  const { code, stdout } = await netdivert(['filter', 'explain', 'outbound and tcp.DstPort == 80']);
  expect(code).toBe(0);
  expect(stdout).toContain('filter  outbound and tcp.DstPort = 80\n');
  expect(stdout).toContain('object  @WinDiv_');
  expect(stdout).toMatch(/^0 {2}outbound {10}go to 1 {2}reject$/m);
  expect(stdout).toMatch(/^1 {2}tcp\.DstPort = 80 {2}accept {3}reject$/m);
  expect(stdout).toMatch(/^outbound \(LOCAL_OUT\): exact in the kernel, \d+ instructions$/m);
  expect(stdout).toMatch(/if w0 == 80 goto match/);
  expect(stdout).toContain('inbound (LOCAL_IN): no packet can match, the hook is not used\n');
});

test('filter explain names the fields a program cannot know', async () => {
  const { stdout } = await netdivert([
    'filter',
    'explain',
    'random8 < 3',
    '--direction',
    'inbound',
  ]);
  expect(stdout).not.toContain('LOCAL_OUT');
  expect(stdout).toMatch(/^inbound \(LOCAL_IN\): lets every packet through, \d+ instructions$/m);
  expect(stdout).toContain('  random8: the program is not told\n');
});

test.each(['flow', 'socket', 'reflect'])(
  'filter explain on the %s layer has no hooks',
  async (layer) => {
    const { code, stdout } = await netdivert(['filter', 'explain', 'event = 1', '-L', layer]);
    expect(code).toBe(0);
    expect(stdout).not.toContain('LOCAL');
  },
);

test('dump -r prints matching packets and a summary', async () => {
  const { code, stdout, stderr } = await netdivert(['dump', '-r', CAPTURE, 'udp or icmp'], {
    env: { TZ: 'UTC' },
  });
  expect(code).toBe(0);
  expect(stdout.split('\n')).toEqual([
    '00:00:00.001250 out IP  10.77.0.1 > 10.77.0.2: ICMP echo request, id 7, seq 1, length 14',
    '00:00:00.002500 in  IP  10.77.0.2 > 10.77.0.1: ICMP echo reply, id 7, seq 1, length 14',
    '00:00:00.003750 out IP  10.77.0.1:40053 > 10.77.0.2:53: UDP, length 33: DNS A? weather.example',
    '00:00:00.005000 in  IP  10.77.0.2:53 > 10.77.0.1:40053: UDP, length 49: DNS A? weather.example 1 answer',
    '',
  ]);
  expect(stderr).toBe('41 packets read, 4 matched\n1 without an IP packet, passed over\n');
});

test('dump -r - reads standard input, -c ends early, -X prints the bytes', async () => {
  const input = readFileSync(CAPTURE);
  const { code, stdout } = await netdivert(['dump', '-r', '-', '-c', '1', '-X', 'icmp'], { input });
  expect(code).toBe(0);
  expect(stdout).toContain('ICMP echo request');
  expect(stdout).not.toContain('echo reply');
  expect(stdout).toContain('\t0x0020:  6976 6572 7420 7069 6e67                 ivert ping\n');
});

test('filter eval -r lists what dump -r lists', async () => {
  const dump = await netdivert(['dump', '-r', CAPTURE, 'tcp.Syn']);
  expect(await netdivert(['filter', 'eval', 'tcp.Syn', '-r', CAPTURE])).toEqual(dump);
});

test('a truncated file: everything before, then the error with its offset', async () => {
  const input = readFileSync(CAPTURE).subarray(0, 930);
  const { code, stdout, stderr } = await netdivert(['dump', '-r', '-'], { input });
  expect(code).toBe(1);
  expect(stdout.trimEnd().split('\n')).toHaveLength(6);
  expect(stderr).toMatch(/netdivert: The capture file is truncated: .* \(at byte 900\)\n/);
});

test.each([
  ['an unknown command', ['bogus'], 2, "netdivert: unknown command 'bogus'\n"],
  ['an unknown option', ['dump', '--bogus'], 2, "netdivert: unknown option '--bogus'\n"],
  ['a missing filter', ['filter', 'check'], 2, "netdivert: missing required argument 'text'\n"],
  ['a bad number', ['dump', '-c', '0'], 2, 'A whole number of at least 1 is needed.\n'],
  ['a bad layer', ['filter', 'check', 'tcp', '-L', 'x'], 2, 'Allowed choices are network, forward'],
  ['a bad filter', ['filter', 'check', 'not (tcp or udp)'], 2, '\n  not (tcp or udp)\n      ^\n'],
  ['a bad filter for dump', ['dump', 'tcp and'], 2, 'netdivert: bad filter'],
  ['a field of another layer', ['filter', 'check', 'processId = 4'], 2, 'processId'],
  [
    'nothing to evaluate',
    ['filter', 'eval', 'tcp'],
    2,
    'give a packet (--packet) or a capture file',
  ],
  [
    'bytes that are none',
    ['filter', 'eval', 'tcp', '--packet', 'xyz'],
    2,
    'not a sequence of hexadecimal',
  ],
  [
    'bytes that are no packet',
    ['filter', 'eval', 'tcp', '--packet', '4500'],
    2,
    'no valid IP header',
  ],
  ['a file that is not there', ['dump', '-r', '/nonexistent'], 1, '/nonexistent does not exist\n'],
  ['a directory', ['dump', '-r', '/'], 1, 'is a directory\n'],
  ['a file of another kind', ['dump', '-r', COMMAND], 1, 'Not a pcap or pcapng file'],
])('%s: one readable block and the exit code', async (_name, args, code, message) => {
  const result = await netdivert(args);
  expect(result).toMatchObject({ code, stdout: '' });
  expect(result.stderr).toContain(message);
  expect(result.stderr).not.toMatch(/\n\s+at /);
});

test('DEBUG adds where an error came from', async () => {
  const { stderr } = await netdivert(['filter', 'check', 'x'], { env: { DEBUG: '1' } });
  expect(stderr).toMatch(/\n\s+at /);
});

test('a reader that goes away is no error', async () => {
  const child = spawn(process.execPath, [COMMAND, 'dump', '-r', '-', 'true']);
  child.stdin.on('error', () => {});
  child.stdout.destroy();
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  child.stdin.end(readFileSync(CAPTURE));
  const [code] = await once(child, 'close');
  expect({ code, error: /Error|EPIPE/.test(stderr) }).toEqual({ code: 0, error: false });
});

test('colours follow FORCE_COLOR and NO_COLOR', async () => {
  const args = ['filter', 'explain', 'tcp'];
  const coloured = await netdivert(args, { env: { FORCE_COLOR: '1', NO_COLOR: '' } });
  expect(coloured.stdout).toContain('\u001b[1mfilter\u001b[22m');
  const plain = await netdivert(args, { env: { FORCE_COLOR: '1', NO_COLOR: '1' } });
  expect(plain.stdout).not.toContain('\u001b');
});

test('demo --offline shows every scene over the bundled capture', async () => {
  const { code, stdout } = await netdivert(['demo', '--offline']);
  expect(code).toBe(0);
  expect(stdout).toContain('Not on live traffic: asked for with --offline.');
  expect([...stdout.matchAll(/counts {2}(\d+) of 41/g)].map(([, count]) => count)).toEqual([
    '3',
    '27',
    '3',
    '9',
  ]);
  for (const effect of ['changed, from 103 to 117 bytes', 'dropped', 'held for 150 ms']) {
    expect(stdout).toContain(`would be ${effect}`);
  }
});

test('block over a file takes the packets of one process out of it', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'netdivert-'));
  try {
    const [from, to] = [join(folder, 'from.pcapng'), join(folder, 'to.pcapng')];
    const chunks: Uint8Array[] = [];
    const sink = { write: (chunk: Uint8Array) => void chunks.push(chunk.slice()) };
    const writer = writeCapture(sink);
    const bytes = Buffer.from(SYN.replaceAll(' ', ''), 'hex');
    for (const processName of ['curl', 'nc', 'curl', null]) {
      const processId = processName === null ? null : processName.length;
      await writer.write({ timestampNs: 1n, bytes, processId, processName });
    }
    await writer.close();
    writeFileSync(from, Buffer.concat(chunks));
    const { code } = await netdivert(['block', '-r', from, '-w', to, '--process', 'curl', 'tcp']);
    expect(code).toBe(0);
    const left: (number | null)[] = [];
    for await (const { processId } of readCapture(readFileSync(to))) left.push(processId);
    expect(left).toEqual([2, null]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
