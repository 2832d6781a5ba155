"""Connects to itself on loopback, port after port. Arguments: first port, number of ports, connections.

Prints what the connects of each port said, as JSON: {port: {"connected" or an errno: times}}.
"""
import errno
import json
import socket
import struct
import sys

first, ports, connections = map(int, sys.argv[1:4])
RESET = struct.pack("ii", 1, 0)
listeners = {}
for port in range(first, first + ports):
    listener = listeners[port] = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
seen = {}
for index in range(connections):
    port = first + index % ports
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    try:
        client.connect(("127.0.0.1", port))
        accepted, _ = listeners[port].accept()
        accepted.close()
        outcome = "connected"
    except OSError as error:
        outcome = errno.errorcode[error.errno]
    client.close()
    counts = seen.setdefault(port, {})
    counts[outcome] = counts.get(outcome, 0) + 1
print(json.dumps(seen))
