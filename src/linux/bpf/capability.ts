/**
 * What this process may do (capabilities(7)).
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { fileCall } from '../sys/file-error.ts';

/** Numbers of capabilities (`include/uapi/linux/capability.h`), the ones asked for. */
export const CAPABILITY = { CAP_SYS_ADMIN: 21, CAP_PERFMON: 38 } as const;

/** Whether this process has a capability; CAP_SYS_ADMIN stands for the newer ones too. */
export function hasCapability(capability: number): boolean {
  const status = fileCall('read the capabilities of this process', () =>
    readFileSync('/proc/self/status', 'utf8'),
  );
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`);
  const has = (number: number): boolean => ((effective >> BigInt(number)) & 1n) !== 0n;
  return has(capability) || has(CAPABILITY.CAP_SYS_ADMIN);
}
