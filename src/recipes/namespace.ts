/**
 * All recipes under one name. `process` is here and not beside `open`: importing it by that name
 * would hide Node's global of the same name.
 *
 * @module
 */
export * from './index.ts';
export { processPackets as process } from './process/process-packets.ts';
