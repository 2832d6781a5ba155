// Sends each datagram on, and a new one behind it to another port whose last byte says which worker made it.
// biome-ignore lint/style/noDefaultExport: what a worker module is
export default async function inject(handle, { index, workerData }) {
  for await (const packet of handle) {
    const copy = packet.retain();
    handle.send(packet);
    copy.udp.dstPort = workerData.port;
    copy.payload[copy.payload.length - 1] = 100 + index;
    handle.send(copy.bytes, { outbound: true });
  }
}
