"""
Moves bytes and hashes them: one end says what it sent, the other what came, as a line of JSON.

  stream.py tcp  listen|connect send|receive ADDRESS PORT BYTES SEED TABLE
  stream.py udp  listen|connect send|receive ADDRESS PORT BYTES SEED TABLE DATAGRAM

TABLE undoes at the receiver what was done to each byte on the way: 512 hexadecimal digits, "swap" (16-bit words
exchanged in pairs) or "none". Who listens says "ready" first. UDP: numbered datagrams, acknowledged a few at a time; a
lost one is sent again and counted, a doubled one is left out.
"""
import hashlib
import json
import random
import socket
import sys

POOL_BYTES = 3 * 1024 * 1024 + 7
BLOCK_BYTES = 256 * 1024
WINDOW = 8
RESEND_S = 0.2
# A socket is charged several times the bytes of a datagram that came in pieces.
BUFFER_BYTES = 8 * 1024 * 1024
SO_RCVBUFFORCE = 33
LAST_S = 0.8
TRIES = 40
ACK_BYTES = 4


class Source:
    """Pseudo-random bytes that do not repeat at any distance that packets have."""

    def __init__(self, seed):
        pool = random.Random(seed).randbytes(POOL_BYTES)
        self.view = memoryview(pool + pool)
        self.at = 0
        self.hash = hashlib.sha256()
        self.bytes = 0

    def take(self, count):
        block = self.view[self.at : self.at + count]
        self.at = (self.at + count) % POOL_BYTES
        self.hash.update(block)
        self.bytes += count
        return block


class Sink:
    def __init__(self, table):
        self.table = None if table in ('none', 'swap') else bytes.fromhex(table)
        self.is_swapped = table == 'swap'
        self.hash = hashlib.sha256()
        self.bytes = 0

    def put(self, block):
        if self.table:
            block = bytes(block).translate(self.table)
        elif self.is_swapped:
            block = swap(block)
        self.hash.update(block)
        self.bytes += len(block)


def swap(block):
    """Exchanges the two halves of each whole group of four bytes."""
    out = bytearray(block)
    end = len(out) - len(out) % 4
    for index in range(4):
        out[index:end:4] = block[(index + 2) % 4 : end : 4]
    return bytes(out)


def say(line):
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


def open_socket(kind, role, address, port):
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    end = socket.socket(family, kind)
    if kind == socket.SOCK_DGRAM:
        end.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    if role == 'connect':
        end.connect((address, port))
        return end
    end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    end.bind((address, port))
    if kind == socket.SOCK_DGRAM:
        say('ready')
        return end
    end.listen(1)
    say('ready')
    return end.accept()[0]


def send_tcp(end, total, source):
    while source.bytes < total:
        end.sendall(source.take(min(BLOCK_BYTES, total - source.bytes)))
    end.shutdown(socket.SHUT_WR)
    # Until the other end has all of it.
    while end.recv(BLOCK_BYTES):
        pass


def receive_tcp(end, sink):
    buffer = bytearray(BLOCK_BYTES)
    view = memoryview(buffer)
    while count := end.recv_into(buffer):
        sink.put(view[:count])
    end.close()


def send_udp(end, total, source, length):
    """Sends a window, waits until all of it has come, and so on."""
    end.settimeout(RESEND_S)
    number = resent = 0
    while source.bytes < total:
        window = []
        while len(window) < WINDOW and source.bytes < total:
            window.append(number.to_bytes(ACK_BYTES, 'big') + source.take(length - ACK_BYTES))
            number += 1
        first, start = number - len(window), 0
        for attempt in range(TRIES):
            for datagram in window[start:]:
                end.send(datagram)
            resent += 0 if attempt == 0 else len(window) - start
            start = await_acks(end, first, number) - first
            if start == len(window):
                break
        else:
            raise SystemExit(f'datagram {first + start} was sent {TRIES} times and did not come')
    return resent


def await_acks(end, first, last):
    """Returns the number of the first datagram that did not come."""
    come = first
    while come < last:
        try:
            come = max(come, int.from_bytes(end.recv(ACK_BYTES), 'big'))
        except socket.timeout:
            break
    return come


def receive_udp(end, total, sink):
    expected = 0
    while sink.bytes < total:
        datagram, sender = end.recvfrom(65535)
        datagram = undone(datagram, sink)
        number = int.from_bytes(datagram[:ACK_BYTES], 'big')
        if number == expected:
            sink.hash.update(datagram[ACK_BYTES:])
            sink.bytes += len(datagram) - ACK_BYTES
            expected += 1
        end.sendto(expected.to_bytes(ACK_BYTES, 'big'), sender)
    # The last acknowledgement may be lost.
    end.settimeout(LAST_S)
    try:
        while True:
            sender = end.recvfrom(65535)[1]
            end.sendto(expected.to_bytes(ACK_BYTES, 'big'), sender)
    except socket.timeout:
        pass


def undone(datagram, sink):
    if sink.table:
        return datagram.translate(sink.table)
    return swap(datagram) if sink.is_swapped else datagram


def main():
    protocol, role, direction, address, port, total, seed, table, *rest = sys.argv[1:]
    port, total = int(port), int(total)
    kind = socket.SOCK_STREAM if protocol == 'tcp' else socket.SOCK_DGRAM
    end = open_socket(kind, role, address, port)
    resent = 0
    if direction == 'send':
        counted = Source(int(seed))
        if protocol == 'tcp':
            send_tcp(end, total, counted)
        else:
            resent = send_udp(end, total, counted, int(rest[0]))
    else:
        counted = Sink(table)
        if protocol == 'tcp':
            receive_tcp(end, counted)
        else:
            receive_udp(end, total, counted)
    say(json.dumps({'bytes': counted.bytes, 'sha256': counted.hash.hexdigest(), 'resent': resent}))


main()
