import { Argument, type Command } from 'commander';
import type { Done } from '../program.ts';
import { jsonOption, namespaceOption } from './options.ts';

const COMPLETION_HELP = `
bash: netdivert completion bash > /etc/bash_completion.d/netdivert
zsh:  netdivert completion zsh > "\${fpath[1]}/_netdivert"
fish: netdivert completion fish > ~/.config/fish/completions/netdivert.fish`;

/** Commands about this machine and this program. */
export function declareSystem(program: Command, done: Done): void {
  program
    .command('doctor')
    .description('say whether interception works on this machine, and what to do when it does not')
    .option('--no-trial', 'open no handle')
    .addOption(namespaceOption())
    .addOption(jsonOption())
    .action(async (options) => {
      const { doctor } = await import('../commands/doctor.ts');
      done(await doctor(options));
    });
  program
    .command('cleanup')
    .description('remove what is left over from programs that are gone; there should be nothing')
    .option('--dry-run', 'only name it')
    .addOption(namespaceOption())
    .addOption(jsonOption())
    .action(async (options) => {
      const { cleanup } = await import('../commands/cleanup.ts');
      done(await cleanup(options));
    });
  program
    .command('completion')
    .description('print a script that completes commands and options')
    .addArgument(new Argument('<shell>', 'for which shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText('after', COMPLETION_HELP)
    .action(async (shell) => {
      const { completion } = await import('../commands/completion.ts');
      done(completion(shell, program));
    });
  program
    .command('demo')
    .description('see, rewrite, block and delay real HTTP traffic between two network namespaces')
    .option('--offline', 'use the bundled capture file, as without root')
    .action(async (options) => {
      const { demo } = await import('../commands/demo.ts');
      done(await demo(options));
    });
}
