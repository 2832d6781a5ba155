import type { Command } from 'commander';
import type { Done } from '../program.ts';
import { jsonOption, namespaceOption } from './options.ts';

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
    .command('demo')
    .description('see, rewrite, block and delay real HTTP traffic between two network namespaces')
    .option('--offline', 'use the bundled capture file, as without root')
    .action(async (options) => {
      const { demo } = await import('../commands/demo.ts');
      done(await demo(options));
    });
}
