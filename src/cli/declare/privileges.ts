/**
 * `--user`: running a command with no more rights than it needs.
 *
 * @module
 */
import type { Command } from 'commander';
import type { Capability } from '../../privileges.ts';

/** Commands on live traffic. */
const COMMANDS = new Set('dump pass block web stream shape flows sockets top'.split(' '));

/** What they keep (docs/trust/privileges.md); the last is for the programs of other users' processes. */
const KEPT: readonly Capability[] = [
  'CAP_NET_ADMIN',
  'CAP_BPF',
  'CAP_NET_RAW',
  'CAP_PERFMON',
  'CAP_SYS_PTRACE',
];

interface UserOptions {
  readonly user?: string;
  readonly namespace?: string;
  readonly read?: string;
}

/** Adds the option. */
export function declareUser(program: Command): void {
  for (const command of program.commands) {
    if (!COMMANDS.has(command.name())) continue;
    command.option('--user <name>', 'run as this user, with only the capabilities needed');
  }
  program.hook('preAction', async (_, command) => {
    const options = command.opts<UserOptions>();
    if (options.user === undefined) return;
    const { dropPrivileges } = await import('../../privileges.ts');
    await dropPrivileges({ user: options.user, capabilities: keptBy(options) });
  });
}

function keptBy({ namespace, read }: UserOptions): readonly Capability[] {
  if (read !== undefined) return [];
  return namespace === undefined ? KEPT : [...KEPT, 'CAP_SYS_ADMIN'];
}
