import { Argument, type Command, Option } from 'commander';
import type { Done } from '../program.ts';
import { parseCount, parseDuration, parseSize } from '../values.ts';
import {
  addEventOptions,
  addTrafficOptions,
  assumeOption,
  durationOption,
  joinFilter,
  jsonOption,
} from './options.ts';

/** Commands that look and change nothing. */
export function declareWatching(program: Command, done: Done): void {
  declareDump(program, done);
  declareFlows(program, done);
  declareSockets(program, done);
  declareHandles(program, done);
  declareTop(program, done);
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

function declareFlows(program: Command, done: Done): void {
  const flows = program
    .command('flows')
    .description('list connections with their processes, or follow them as they begin and end')
    .argument('[filter...]', 'which flows; default: all');
  addEventOptions(flows)
    .option('-f, --follow', 'print flows as they begin and end')
    .option('--flow-timeout <time>', 'silence after which a flow of UDP has ended', parseDuration)
    .action(async (words: string[], options) => {
      const command = await import('../commands/flows.ts');
      done(await command.flows(joinFilter(words), options));
    });
}

function declareSockets(program: Command, done: Done): void {
  const sockets = program
    .command('sockets')
    .description('list sockets with their processes, or follow what programs do with them')
    .argument('[filter...]', 'which sockets; default: all');
  addEventOptions(sockets)
    .option('-f, --follow', 'print each bind, connect, listen, accept and close')
    .option('--block', 'refuse each bind and connect that matches, and print it')
    .action(async (words: string[], options) => {
      const command = await import('../commands/sockets.ts');
      done(await command.sockets(joinFilter(words), options));
    });
}

function declareHandles(program: Command, done: Done): void {
  const handles = program
    .command('handles')
    .description('the handles of all programs: list, watch, kill');
  handles
    .command('list')
    .description('list the handles that are open')
    .addOption(jsonOption())
    .action(async (options) => {
      const { handlesList } = await import('../commands/handles.ts');
      done(await handlesList(options));
    });
  const watch = handles
    .command('watch')
    .description('print handles as they are opened and closed')
    .argument('[filter...]', 'which handles, on the reflect layer; default: all');
  watch
    .addOption(new Option('-c, --count <n>', 'stop after this many events').argParser(parseCount))
    .addOption(durationOption())
    .addOption(jsonOption())
    .action(async (words: string[], options) => {
      const { handlesWatch } = await import('../commands/handles.ts');
      done(await handlesWatch(joinFilter(words), options));
    });
  handles
    .command('kill')
    .description('end the process that has a handle, by SIGTERM')
    .addArgument(new Argument('<id>', 'of the handle, as list shows it').argParser(parseCount))
    .option('--force', "also another user's process")
    .option('--dry-run', 'only say which process it is')
    .addOption(jsonOption())
    .action(async (id: number, options) => {
      const { handlesKill } = await import('../commands/handles.ts');
      done(await handlesKill(id, options));
    });
}

function declareTop(program: Command, done: Done): void {
  const top = program
    .command('top')
    .description('show flows by process with their rates, on the whole terminal');
  addTrafficOptions(top)
    .option('-i, --interval <time>', 'time between pictures', parseDuration, 1000)
    .option('--flows', 'begin with flows, not processes')
    .option('-b, --batch', 'print tables, as without a terminal; --count says how many')
    .option('-r, --read <file>', 'one table of a capture file (- for standard input)')
    .addOption(assumeOption())
    .action(async (words: string[], options) => {
      const command = await import('../commands/top.ts');
      done(await command.top(joinFilter(words), options));
    });
}
