/**
 * Commands and options. Each command's code is loaded when it is used.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { LAYERS } from '../packet/address.ts';
import { EXIT } from './exit-code.ts';
import { reportUsage } from './report.ts';

const EXIT_CODES = `
Exit codes: 0 ok, 1 runtime error, 2 wrong usage or filter, 7 not permitted, 130 interrupted.`;
const CONTEXT_SWITCH = '--direction <direction>';

type Action = (code: number) => void;

/**
 * Runs what the arguments ask for.
 *
 * @param args - without the program's own name
 * @returns the exit code
 * @throws whatever the command throws
 */
export async function parseCommandLine(args: readonly string[]): Promise<number> {
  let exitCode: number = EXIT.OK;
  const program = createProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Help and version are "errors" of code 0; they and wrong usage are printed already.
    return error.exitCode === 0 ? EXIT.OK : EXIT.USAGE;
  }
  return exitCode;
}

function createProgram(done: Action): Command {
  const program = new Command('netdivert')
    .description('Intercept, change and drop network packets with WinDivert filters.')
    .version(readVersion(), '-V, --version')
    .exitOverride()
    .configureOutput({ outputError: (text) => reportUsage(text) })
    .addHelpText('after', EXIT_CODES);
  addDump(program, done);
  addPass(program, done);
  addFilter(program, done);
  addDemo(program, done);
  return program;
}

function addDump(program: Command, done: Action): void {
  program
    .command('dump')
    .argument('[filter...]', 'which packets; default: all')
    .description('print packets, one a line')
    .option('-r, --read <file>', 'from a capture file (pcap or pcapng; - for standard input)')
    .option('-c, --count <n>', 'stop after this many packets', parseCount)
    .option('-x, --hex', 'also print the bytes')
    .option('-n, --namespace <path>', 'work in this network namespace (a name or a path)')
    .addOption(layerOption('network', 'forward'))
    .addOption(assumeOption())
    .action(async (words: string[], options) => {
      const { dump } = await import('./commands/dump.ts');
      done(await dump(joinFilter(words), options));
    });
}

function addPass(program: Command, done: Action): void {
  program
    .command('pass')
    .argument('[filter...]', 'which packets; default: all')
    .description('take packets out and put them back unchanged: measures what interception costs')
    .option('-b, --batch <packets>', 'packets handled at once, 1 to 255', parseCount, 255)
    .option('-d, --duration <seconds>', 'stop after this time', parseCount)
    .option('-c, --count <n>', 'stop after this many packets', parseCount)
    .option('-n, --namespace <path>', 'work in this network namespace (a name or a path)')
    .addOption(layerOption('network', 'forward'))
    .action(async (words: string[], options) => {
      const { pass } = await import('./commands/pass.ts');
      done(await pass(joinFilter(words), options));
    });
}

function addFilter(program: Command, done: Action): void {
  const filter = program
    .command('filter')
    .description('work with filters; needs no privileges')
    .addHelpText('after', EXIT_CODES);
  filter
    .command('check')
    .argument('<text...>', 'the filter, or its object string')
    .description('say whether a filter is valid, and what is odd about it')
    .addOption(layerOption(...LAYERS))
    .action(async (words: string[], options) => {
      const { filterCheck } = await import('./commands/filter-check.ts');
      done(filterCheck(joinFilter(words), options));
    });
  filter
    .command('explain')
    .argument('<text...>', 'the filter, or its object string')
    .description('show the tests of a filter, and the eBPF program it becomes')
    .addOption(layerOption(...LAYERS))
    .addOption(new Option(CONTEXT_SWITCH, 'one hook only').choices(['outbound', 'inbound']))
    .action(async (words: string[], options) => {
      const { filterExplain } = await import('./commands/filter-explain.ts');
      done(filterExplain(joinFilter(words), options));
    });
  filter
    .command('eval')
    .argument('<text...>', 'the filter, or its object string')
    .description('say whether a packet matches, or which packets of a file do')
    .option('-p, --packet <hex>', 'the bytes of a packet, from the IP header')
    .option('-r, --read <file>', 'a capture file (pcap or pcapng; - for standard input)')
    .option('--loopback', 'the packet is from this host to this host')
    .option('--impostor', 'the packet was injected by another program')
    .option('--interface <index>', 'interface index', parseCount)
    .addOption(layerOption('network', 'forward'))
    .addOption(assumeOption())
    .action(async (words: string[], options) => {
      const { filterEval } = await import('./commands/filter-eval.ts');
      done(await filterEval(joinFilter(words), options));
    });
}

function addDemo(program: Command, done: Action): void {
  program
    .command('demo')
    .description('see, rewrite, block and delay real HTTP traffic between two network namespaces')
    .option('--offline', 'use the bundled capture file, as without root')
    .action(async (options) => {
      const { demo } = await import('./commands/demo.ts');
      done(await demo(options));
    });
}

function layerOption(...layers: readonly string[]): Option {
  return new Option('-l, --layer <layer>', 'layer of the filter')
    .choices(layers)
    .default('network');
}

function assumeOption(): Option {
  return new Option(CONTEXT_SWITCH, 'direction of packets whose file does not say').choices([
    'outbound',
    'inbound',
  ]);
}

/** Filters may be written in one argument or in several. */
function joinFilter(words: readonly string[]): string {
  return words.length === 0 ? 'true' : words.join(' ');
}

function parseCount(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('A whole number of at least 1 is needed.');
}

function readVersion(): string {
  const file = new URL('../../package.json', import.meta.url);
  return JSON.parse(readFileSync(file, 'utf8')).version;
}
