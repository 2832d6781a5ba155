"""
A wire with faults between two network namespaces: a TAP device in each, and this program between them.

  wire.py NAMESPACE_A NAMESPACE_B DEVICE SEED FAULTS

FAULTS is JSON, each the share of frames that it befalls (0..1): loss, duplicate, reorder (held back for reorderMs),
corrupt (one bit behind the Ethernet header); delayMs for all of them. Says "ready", and at the end of its input how many
frames each fault befell. It needs nothing of the kernel but TAP: sch_netem is not in every kernel.
"""
import ctypes
import fcntl
import heapq
import json
import os
import random
import select
import struct
import sys
import time

TUNSETIFF = 0x400454CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000
ETHERNET_BYTES = 14
# Neighbours are found undisturbed: without them nothing is tested.
ETHERTYPES = (b'\x08\x00', b'\x86\xdd')
ICMPV6, ICMPV6_AT = 58, ETHERNET_BYTES + 6
FRAME_BYTES = 65600
READS = 64
libc = ctypes.CDLL(None, use_errno=True)


def open_tap(namespace, device):
    """A thread's namespace decides where the device is made."""
    handle = os.open(namespace, os.O_RDONLY)
    if libc.setns(handle, 0) != 0:
        raise OSError(ctypes.get_errno(), f'setns {namespace}')
    os.close(handle)
    tap = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH', device.encode(), IFF_TAP | IFF_NO_PI))
    return tap


def is_neighbour_discovery(frame):
    return frame[12:14] == ETHERTYPES[1] and frame[ICMPV6_AT] == ICMPV6


class Wire:
    def __init__(self, seed, faults):
        self.random = random.Random(seed)
        self.faults = faults
        self.delay = faults.get('delayMs', 0) / 1000
        self.reorder = faults.get('reorderMs', 1) / 1000
        self.waiting = []
        self.sequence = 0
        self.counts = {name: 0 for name in ('frames', 'loss', 'duplicate', 'reorder', 'corrupt')}

    def befalls(self, name):
        share = self.faults.get(name, 0)
        if share and self.random.random() < share:
            self.counts[name] += 1
            return True
        return False

    def take(self, frame, to):
        self.counts['frames'] += 1
        delay = self.delay
        if frame[12:14] in ETHERTYPES and not is_neighbour_discovery(frame):
            if self.befalls('loss'):
                return
            if self.befalls('corrupt'):
                frame = self.corrupted(frame)
            if self.befalls('duplicate'):
                self.pass_on(frame, to, delay)
            if self.befalls('reorder'):
                delay += self.reorder
        self.pass_on(frame, to, delay)

    def corrupted(self, frame):
        bit = self.random.randrange(8 * ETHERNET_BYTES, 8 * len(frame))
        out = bytearray(frame)
        out[bit // 8] ^= 1 << bit % 8
        return bytes(out)

    def pass_on(self, frame, to, delay):
        if not delay and not self.delay:
            write(to, frame)
            return
        self.sequence += 1
        heapq.heappush(self.waiting, (time.monotonic() + delay, self.sequence, to, frame))

    def release(self):
        """Passes on what is due; returns how long the next one has to wait, milliseconds."""
        now = time.monotonic()
        while self.waiting and self.waiting[0][0] <= now:
            _, _, to, frame = heapq.heappop(self.waiting)
            write(to, frame)
        return max(0, (self.waiting[0][0] - now) * 1000) if self.waiting else None


def write(to, frame):
    try:
        os.write(to, frame)
    except OSError:
        # The device is down, or full: a wire loses.
        pass


def main():
    namespace_a, namespace_b, device, seed, faults = sys.argv[1:]
    a, b = open_tap(namespace_a, device), open_tap(namespace_b, device)
    wire = Wire(int(seed), json.loads(faults))
    poll = select.poll()
    for handle in (a, b, 0):
        poll.register(handle, select.POLLIN)
    print('ready', flush=True)
    while True:
        for handle, _ in poll.poll(wire.release()):
            if handle == 0:
                print(json.dumps(wire.counts), flush=True)
                return
            to = b if handle == a else a
            try:
                for _ in range(READS):
                    wire.take(os.read(handle, FRAME_BYTES), to)
            except OSError:
                # Nothing left to read, or the device is not up yet.
                pass


main()
