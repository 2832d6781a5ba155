/**
 * Capture files: read pcap and pcapng, write pcapng, run handles over them. Runs anywhere, not on Node alone.
 *
 * @module
 */

export { CaptureError } from '../errors.ts';
export { type PcapBackend, type PcapBackendOptions, pcapBackend } from './backend/pcap-backend.ts';
export { captureDirection, captureInterfaceIndex, networkLayer } from './network-layer.ts';
export { dropReason, processName } from './notes.ts';
export type { CaptureInput, ChunkReader } from './read/byte-source.ts';
export { readCapture } from './read/read-capture.ts';
export {
  type CaptureDirection,
  type CaptureInterface,
  type CaptureRecord,
  type CaptureVerdict,
  LINK_TYPE,
} from './record.ts';
export {
  type CaptureFile,
  type CaptureRingOptions,
  writeCaptureRing,
} from './write/capture-ring.ts';
export type { CaptureSink } from './write/capture-sink.ts';
export {
  type CapturePacket,
  type CaptureStatistics,
  type CaptureWriter,
  type CaptureWriterOptions,
  type WrittenInterface,
  writeCapture,
} from './write/write-capture.ts';
