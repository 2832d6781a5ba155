/**
 * Programs at TCP sockets that want to hear of every change of state.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R1, R2, type Register } from '../../bpf/instruction.ts';
import { SOCK_OPS, STATE_CB_FLAG } from './contexts.ts';

/**
 * Has the programs of type `sock_ops` called when the state of this socket changes. Loses r0-r5.
 *
 * @param context `struct bpf_sock_ops`; not r1 or r2
 */
export function emitStateCallbacks(assembler: Assembler, context: Register): void {
  assembler.load('W', R2, context, SOCK_OPS.CB_FLAGS);
  assembler.alu('OR', R2, STATE_CB_FLAG);
  assembler.move(R1, context);
  assembler.call('sock_ops_cb_flags_set');
}
