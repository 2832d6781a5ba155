import { type CommandModel, flatten, type OptionModel } from './command-model.ts';

/** A completion script for bash, to be sourced. */
export function bashCompletion(program: CommandModel): string {
  const commands = flatten(program);
  return `# bash completion for netdivert, made by: netdivert completion bash
_netdivert() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  local command='' words='' index
  for ((index = 1; index < COMP_CWORD; index++)); do
    case "$command \${COMP_WORDS[index]}" in
${commands.slice(1).map(commandCase).join('\n')}
    esac
  done
  case "$command $previous" in
${commands.flatMap(valueCases).join('\n')}
  esac
  case "$command" in
${commands.map(wordsCase).join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  [[ \${#COMPREPLY[@]} -gt 0 || $current == -* ]] || compopt -o default
}
complete -F _netdivert netdivert
`;
}

function commandCase({ path }: CommandModel): string {
  const before = path.slice(0, -1).join('-');
  return `      '${before} ${path.at(-1)}') command='${path.join('-')}' ;;`;
}

/** One case for each kind of value, with the options that take it. */
function valueCases({ options, path }: CommandModel): string[] {
  return options.flatMap((option) => {
    if (option.value === null) return [];
    const patterns = option.names.map((name) => `'${path.join('-')} ${name}'`).join(' | ');
    return [`    ${patterns}) ${valueAction(option)}; return ;;`];
  });
}

function valueAction({ choices, value }: OptionModel): string {
  switch (value?.kind) {
    case 'file':
      return 'COMPREPLY=($(compgen -f -- "$current")); compopt -o filenames';
    case 'folder':
      return 'COMPREPLY=($(compgen -d -- "$current")); compopt -o filenames';
    case 'choice':
      return `COMPREPLY=($(compgen -W '${choices.join(' ')}' -- "$current"))`;
    case 'namespace':
      return 'COMPREPLY=($(compgen -W "$(ls /run/netns 2> /dev/null)" -- "$current"))';
    case 'process':
      return 'COMPREPLY=($(compgen -W "$(cat /proc/[0-9]*/comm 2> /dev/null | sort -u)" -- "$current"))';
    default:
      return 'COMPREPLY=()';
  }
}

function wordsCase({ commands, options, path }: CommandModel): string {
  const words = [
    ...commands.map(({ name }) => name),
    ...options.flatMap(({ names }) => names.filter((name) => name.startsWith('--'))),
  ];
  return `    '${path.join('-')}') words='${words.join(' ')}' ;;`;
}
