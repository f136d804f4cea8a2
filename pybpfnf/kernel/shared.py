"""Maps that several programs share under a name (LIBBPF_PIN_BY_NAME): the first that loads makes and pins one, others open it."""

from __future__ import annotations

import errno
from pathlib import Path

from pybpfnf.errors import KernelError
from pybpfnf.image.model import MapSpec
from pybpfnf.kernel import bpffs
from pybpfnf.kernel.bpf import Fd
from pybpfnf.kernel.maps import Map, create_map, open_map


def open_or_pin(spec: MapSpec, btf: Fd | None, directory: Path) -> tuple[Map, Path | None]:
    """The map of that name under `directory`, and its pin where it is new. Raises InputError where the one there is of another shape.

    As libbpf does it, the pin stays when its programs are gone.
    """
    path = directory / spec.name
    if not bpffs.exists(path):
        created = create_map(spec, btf)
        try:
            bpffs.pin(created.fd, path, f"map {spec.name}")
            return created, path
        except KernelError as error:
            created.close()
            if error.errno != errno.EEXIST:  # else another process was first
                raise
        except BaseException:
            created.close()
            raise
    return open_map(bpffs.open_pin(path, f"map {spec.name}"), spec), None
