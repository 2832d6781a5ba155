import type { Command } from 'commander';
import type { Done } from '../program.ts';
import { parseCount } from '../values.ts';
import { addTrafficOptions, joinFilter } from './options.ts';

/** Commands that take packets out of the network stack. */
export function declareActing(program: Command, done: Done): void {
  const pass = program
    .command('pass')
    .description('take packets out and put them back unchanged: measures what interception costs');
  addTrafficOptions(pass)
    .option('-b, --batch <packets>', 'packets handled at once, 1 to 255', parseCount, 255)
    .action(async (words: string[], options) => {
      const command = await import('../commands/pass.ts');
      done(await command.pass(joinFilter(words), options));
    });
}
