// Writes the number of the worker, from 1, into the last byte of each payload.
// biome-ignore lint/style/noDefaultExport: what a worker module is
export default async function stamp(handle, { index }) {
  for await (const batch of handle.batches()) {
    for (const packet of batch) packet.payload[packet.payload.length - 1] = index + 1;
    batch.send();
  }
}
