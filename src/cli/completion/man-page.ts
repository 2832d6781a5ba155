/**
 * The manual page, from the tree of commands.
 *
 * @module
 */

import { type CommandModel, flatten, type OptionModel } from './command-model.ts';

const EXIT_STATUS: readonly (readonly [string, string])[] = [
  ['0', 'All went well.'],
  ['1', 'Something went wrong while running.'],
  ['2', 'The command line is wrong, or a filter does not compile.'],
  ['7', 'Not permitted: a capability is missing.'],
  ['130', 'Interrupted (Ctrl-C, SIGTERM, SIGHUP), after cleaning up and printing the summary.'],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ['NO_COLOR', 'Set: no colours.'],
  ['FORCE_COLOR', 'Set and not 0: colours without a terminal, too.'],
  ['DEBUG', 'Set: errors say where they came from.'],
];

/**
 * The page in roff.
 *
 * @param version - of the package
 */
export function manPage(program: CommandModel, version: string): string {
  const [, ...commands] = flatten(program);
  const lines = [
    `.TH NETDIVERT 1 "" "netdivert ${version}" "User Commands"`,
    '.SH NAME',
    `netdivert \\- ${roff(lowerFirst(program.description))}`,
    '.SH SYNOPSIS',
    '.B netdivert',
    '.I command',
    '.RI [ options ]',
    '.SH DESCRIPTION',
    'Data goes to standard output, everything else to standard error. A filter may be one argument or',
    'several; it is in the language of WinDivert 2.2.',
    'A second Ctrl\\-C ends a command at once.',
    '.SH OPTIONS',
    ...program.options.flatMap(optionLines),
    '.SH COMMANDS',
    ...commands.filter(({ commands: below }) => below.length === 0).flatMap(commandLines),
    '.SH EXIT STATUS',
    ...EXIT_STATUS.flatMap(([code, text]) => ['.TP', `.B ${code}`, roff(text)]),
    '.SH ENVIRONMENT',
    ...ENVIRONMENT.flatMap(([name, text]) => ['.TP', `.B ${name}`, roff(text)]),
    '.SH SEE ALSO',
    '.BR tcpdump (8),',
    '.BR nft (8),',
    '.BR ss (8)',
  ];
  return `${lines.join('\n')}\n`;
}

function commandLines({ arguments: args, description, options, path }: CommandModel): string[] {
  const words = args.map(({ isRequired, isVariadic, name }) => {
    const text = `${name}${isVariadic ? '...' : ''}`;
    return isRequired ? `<${text}>` : `[${text}]`;
  });
  return [
    `.SS ${roff(['netdivert', ...path, '[options]', ...words].join(' '))}`,
    `${roff(upperFirst(description))}.`,
    ...args
      .filter((argument) => argument.description !== '')
      .flatMap((argument) => ['.TP', `.I ${roff(argument.name)}`, roff(argument.description)]),
    ...options.flatMap(optionLines),
  ];
}

function optionLines({ choices, defaultValue, description, flags }: OptionModel): string[] {
  const more = [
    ...(choices.length > 0 ? [`one of ${choices.join(', ')}`] : []),
    ...(defaultValue === '' ? [] : [`default ${defaultValue}`]),
  ];
  const text = more.length === 0 ? description : `${description} (${more.join('; ')})`;
  return ['.TP', `.B ${roff(flags)}`, roff(text)];
}

function roff(text: string): string {
  return text
    .replace(/\\/g, '\\e')
    .replace(/-/g, '\\-')
    .replace(/^([.'])/, '\\&$1');
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '');
}
