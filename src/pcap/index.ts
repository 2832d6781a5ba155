/**
 * Capture files: read pcap and pcapng, write pcapng. Runs anywhere, not on Node alone.
 *
 * @module
 */

export { CaptureError } from '../errors.ts';
export type { CaptureInput, ChunkReader } from './byte-source.ts';
export { captureDirection, networkLayer } from './network-layer.ts';
export { readCapture } from './read-capture.ts';
export {
  type CaptureDirection,
  type CaptureInterface,
  type CaptureRecord,
  LINK_TYPE,
} from './record.ts';
export {
  type CapturePacket,
  type CaptureSink,
  type CaptureWriter,
  type CaptureWriterOptions,
  writeCapture,
} from './write-capture.ts';
