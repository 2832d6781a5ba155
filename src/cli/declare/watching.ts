import { type Command, Option } from 'commander';
import type { Done } from '../program.ts';
import { parseCount, parseDuration, parseSize } from '../values.ts';
import { addTrafficOptions, assumeOption, joinFilter } from './options.ts';

/** Commands that look and change nothing. */
export function declareWatching(program: Command, done: Done): void {
  declareDump(program, done);
}

function declareDump(program: Command, done: Done): void {
  const command = program.command('dump').description('print packets, or write them to a file');
  addTrafficOptions(command)
    .option('-r, --read <file>', 'from a capture file (pcap or pcapng; - for standard input)')
    .option('-w, --write <file>', 'into a capture file (pcapng; - for standard output)')
    .option('--print', 'with --write: also print')
    .option('-x, --hex', 'also print the bytes')
    .option('-X, --hex-text', 'also print the bytes, with characters beside them')
    .option('-s, --snap-length <bytes>', 'keep this much of each packet', parseCount)
    .option('-l, --line-buffered', 'write each line at once')
    .option('-n, --numeric', 'addresses as numbers: always so, for the habit')
    .option('-C, --file-size <size>', 'with --write: a new file at this size (10M)', parseSize)
    .option('-G, --rotate <time>', 'with --write: a new file after this time', parseDuration)
    .addOption(
      new Option('-W, --file-count <n>', 'with -C or -G: keep this many files').argParser(
        parseCount,
      ),
    )
    .addOption(assumeOption())
    .action(async (words: string[], options) => {
      const { dump } = await import('../commands/dump.ts');
      done(await dump(joinFilter(words), options));
    });
}
