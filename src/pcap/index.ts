/**
 * Capture files: read pcap and pcapng, write pcapng, run handles over them. Runs anywhere, not on Node alone.
 *
 * @module
 */

export { CaptureError } from '../errors.ts';
export { type PcapBackend, type PcapBackendOptions, pcapBackend } from './backend/pcap-backend.ts';
export type { CaptureInput, ChunkReader } from './byte-source.ts';
export { type CaptureFile, type CaptureRingOptions, writeCaptureRing } from './capture-ring.ts';
export type { CaptureSink } from './capture-sink.ts';
export { captureDirection, captureInterfaceIndex, networkLayer } from './network-layer.ts';
export { dropReason, processName } from './notes.ts';
export { readCapture } from './read-capture.ts';
export {
  type CaptureDirection,
  type CaptureInterface,
  type CaptureRecord,
  type CaptureVerdict,
  LINK_TYPE,
} from './record.ts';
export {
  type CapturePacket,
  type CaptureStatistics,
  type CaptureWriter,
  type CaptureWriterOptions,
  type WrittenInterface,
  writeCapture,
} from './write-capture.ts';
