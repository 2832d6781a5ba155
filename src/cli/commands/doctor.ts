import type { Check, CheckStatus } from '../doctor/check.ts';
import { EXIT } from '../exit-code.ts';
import { printJson } from '../json.ts';
import {
  formatTable,
  plural,
  print,
  type Style,
  type StyleName,
  styleFor,
  tell,
} from '../output.ts';
import { namespacePath } from '../traffic.ts';

export interface DoctorOptions {
  readonly namespace?: string;
  readonly json?: boolean;
  /** false: no handle is opened. */
  readonly trial?: boolean;
}

const COLOURS: Readonly<Record<CheckStatus, StyleName>> = {
  ok: 'green',
  warn: 'yellow',
  fail: 'red',
};
const STATUS_WIDTH = 4;

/**
 * `netdivert doctor`: whether interception can work here, line by line, with what to do.
 *
 * @returns 1 when something fails
 */
export async function doctor(options: DoctorOptions): Promise<number> {
  const checks = process.platform === 'linux' ? await checkLinux(options) : [notLinux()];
  if (options.json) for (const check of checks) printJson({ type: 'check', ...check });
  else printChecks(checks, styleFor(process.stdout));
  const count = (status: CheckStatus): number => checks.filter((c) => c.status === status).length;
  tell(`${count('ok')} ok, ${plural(count('warn'), 'warning')}, ${count('fail')} failed`);
  return count('fail') > 0 ? EXIT.RUNTIME : EXIT.OK;
}

async function checkLinux({ namespace, trial }: DoctorOptions): Promise<Check[]> {
  const path = namespace === undefined ? undefined : namespacePath(namespace);
  const { checkProcess } = await import('../doctor/privileges.ts');
  const program = await checkProcess();
  // All the rest needs it.
  if (program.some(({ name, status }) => name === 'koffi' && status === 'fail')) return program;
  const { checkKernel } = await import('../doctor/kernel.ts');
  const { checkConflicts } = await import('../doctor/conflicts.ts');
  const { checkFeatures } = await import('../doctor/features.ts');
  const { checkTrials } = await import('../doctor/trial.ts');
  return [
    ...program,
    ...checkKernel(),
    ...(await checkConflicts(path)),
    ...(trial === false ? [] : [...checkFeatures(), ...(await checkTrials(path))]),
  ];
}

function notLinux(): Check {
  return {
    name: 'system',
    status: 'fail',
    detail: process.platform,
    advice: 'Handles need Linux; filters, packets and capture files work everywhere.',
  };
}

function printChecks(checks: readonly Check[], style: Style): void {
  const lines = formatTable(checks.map(({ name, detail }) => [name, detail]));
  for (const [index, { advice, status }] of checks.entries()) {
    print(`${style(COLOURS[status], status.padEnd(STATUS_WIDTH))}  ${lines[index] ?? ''}`);
    if (advice !== undefined) print(`${' '.repeat(STATUS_WIDTH)}  ${style('bold', advice)}`);
  }
}
