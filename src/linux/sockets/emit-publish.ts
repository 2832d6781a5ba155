/**
 * How a record gets into the maps for programs without socket storage. r7 is the record.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R1, R2, R3, R4, R7 } from '../../bpf/instruction.ts';
import { emitRecordPointer } from './emit.ts';
import type { TrackerMaps } from './maps.ts';
import { SOCKET_FLAGS, SOCKET_RECORD } from './socket-record.ts';

/** Puts the record's beginning into the map by cookie, and that of a connection into the one by addresses. */
export function emitPublish(assembler: Assembler, maps: TrackerMaps): void {
  const done = assembler.newLabel();
  emitUpdate(assembler, maps.ownersFd, SOCKET_RECORD.COOKIE);
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, SOCKET_FLAGS.ESTABLISHED);
  assembler.jumpIf('JEQ', R1, 0, done);
  emitUpdate(assembler, maps.connectionsFd, SOCKET_RECORD.NETNS_COOKIE);
  assembler.label(done);
}

/** Sets the value of a key that is in the record to the record's beginning. */
export function emitUpdate(assembler: Assembler, fd: number, key: number): void {
  emitRecordPointer(assembler, R2, key);
  assembler.move(R3, R7);
  assembler.moveImmediate(R4, 0);
  assembler.loadMap(R1, fd);
  assembler.call('map_update_elem');
}

/** Takes the socket out of the map by cookie. */
export function emitForget(assembler: Assembler, ownersFd: number): void {
  emitRecordPointer(assembler, R2, SOCKET_RECORD.COOKIE);
  assembler.loadMap(R1, ownersFd);
  assembler.call('map_delete_elem');
}
