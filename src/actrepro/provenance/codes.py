"""The fingerprints that jobs get as a parameter, so that changed code makes a result stale."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from actrepro.provenance.explain import remember_code
from actrepro.provenance.fingerprint import Source, source_of_script

DIGITS = 16
# A script's name, and modules that it imports by a name built at run time.
Code = tuple[str, tuple[str, ...]]


class Codes:
    """The code behind jobs, hashed once for each script, its modules and activations."""

    def __init__(self, scripts: Path) -> None:
        """`scripts` is the folder of the jobs' scripts."""
        self.scripts = scripts
        self._sources: dict[Code, Source] = {}
        self._fingerprints: dict[tuple[Code, tuple[str, ...] | None], str] = {}

    def fingerprint(
        self,
        script: str,
        modules: Collection[str] = (),
        activations: Collection[str] | None = None,
    ) -> str:
        """Return the fingerprint of a job's code.

        Parameters
        ----------
        script
            The name of its file.
        modules
            Modules that it imports by a name built at run time.
        activations
            Names of the activations in use; None counts all.

        Raises
        ------
        ActreproError
            When a file of the code cannot be read, or is not valid Python.
        """
        code = script, tuple(modules)
        used = None if activations is None else tuple(activations)
        if (code, used) not in self._fingerprints:
            self._fingerprints[code, used] = self._source(code).digest(used)[:DIGITS]
        return self._fingerprints[code, used]

    def remember(self) -> None:
        """Record the hashes behind each fingerprint, so that `make explain` can name a change."""
        for (code, used), fingerprint in self._fingerprints.items():
            script, modules = code
            hashes = self._source(code).hashes(used)
            remember_code(fingerprint, hashes, self.scripts / script, modules, used)

    def _source(self, code: Code) -> Source:
        if code not in self._sources:
            script, modules = code
            self._sources[code] = source_of_script(self.scripts / script, modules)
        return self._sources[code]
