/** Command lines. What they ask for is not done: commands end at their checks or read an empty file. */

import { spawnSync } from 'node:child_process';
import { COMMAND } from '../../helpers/command.ts';
import type { Random } from '../../helpers/random.ts';
import type { Campaign } from '../campaign.ts';
import { mutateText } from '../mutate.ts';

/** Those that need no privileges and change nothing. */
const COMMANDS = [
  ['filter', 'check'],
  ['filter', 'explain'],
  ['filter', 'format'],
  ['filter', 'bpf'],
  ['filter', 'eval'],
  ['dump', '--read', '/dev/null'],
  ['completion'],
] as const;
const WORDS = [
  ...'tcp udp.DstPort==53 --json --layer network socket -h -V -c -1 0 1e9 NaN -- --read /dev/null'.split(
    ' ',
  ),
  ...'--dialect extended --packet 45 --count 99999999999999999999 bash zsh -x --no-such \u{1f600}'.split(
    ' ',
  ),
  '',
  ' ',
  "'",
  '\n',
  '$(id)',
  '`id`',
  '../../etc/passwd',
];
const SEPARATOR = '\u001f';
const NOBODY = 65_534;
/** For one that sleeps; one that computes may do so for seconds. */
const TIMEOUT_MS = 300_000;
const PROCESSOR_SECONDS = 20;
const PROGRAM = 'prlimit';
const BEFORE = [`--cpu=${PROCESSOR_SECONDS}`, process.execPath];
/** Done, failed, wrong usage, not allowed. */
const CODES: readonly (number | null)[] = [0, 1, 2, 7];

function expectOrderly(args: readonly string[]): void {
  // As somebody who may do nothing, in case an option leads to the real network.
  const isRoot = process.getuid?.() === 0;
  const { status, signal, stderr, stdout } = spawnSync(PROGRAM, [...BEFORE, COMMAND, ...args], {
    input: '',
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    maxBuffer: 1 << 24,
    ...(isRoot ? { uid: NOBODY, gid: NOBODY } : {}),
  });
  const said = `${stdout}${stderr}`;
  if (signal !== null || !CODES.includes(status)) throw new Error(`${status} ${signal}: ${said}`);
  if (/^\s+at .*:\d+:\d+\)?$/m.test(stderr)) throw new Error(`a stack trace: ${stderr}`);
}

/** One command line per case, each a process. */
export const ARGUMENTS: Campaign = {
  name: 'arguments',
  generate: (random: Random) => {
    const count = random.below(6);
    const rest = Array.from({ length: count }, () => mutateText(random, random.pick(WORDS), WORDS));
    return [...random.pick(COMMANDS), ...rest].join(SEPARATOR);
  },
  check: (input) =>
    expectOrderly(
      String(input)
        .split(SEPARATOR)
        // The system takes no NUL in an argument.
        .map((argument) => argument.replaceAll('\0', '')),
    ),
};
