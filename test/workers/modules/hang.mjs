// Never comes back from its first packet.
// biome-ignore lint/style/noDefaultExport: what a worker module is
export default async function hang(handle) {
  for await (const packet of handle) {
    handle.send(packet);
    await handle.flush();
    for (;;);
  }
}
