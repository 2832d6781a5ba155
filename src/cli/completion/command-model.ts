/**
 * The tree of commands as plain data: what completions and the manual page are made from.
 *
 * @module
 */

import type { Command, Option } from 'commander';

/** What the value of an option is. */
export type ValueKind = 'file' | 'folder' | 'namespace' | 'process' | 'choice' | 'other';

export interface OptionModel {
  /** As written: `-r, --read <file>`. */
  readonly flags: string;
  /** `-r` and `--read`. */
  readonly names: readonly string[];
  readonly description: string;
  /** Null for a switch. */
  readonly value: { readonly kind: ValueKind; readonly name: string } | null;
  readonly choices: readonly string[];
  /** In words, empty for none. */
  readonly defaultValue: string;
}

export interface ArgumentModel {
  readonly name: string;
  readonly description: string;
  readonly isRequired: boolean;
  readonly isVariadic: boolean;
}

export interface CommandModel {
  /** Without the program: `['filter', 'check']`, or none. */
  readonly path: readonly string[];
  readonly name: string;
  readonly description: string;
  readonly options: readonly OptionModel[];
  readonly arguments: readonly ArgumentModel[];
  readonly commands: readonly CommandModel[];
}

const KINDS: Readonly<Record<string, ValueKind>> = {
  file: 'file',
  blocklist: 'file',
  folder: 'folder',
  who: 'process',
};

/** Describes a command and those below it. */
export function modelOf(command: Command, path: readonly string[] = []): CommandModel {
  const help = command.createHelp();
  return {
    path,
    name: command.name(),
    description: command.description(),
    options: help.visibleOptions(command).map(toOption),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      description: argument.description,
      isRequired: argument.required,
      isVariadic: argument.variadic,
    })),
    commands: command.commands.map((child) => modelOf(child, [...path, child.name()])),
  };
}

/** The command and all below it, in order. */
export function flatten(command: CommandModel): CommandModel[] {
  return [command, ...command.commands.flatMap(flatten)];
}

function toOption(option: Option): OptionModel {
  const { argChoices = [], defaultValue, description, flags, long, short } = option;
  const name = /<([^>]+)>/.exec(flags)?.[1];
  return {
    flags,
    names: [short, long].filter((text) => text !== undefined),
    description,
    value: name === undefined ? null : { kind: kindOf(name, long, argChoices), name },
    choices: argChoices,
    defaultValue: isShown(defaultValue) ? String(defaultValue) : '',
  };
}

function kindOf(name: string, long: string | undefined, choices: readonly string[]): ValueKind {
  if (choices.length > 0) return 'choice';
  if (long === '--namespace') return 'namespace';
  return KINDS[name] ?? 'other';
}

function isShown(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number';
}
