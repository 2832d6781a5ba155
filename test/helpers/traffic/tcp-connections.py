"""Opens and closes TCP connections to itself on loopback. Arguments: connections, connections a second."""
import socket
import struct
import sys
import time

count, rate = int(sys.argv[1]), float(sys.argv[2])
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("127.0.0.1", 7000))
listener.listen(128)
RESET = struct.pack("ii", 1, 0)
start = time.monotonic()
for index in range(count):
    wait = start + index / rate - time.monotonic()
    if wait > 0.001:
        time.sleep(wait)
    client = socket.socket()
    # Without TIME_WAIT: there are fewer ports than connections.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.connect(("127.0.0.1", 7000))
    server, _ = listener.accept()
    client.close()
    server.close()
print(f"{time.monotonic() - start:.3f}")
