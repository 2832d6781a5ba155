"""Python's NetfilterQueue, the way its own example uses it. MODE=accept|modify."""

import os

from netfilterqueue import NetfilterQueue

FIRST_WORD = 28
MODIFY = os.environ.get("MODE") == "modify"


def handle(packet):
    if MODIFY:
        payload = bytearray(packet.get_payload())
        payload[FIRST_WORD : FIRST_WORD + 4] = (
            payload[FIRST_WORD + 2 : FIRST_WORD + 4] + payload[FIRST_WORD : FIRST_WORD + 2]
        )
        packet.set_payload(bytes(payload))
    packet.accept()


queue = NetfilterQueue()
queue.bind(0, handle, max_len=65536)
print("READY", flush=True)
queue.run()
