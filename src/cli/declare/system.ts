import type { Command } from 'commander';
import type { Done } from '../program.ts';

/** Commands about this machine and this program. */
export function declareSystem(program: Command, done: Done): void {
  program
    .command('demo')
    .description('see, rewrite, block and delay real HTTP traffic between two network namespaces')
    .option('--offline', 'use the bundled capture file, as without root')
    .action(async (options) => {
      const { demo } = await import('../commands/demo.ts');
      done(await demo(options));
    });
}
