/**
 * Whatever is wrong: one line that says what and why, a line that says what to do, and the exit code.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMAND, ensureBuilt, netdivert, ROOT } from '../helpers/command.ts';

const CAPTURE = join(ROOT, 'captures/demo.pcapng');
const NOBODY = 65_534;
const folder = mkdtempSync(join(tmpdir(), 'netdivert-bad-'));
const list = join(folder, 'list.txt');
const presets = join(folder, 'presets.json');

beforeAll(() => {
  ensureBuilt();
  writeFileSync(list, '# nothing\n!!\n');
  writeFileSync(presets, '{ "a": ');
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const USAGE = 'Try netdivert --help.';
const COUNT = 'A whole number of at least 1 is needed.';
const TIME = 'A time is needed, such as 10, 10s, 500ms, 5m or 1h.';

test.each<[name: string, args: string[], code: number, message: string, hint: string]>([
  // Usage
  ['an unknown command', ['bogus'], 2, "unknown command 'bogus'", USAGE],
  ['an unknown option', ['dump', '--bogus'], 2, "unknown option '--bogus'", USAGE],
  [
    'an option that is nearly right',
    ['dump', '--jsn'],
    2,
    "unknown option '--jsn'",
    '(Did you mean --json?)',
  ],
  ['no filter for check', ['filter', 'check'], 2, "missing required argument 'text'", USAGE],
  [
    'no filter for block',
    ['block'],
    2,
    "block needs a filter; 'true' blocks everything, this session included",
    USAGE,
  ],
  [
    'a bad count',
    ['dump', '-c', '0'],
    2,
    `option '-c, --count <n>' argument '0' is invalid. ${COUNT}`,
    USAGE,
  ],
  [
    'a bad time',
    ['dump', '-d', 'soon'],
    2,
    `option '-d, --duration <time>' argument 'soon' is invalid. ${TIME}`,
    USAGE,
  ],
  [
    'a bad layer',
    ['dump', '-L', 'flow'],
    2,
    "option '-L, --layer <layer>' argument 'flow' is invalid. Allowed choices are network, forward.",
    USAGE,
  ],
  [
    'a bad priority',
    ['pass', '--priority', 'x'],
    2,
    "option '--priority <n>' argument 'x' is invalid. A whole number is needed.",
    USAGE,
  ],
  [
    'a bad share',
    ['shape', '--loss', '200%'],
    2,
    "option '--loss <share>' argument '200%' is invalid. A share is needed, such as 5% or 0.05.",
    USAGE,
  ],
  [
    'a bad rate',
    ['shape', '--rate', 'fast'],
    2,
    "option '--rate <rate>' argument 'fast' is invalid. A rate is needed, such as 800kbit, 2mbit or 1gbit.",
    USAGE,
  ],
  [
    'a bad size',
    ['dump', '-w', 'x', '-C', 'big'],
    2,
    "option '-C, --file-size <size>' argument 'big' is invalid. A size is needed, such as 500000, 64k, 10M or 1G.",
    USAGE,
  ],
  [
    'nothing to shape',
    ['shape'],
    2,
    'shape needs what to do: --latency, --loss, --rate, --preset and the like',
    USAGE,
  ],
  ['no list', ['web'], 2, 'web needs a block list: a file, or names (--host)', USAGE],
  [
    'nowhere to stream to',
    ['stream', 'tcp'],
    2,
    'stream needs a proxy (--to host:port), or a folder (--save)',
    USAGE,
  ],
  [
    'files without a size',
    ['dump', '-r', CAPTURE, '-W', '3'],
    2,
    '-C, -G and -W need a file to write (--write)',
    USAGE,
  ],
  [
    'a number of files without a size',
    ['dump', '-r', CAPTURE, '-w', join(folder, 'x'), '-W', '3'],
    2,
    '-W needs a size (-C) or a time (-G) after which a file ends',
    USAGE,
  ],
  [
    'several files into a pipe',
    ['dump', '-r', CAPTURE, '-w', '-', '-C', '1k'],
    2,
    '-C, -G and -W need a file, not standard output',
    USAGE,
  ],
  [
    'a file to write and none to read',
    ['pass', '-w', 'x'],
    2,
    '--write needs a file to read (--read): dump writes live packets',
    USAGE,
  ],
  [
    'nothing to evaluate',
    ['filter', 'eval', 'tcp'],
    2,
    'give a packet (--packet) or a capture file (--read)',
    USAGE,
  ],
  [
    'bytes that are none',
    ['filter', 'eval', 'tcp', '--packet', 'xyz'],
    2,
    '--packet is not a sequence of hexadecimal bytes',
    USAGE,
  ],
  [
    'an unknown shell',
    ['completion', 'csh'],
    2,
    "command-argument value 'csh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.",
    USAGE,
  ],
  [
    'everything blocked',
    ['sockets', '--block'],
    2,
    "--block needs a filter; 'true' in several words blocks every program",
    USAGE,
  ],
  [
    'a priority out of range',
    ['pass', '--priority', '99999'],
    2,
    'Option priority is 99999.',
    'It is a whole number from -30000 to 30000.',
  ],
  [
    'a batch that is too large',
    ['pass', '--batch', '300'],
    2,
    "option '-b, --batch <packets>' argument '300' is invalid. A whole number from 1 to 255 is needed.",
    USAGE,
  ],
  [
    'a piece that is too large',
    ['dump', '-s', '99999'],
    2,
    'Option snapLength is 99999.',
    'It is a whole number from 1 to 65575.',
  ],
  // Addresses
  [
    'an address without port',
    ['stream', 'tcp', '--to', '10.0.0.1'],
    2,
    "option '--to <host:port>' argument '10.0.0.1' is invalid. An address with a port is needed: 127.0.0.1:8080, [::1]:8080.",
    USAGE,
  ],
  [
    'a port that is none',
    ['stream', 'tcp', '--to', '10.0.0.1:70000'],
    2,
    "option '--to <host:port>' argument '10.0.0.1:70000' is invalid. An address with a port is needed: 127.0.0.1:8080, [::1]:8080.",
    USAGE,
  ],
  ['a name that is none', ['web', '--host', 'a b'], 2, "'a b' is no host name", USAGE],
  // Files
  [
    'a file that is not there',
    ['dump', '-r', '/nonexistent'],
    1,
    '/nonexistent does not exist',
    'Check the path.',
  ],
  [
    'a capture that is not there',
    ['pass', '-r', '/nonexistent'],
    1,
    '/nonexistent does not exist',
    'Check the path.',
  ],
  [
    'a list that is not there',
    ['web', '/nonexistent'],
    1,
    '/nonexistent does not exist',
    'Check the path.',
  ],
  ['a folder for a file', ['dump', '-r', '/'], 1, '/ is a directory', 'Name a file in it.'],
  [
    'a file in no folder',
    ['dump', '-r', CAPTURE, '-w', '/nonexistent/x'],
    1,
    '/nonexistent/x does not exist',
    'Check the path.',
  ],
  ['a list without names', ['web', list], 2, `there is no name in ${list}`, USAGE],
  [
    'presets that are no JSON',
    ['shape', '--presets', presets, '--preset', 'a'],
    1,
    `presets file ${presets}: it is no JSON: Unexpected end of JSON input`,
    'It looks like { "name": { "latencyMs": 100, "loss": 0.05 } }.',
  ],
  [
    'a preset there is not',
    ['shape', '--preset', 'x'],
    2,
    "preset 'x': there is none; known are edge, 3g, 4g, dsl, wifi, satellite",
    USAGE,
  ],
  // Processes and namespaces
  [
    'a process that is none',
    ['dump', '-p', '!'],
    2,
    "option '-p, --process <who>' argument '!' is invalid. A process is needed: a name, an id, or !name.",
    USAGE,
  ],
  [
    'a process there is not',
    ['flows', '-p', '4194304'],
    1,
    'process 4194304: there is none with this id',
    'ps -e lists them; a name (--process curl) also means processes that start later.',
  ],
  [
    'a namespace there is not',
    ['flows', '-N', 'no-such'],
    1,
    'No network namespace at /run/netns/no-such.',
    'Give a path such as /run/netns/NAME (`ip netns list`) or /proc/PID/ns/net.',
  ],
])('%s', async (_name, args, code, message, hint) => {
  const result = await netdivert(args);
  const [first, ...rest] = result.stderr
    .trimEnd()
    .split('\n')
    .filter((line) => !line.startsWith('line '));
  expect({ code: result.code, stdout: result.stdout, first }).toEqual({
    code,
    stdout: '',
    first: `netdivert: ${message}`,
  });
  expect(rest).toEqual([hint]);
});

test.each([
  ['check', ['filter', 'check', 'not (tcp or udp)']],
  ['dump', ['dump', 'not (tcp or udp)']],
  ['block', ['block', 'not (tcp or udp)']],
  ['flows', ['flows', 'not (tcp or udp)']],
  ['a filter with a process', ['dump', '-p', 'curl', 'not (tcp or udp)']],
])('a bad filter for %s: where, why, what to write instead', async (_name, args) => {
  const { code, stderr, stdout } = await netdivert(args);
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  const [what, excerpt, caret, hint] = stderr.split('\n');
  expect(what).toMatch(/^netdivert: bad filter: /);
  expect(excerpt).toBe('  not (tcp or udp)');
  expect(caret).toBe('      ^');
  expect(hint).toMatch(/\w/);
});

describe.skipIf(process.platform !== 'linux')('without privileges', () => {
  const asNobody = (args: readonly string[]): { status: number | null; stderr: string } =>
    spawnSync(process.execPath, [COMMAND, ...args], {
      encoding: 'utf8',
      env: { ...process.env, NO_COLOR: '1' },
      ...(process.getuid?.() === 0 && { uid: NOBODY, gid: NOBODY }),
    });

  test.each([
    ['dump', ['dump', 'icmp']],
    ['pass', ['pass']],
    ['block', ['block', 'icmp']],
    ['web', ['web', '--host', 'ads.example']],
    ['shape', ['shape', '--latency', '5']],
    ['stream', ['stream', 'tcp.DstPort == 80', '--to', '8080']],
    ['flows', ['flows', '--follow']],
    ['sockets', ['sockets', '--follow']],
    ['handles', ['handles', 'list']],
    ['watching handles', ['handles', 'watch']],
    ['top', ['top', '--batch']],
    ['another namespace', ['flows', '-N', '/proc/1/ns/net']],
  ])('%s says what is missing', (_name, args) => {
    const { status, stderr } = asNobody(args);
    expect(status).toBe(7);
    expect(stderr).toMatch(/^netdivert: \S.*$/m);
    expect(stderr).toMatch(/root|sudo|CAP_/);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  test('what needs none works', () => {
    expect(asNobody(['filter', 'check', 'tcp'])).toMatchObject({ status: 0 });
    expect(asNobody(['flows'])).toMatchObject({ status: 0 });
    const doctor = asNobody(['doctor']);
    expect(doctor).toMatchObject({ status: 1 });
    expect(doctor.stderr).toMatch(/\d failed/);
  });
});
