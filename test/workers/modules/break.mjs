// Ends at its first packet, in the way that it is told; counts packets in shared memory before.
const WAYS = {
  throw: () => {
    throw new TypeError('cannot digest this');
  },
  timer: () => {
    setTimeout(() => {
      throw new RangeError('later');
    });
  },
  exit: () => process.exit(7),
  return: () => 'return',
  close: (handle) => handle.close(),
  shutdown: (handle) => handle.shutdown('receive'),
};

// biome-ignore lint/style/noDefaultExport: what a worker module is
export default async function end(handle, { workerData }) {
  for await (const packet of handle) {
    handle.send(packet);
    if (WAYS[workerData.how](handle) === 'return') return;
  }
}
