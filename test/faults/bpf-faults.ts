/**
 * Makes every call of one bpf(2) command fail, for a while: what is out does not come back at once.
 *
 * @module
 */
import koffi from 'koffi';
import { BPF_COMMAND } from '../../src/linux/bpf/constants.ts';
import { libc } from '../../src/linux/sys/libc.ts';
import { FAULT_ERRNO, type FaultName } from './errnos.ts';

const table = libc as { bpf: typeof libc.bpf };
const { bpf } = libc;

export class BpfFaults {
  /** Calls that failed. */
  count = 0;

  /** @param skipped calls that still succeed before the first one fails */
  begin(command: keyof typeof BPF_COMMAND, errno: FaultName, skipped = 0): void {
    this.count = -skipped;
    table.bpf = (number, called, attribute, size) => {
      if (called !== BPF_COMMAND[command] || ++this.count <= 0) {
        return bpf(number, called, attribute, size);
      }
      koffi.errno(FAULT_ERRNO[errno]);
      return -1;
    };
  }

  end(): void {
    table.bpf = bpf;
  }
}
