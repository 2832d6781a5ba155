# One of several processes that talk to each other. It listens on TCP and UDP at every given address,
# prints the ports, reads from standard input whom to talk to, does so, and reports every socket it
# used: protocol, local and remote end, IPv4-mapped addresses as IPv4. It ends with standard input.
#
#   exchange.py ADDRESS... < targets
import json
import os
import socket
import sys
import threading

ROUNDS = 12
SIZE = 900
ends = []
lock = threading.Lock()


def plain(end):
    address = end[0].removeprefix('::ffff:').split('%')[0]
    return f'{address} {end[1]}'


def note(protocol, local, remote):
    with lock:
        ends.append([protocol, plain(local), plain(remote)])


def family(address):
    return socket.AF_INET6 if ':' in address else socket.AF_INET


def serve_stream(connection):
    note('tcp', connection.getsockname(), connection.getpeername())
    with connection:
        while data := connection.recv(65536):
            connection.sendall(data)


def accept(listener):
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve_stream, args=[connection], daemon=True).start()


def answer(server, address):
    local = server.getsockname()
    while True:
        data, remote = server.recvfrom(65536)
        note('udp', (address, local[1]), remote)
        server.sendto(data, remote)


def listen(address):
    stream = socket.create_server((address, 0), family=family(address))
    threading.Thread(target=accept, args=[stream], daemon=True).start()
    datagram = socket.socket(family(address), socket.SOCK_DGRAM)
    datagram.bind((address, 0))
    threading.Thread(target=answer, args=[datagram, address], daemon=True).start()
    return [
        ['tcp', address, stream.getsockname()[1]],
        ['udp', address, datagram.getsockname()[1]],
    ]


def talk_stream(address, port):
    with socket.create_connection((address, port)) as connection:
        note('tcp', connection.getsockname(), connection.getpeername())
        for _ in range(ROUNDS):
            connection.sendall(b'x' * SIZE)
            left = SIZE
            while left > 0:
                left -= len(connection.recv(left))


def talk_datagrams(address, port, connected):
    client = socket.socket(family(address), socket.SOCK_DGRAM)
    keep.append(client)
    client.settimeout(5)
    if connected:
        client.connect((address, port))
    for index in range(ROUNDS):
        if connected:
            client.send(b'x' * SIZE)
        else:
            client.sendto(b'x' * SIZE, (address, port))
        if index == 0:
            # The address it sends from is that of the way to the peer.
            with socket.socket(family(address), socket.SOCK_DGRAM) as probe:
                probe.connect((address, port))
                note('udp', (probe.getsockname()[0], client.getsockname()[1]), (address, port))
        client.recv(65536)


keep = []
ports = [entry for address in sys.argv[1:] for entry in listen(address)]
print(json.dumps({'pid': os.getpid(), 'ports': ports}), flush=True)
for index, (protocol, address, port) in enumerate(json.loads(sys.stdin.readline())):
    if protocol == 'tcp':
        talk_stream(address, port)
    else:
        talk_datagrams(address, port, index % 4 == 1)
print('done', flush=True)
sys.stdin.readline()
print(json.dumps(ends), flush=True)
sys.stdin.read()
