import { type CommandModel, flatten, type OptionModel } from './command-model.ts';

/** A completion script for fish, to be put into \`~/.config/fish/completions\`. */
export function fishCompletion(program: CommandModel): string {
  const lines = flatten(program).flatMap((command) => [
    ...command.commands.map((child) => subcommandLine(command, child)),
    ...command.options.map((option) => optionLine(command, option)),
  ]);
  return `# fish completion for netdivert, made by: netdivert completion fish
complete -c netdivert -f
${lines.join('\n')}
`;
}

function subcommandLine(parent: CommandModel, { description, name }: CommandModel): string {
  const others = parent.commands.map((child) => child.name).join(' ');
  const condition =
    parent.path.length === 0
      ? '__fish_use_subcommand'
      : `__fish_seen_subcommand_from ${parent.name}; and not __fish_seen_subcommand_from ${others}`;
  return `complete -c netdivert -n '${condition}' -a ${name} -d '${quote(description)}'`;
}

function optionLine({ path }: CommandModel, option: OptionModel): string {
  const condition =
    path.length === 0
      ? '__fish_use_subcommand'
      : path.map((name) => `__fish_seen_subcommand_from ${name}`).join('; and ');
  const names = option.names.map((name) =>
    name.startsWith('--') ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  const parts = ['complete -c netdivert', `-n '${condition}'`, ...names, ...valueParts(option)];
  return `${parts.join(' ')} -d '${quote(option.description)}'`;
}

function valueParts({ choices, value }: OptionModel): string[] {
  switch (value?.kind) {
    case undefined:
      return [];
    case 'file':
    case 'folder':
      return ['-r', '-F'];
    case 'choice':
      return ['-x', `-a '${choices.join(' ')}'`];
    case 'namespace':
      return ['-x', "-a '(command ls /run/netns 2> /dev/null)'"];
    case 'process':
      return ['-x', "-a '(cat /proc/[0-9]*/comm 2> /dev/null | sort -u)'"];
    default:
      return ['-x'];
  }
}

function quote(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/'/g, "\\'");
}
