"""What a measurement was made on."""

from __future__ import annotations

import importlib.metadata
import platform
from pathlib import Path


def setting() -> dict[str, str]:
    return {
        "machine": f"{_processor()}, {platform.machine()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_version()}, llvmlite {importlib.metadata.version('llvmlite')}",
    }


def _processor() -> str:
    """The model as Linux names it; what Python knows elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
