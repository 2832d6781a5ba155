/** The machine that figures belong to. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { arch, cpus, loadavg, release, totalmem } from 'node:os';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly architecture: string;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly system: string;
  readonly node: string;
  readonly compiler: string;
  /** Of the last minute, when the run began. */
  readonly load: number;
  readonly virtual: boolean;
}

export function describeMachine(): Machine {
  const [processor] = cpus();
  return {
    processor: processor?.model.trim() ?? 'unknown',
    cores: cpus().length,
    architecture: arch(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    system: /^PRETTY_NAME="(.*)"$/m.exec(read('/etc/os-release'))?.[1] ?? process.platform,
    node: process.versions.node,
    compiler: firstLine('gcc', ['--version']),
    load: Number(loadavg()[0]?.toFixed(2)),
    virtual: / hypervisor /.test(read('/proc/cpuinfo')),
  };
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function firstLine(file: string, args: readonly string[]): string {
  const { stdout } = spawnSync(file, args, { encoding: 'utf8' });
  return stdout?.split('\n')[0] ?? 'none';
}
