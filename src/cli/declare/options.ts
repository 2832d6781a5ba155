/**
 * Options that several commands have: the same letters, the same words.
 *
 * @module
 */

import { type Command, Option } from 'commander';
import { parseProcessSpec } from '../process-spec.ts';
import { parseCount, parseDuration, parseInteger } from '../values.ts';

const PACKET_LAYERS = ['network', 'forward'] as const;

/** Filters may be written in one argument or in several. */
export function joinFilter(words: readonly string[]): string {
  return words.length === 0 ? 'true' : words.join(' ');
}

export function layerOption(...layers: readonly string[]): Option {
  return new Option('-L, --layer <layer>', 'layer of the filter')
    .choices(layers)
    .default('network');
}

export function dialectOption(): Option {
  return new Option(
    '--dialect <dialect>',
    "WinDivert's language, or the one with more in it",
  ).choices(['windivert', 'extended']);
}

export function assumeOption(): Option {
  return new Option(
    '--direction <direction>',
    'direction of packets whose file does not say',
  ).choices(['outbound', 'inbound']);
}

export function jsonOption(): Option {
  return new Option('--json', 'print one JSON object a line');
}

export function namespaceOption(): Option {
  return new Option('-N, --namespace <name>', 'work in this network namespace (a name or a path)');
}

export function processOption(): Option {
  return new Option(
    '-p, --process <who>',
    'of these processes only: a name, an id, !name; several with commas',
  ).argParser(parseProcessSpec);
}

export function durationOption(): Option {
  return new Option('-d, --duration <time>', 'stop after this time: 10, 10s, 500ms, 5m').argParser(
    parseDuration,
  );
}

/** What every command on packets takes. */
export function addTrafficOptions(command: Command): Command {
  return addRunOptions(command.argument('[filter...]', 'which packets; default: all')).addOption(
    new Option('-c, --count <n>', 'stop after this many packets').argParser(parseCount),
  );
}

/** What every command on packets takes, also one with a filter of its own. */
export function addRunOptions(command: Command): Command {
  return command
    .addOption(processOption())
    .addOption(namespaceOption())
    .addOption(layerOption(...PACKET_LAYERS))
    .addOption(dialectOption())
    .addOption(priorityOption())
    .addOption(durationOption())
    .addOption(jsonOption());
}

/** What commands take that change packets: a file instead of live traffic. */
export function addFileOptions(command: Command): Command {
  return command
    .option(
      '-r, --read <file>',
      'packets of a capture file instead of live ones (- for standard input)',
    )
    .option('-w, --write <file>', 'with --read: the packets that get through, as pcapng')
    .addOption(assumeOption());
}

/** What every command on events takes. */
export function addEventOptions(command: Command): Command {
  return command
    .addOption(processOption())
    .addOption(namespaceOption())
    .addOption(dialectOption())
    .addOption(priorityOption())
    .addOption(new Option('-c, --count <n>', 'stop after this many events').argParser(parseCount))
    .addOption(durationOption())
    .addOption(jsonOption());
}

export function priorityOption(): Option {
  return new Option(
    '--priority <n>',
    '-30000 to 30000, default 0; higher ones see packets first',
  ).argParser(parseInteger);
}
