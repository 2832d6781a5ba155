import { spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The project's folder. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url));
/** The built `netdivert` command; that of another build where `NETDIVERT_COMMAND` names one. */
export const COMMAND: string =
  process.env.NETDIVERT_COMMAND ??
  fileURLToPath(new URL('../../dist/bin/main.js', import.meta.url));

/** Builds what is not built; tests of the command run what is shipped. */
export function ensureBuilt(): void {
  if (process.env.NETDIVERT_COMMAND !== undefined) return;
  const result = spawnSync(process.execPath, ['scripts/setup.mjs', 'build'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(result.stderr);
}

export interface CommandResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly input?: Uint8Array | string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs `netdivert` to its end. */
export function netdivert(
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [COMMAND, ...args], {
      env: { ...process.env, NO_COLOR: '1', ...options.env },
    });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text) => {
      stderr += text;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
    // A command may end without reading its input.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input);
  });
}
