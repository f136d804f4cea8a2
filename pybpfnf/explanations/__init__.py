"""What `pybpfnf explain CODE` and docs/errors.md say of each code: why the rule is there, a wrong and a right function.

The codes and the kernel's answer to each are rows of `pybpfnf.diagnostics`; a test compiles every example, and loads the right ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from pybpfnf.explanations.files import FILES
from pybpfnf.explanations.labs import LABS
from pybpfnf.explanations.limits import LIMITS
from pybpfnf.explanations.places import PLACES
from pybpfnf.explanations.row import ASSEMBLY as ASSEMBLY
from pybpfnf.explanations.row import PYTHON as PYTHON
from pybpfnf.explanations.row import SEG as SEG
from pybpfnf.explanations.row import TOML as TOML
from pybpfnf.explanations.row import Explanation as Explanation
from pybpfnf.explanations.row import written_out as written_out
from pybpfnf.explanations.values import VALUES

EXPLANATIONS: Mapping[str, Explanation] = {row.code: row for row in (*PLACES, *LIMITS, *VALUES, *FILES, *LABS)}
