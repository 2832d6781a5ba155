import { type CommandModel, flatten, type OptionModel } from './command-model.ts';

/** A completion script for zsh, to be put as \`_netdivert\` into a folder of \`fpath\`. */
export function zshCompletion(program: CommandModel): string {
  return `#compdef netdivert
# zsh completion for netdivert, made by: netdivert completion zsh

__netdivert_processes() {
  local -a processes
  processes=(\${(f)"$(cat /proc/[0-9]*/comm 2> /dev/null | sort -u)"})
  compadd -a processes
}

__netdivert_namespaces() {
  compadd -- /run/netns/*(N:t)
}

${flatten(program).map(commandFunction).join('\n\n')}

_netdivert "$@"
`;
}

function functionName({ path }: CommandModel): string {
  return ['_netdivert', ...path].join('_');
}

function commandFunction(command: CommandModel): string {
  const options = command.options.map(optionSpec);
  if (command.commands.length === 0) {
    const rest = command.arguments.map(({ isVariadic, name }) => {
      const action = name === 'blocklist' ? '_files' : ' ';
      return `'${isVariadic ? '*' : '1'}:${name}:${action}'`;
    });
    return `${functionName(command)}() {\n  _arguments -s \\\n    ${[...options, ...rest].join(' \\\n    ')}\n}`;
  }
  const names = command.commands.map(({ description, name }) => `'${name}:${quote(description)}'`);
  const cases = command.commands.map((child) => `        ${child.name}) ${functionName(child)} ;;`);
  return `${functionName(command)}() {
  local state line
  local -a commands
  commands=(
    ${names.join('\n    ')}
  )
  _arguments -C \\
    ${[...options, "'1:command:->command'", "'*::argument:->argument'"].join(' \\\n    ')}
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${cases.join('\n')}
      esac
      ;;
  esac
}`;
}

function optionSpec(option: OptionModel): string {
  const { description, names } = option;
  const text = `[${quote(description).replace(/[[\]]/g, '\\$&')}]${valueSpec(option)}`;
  if (names.length === 1) return `'${names[0]}${text}'`;
  return `'(${names.join(' ')})'{${names.join(',')}}'${text}'`;
}

function valueSpec({ choices, value }: OptionModel): string {
  switch (value?.kind) {
    case undefined:
      return '';
    case 'file':
      return `:${value?.name}:_files`;
    case 'folder':
      return `:${value?.name}:_files -/`;
    case 'choice':
      return `:${value?.name}:(${choices.join(' ')})`;
    case 'namespace':
      return ':namespace:__netdivert_namespaces';
    case 'process':
      return ':process:__netdivert_processes';
    default:
      return `:${value?.name.replace(/:/g, '\\:')}: `;
  }
}

/** For single quotes, in which a colon ends a field. */
function quote(text: string): string {
  return text.replace(/'/g, "'\\''").replace(/:/g, '\\:');
}
