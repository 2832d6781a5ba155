"""Makes the socket calls it is told to on standard input, one JSON object a line, and says what came of each.

{"do": "socket", "as": "s", "family": 4 or 6, "type": "tcp" or "udp"}, then bind, listen, connect,
accept, sendto, recvfrom, close on "on"; addresses are "to": [host, port]. Answers have the errno's
name, and the ends of the socket as getsockname and getpeername say.
"""

import errno
import json
import os
import socket
import sys

sockets = {}


def ends(s):
    found = {}
    try:
        found["cookie"] = str(int.from_bytes(s.getsockopt(socket.SOL_SOCKET, 57, 8), "little"))
        found["local"] = s.getsockname()[:2]
        found["remote"] = s.getpeername()[:2]
    except OSError:
        pass
    return found


def run(call):
    name = call["do"]
    if name == "socket":
        family = socket.AF_INET if call["family"] == 4 else socket.AF_INET6
        kind = socket.SOCK_STREAM if call["type"] == "tcp" else socket.SOCK_DGRAM
        s = sockets[call["as"]] = socket.socket(family, kind)
        s.settimeout(call.get("timeout", 5))
        if call.get("reuse"):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if call.get("shared"):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        return ends(s)
    s = sockets[call["on"]]
    extra = {}
    if name == "bind":
        s.bind(tuple(call["to"]))
    elif name == "listen":
        s.listen(call.get("backlog", 128))
    elif name == "connect":
        s.connect(tuple(call["to"]))
    elif name == "accept":
        accepted, _ = s.accept()
        accepted.settimeout(5)
        sockets[call["as"]] = accepted
        return ends(accepted)
    elif name == "send":
        s.send(b"data")
    elif name == "sendto":
        s.sendto(b"data", tuple(call["to"]))
    elif name == "recvfrom":
        data, peer = s.recvfrom(2048)
        extra = {"peer": peer[:2], "length": len(data)}
    elif name == "close":
        s.close()
        return {}
    return {**ends(s), **extra}


print("ready", flush=True)
for line in sys.stdin:
    try:
        answer = run(json.loads(line))
    except socket.timeout:
        answer = {"error": "timeout"}
    except OSError as error:
        answer = {"error": errno.errorcode.get(error.errno, str(error))}
    print(json.dumps({"pid": os.getpid(), **answer}), flush=True)
