// XORs every byte of each payload with a mask.
// biome-ignore lint/style/noDefaultExport: what a worker module is
export default async function mask(handle, { workerData }) {
  for await (const batch of handle.batches()) {
    for (const { payload } of batch) {
      for (let i = 0; i < payload.length; i++) payload[i] ^= workerData.mask;
    }
    batch.send();
  }
}
