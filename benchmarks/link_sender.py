"""A frame sent so often a second by a device: evenly, and what was missed while this process had to wait at once.

    python -m benchmarks.link_sender DEVICE FRAME-IN-HEX FRAMES FRAMES-A-SECOND

trafgen's own pacing is of no use here: by rate it sends a second's frames in one burst, by gap it sleeps longer than it is told.
"""

from __future__ import annotations

import socket
import sys
import time

from pybpfnf.kernel.priority import keep_time

_PAUSE = 0.0005  # seconds


def send(device: str, frame: bytes, frames: int, rate: int) -> float:
    """The seconds that it took."""
    keep_time()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sender:
        sender.bind((device, 0))
        began, sent = time.monotonic(), 0
        while sent < frames:
            due = min(frames, int((time.monotonic() - began) * rate))
            for _ in range(due - sent):
                sender.send(frame)
            sent = due
            time.sleep(_PAUSE)
        return time.monotonic() - began


if __name__ == "__main__":
    print(send(sys.argv[1], bytes.fromhex(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
