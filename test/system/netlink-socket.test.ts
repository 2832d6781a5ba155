import { afterAll, beforeAll, expect, test } from 'vitest';
import { NetlinkSocket } from '../../src/linux/netlink/socket.ts';
import { libc } from '../../src/linux/sys/libc.ts';
import { allocate } from '../../src/linux/sys/memory.ts';
import { withNamespace } from '../../src/linux/sys/namespace.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';

/** In struct sockaddr_nl. */
const PORT = 4;
const ADDRESS_BYTES = 12;

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

const openSocket = (): NetlinkSocket => withNamespace(net.b.path, () => new NetlinkSocket());

function portOf({ fd }: NetlinkSocket): number {
  const address = allocate(ADDRESS_BYTES);
  const length = allocate(4);
  length.view.setUint32(0, ADDRESS_BYTES, true);
  expect(libc.getsockname(fd, address.bytes, length.bytes)).toBe(0);
  return address.view.getUint32(PORT, true);
}

// The kernel deletes what a closed socket owned by its port, after others can have that port.
test('no socket has the port of one before it', async () => {
  const ports = new Set<number>();
  for (let round = 0; round < 20; round++) {
    const sockets = [openSocket(), openSocket()];
    for (const socket of sockets) ports.add(portOf(socket));
    await Promise.all(sockets.map((socket) => socket.close()));
  }
  expect(ports.size).toBe(40);
});
