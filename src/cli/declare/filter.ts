import { type Command, Option } from 'commander';
import { LAYERS } from '../../packet/address.ts';
import type { Done } from '../program.ts';
import { parseCount } from '../values.ts';
import { EXIT_CODES } from './exit-codes.ts';
import { assumeOption, dialectOption, joinFilter, jsonOption, layerOption } from './options.ts';

/** Commands on filters: they need no privileges and no particular system. */
export function declareFilter(program: Command, done: Done): void {
  const filter = program
    .command('filter')
    .description('work with filters; needs no privileges')
    .addHelpText('after', EXIT_CODES);
  textCommand(filter, 'check')
    .description('say whether a filter is valid, and what is odd about it')
    .action(async (words: string[], options) => {
      const { filterCheck } = await import('../commands/filter-check.ts');
      done(filterCheck(joinFilter(words), options));
    });
  textCommand(filter, 'format')
    .description('print a filter as WinDivert formats it, or as an object string')
    .option('--object', 'the object string')
    .action(async (words: string[], options) => {
      const { filterFormat } = await import('../commands/filter-format.ts');
      done(filterFormat(joinFilter(words), options));
    });
  textCommand(filter, 'explain')
    .description('show the tests of a filter, and the eBPF program it becomes')
    .addOption(directionOption())
    .action(async (words: string[], options) => {
      const { filterExplain } = await import('../commands/filter-explain.ts');
      done(filterExplain(joinFilter(words), options));
    });
  textCommand(filter, 'bpf')
    .description('show the eBPF programs of a filter, and whether they are exact')
    .addOption(directionOption())
    .action(async (words: string[], options) => {
      const { filterBpf } = await import('../commands/filter-bpf.ts');
      done(filterBpf(joinFilter(words), options));
    });
  declareEval(filter, done);
}

function textCommand(filter: Command, name: string): Command {
  return filter
    .command(name)
    .argument('<text...>', 'the filter, or its object string')
    .addOption(layerOption(...LAYERS))
    .addOption(dialectOption())
    .addOption(jsonOption());
}

function directionOption(): Option {
  return new Option('--direction <direction>', 'one hook only').choices(['outbound', 'inbound']);
}

function declareEval(filter: Command, done: Done): void {
  filter
    .command('eval')
    .argument('<text...>', 'the filter, or its object string')
    .description('say whether a packet matches, or which packets of a file do')
    .option('--packet <hex>', 'the bytes of a packet, from the IP header')
    .option('-r, --read <file>', 'a capture file (pcap or pcapng; - for standard input)')
    .option('--loopback', 'the packet is from this host to this host')
    .option('--impostor', 'the packet was injected by another program')
    .option('--interface <index>', 'interface index', parseCount)
    .addOption(layerOption('network', 'forward'))
    .addOption(dialectOption())
    .addOption(assumeOption())
    .addOption(jsonOption())
    .action(async (words: string[], options) => {
      const { filterEval } = await import('../commands/filter-eval.ts');
      done(await filterEval(joinFilter(words), options));
    });
}
