"""What a daemon says of itself: JSON Lines, one object an event, with the time and the event's name first."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TextIO, final

from pybpfnf.errors import InputError

_OWN = {"time", "event"}


@final
class Log:
    """Writes to a text stream, each line at once. Values that JSON does not have are written as text, bytes in hexadecimal digits.

    Raises InputError for a field that would take the place of one of its own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: str, /, **fields: object) -> None:
        for name in sorted(_OWN & fields.keys()):
            raise InputError(f"each line has a field {name!r} of its own", hint="give this one another name")
        document = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "event": event, **fields}
        self._stream.write(json.dumps(document, default=_text) + "\n")
        self._stream.flush()


def _text(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
