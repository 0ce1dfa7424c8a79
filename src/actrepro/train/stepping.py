"""Training steps: select the text, run forward and backward, update the weights.

On a CUDA device a step is recorded once as a graph and replayed, so the host neither waits nor
launches kernels one by one. A batch that does not fit into memory is split into microbatches,
whose gradients add up to those of the batch.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812 - the name every PyTorch reader knows
from torch import Tensor, nn

from actrepro.core.errors import is_out_of_memory
from actrepro.train.devices import computing_in
from actrepro.train.optimiser import AdamW

LOG = logging.getLogger("actrepro")

# Steps before a CUDA graph is recorded. In these, CUDA loads kernels and allocates workspaces,
# which a graph cannot record.
WARM_UP = 3


class Stepper:
    """The steps of a run, by number.

    Parameters
    ----------
    text
        Codes of the training text `[characters]`, on the device that computes.
    starts
        Start of each sequence of each step in the text, `[steps, batch]`.
    context
        Input characters of a sequence.
    precision
        See `devices.computing_in`.

    Attributes
    ----------
    microbatch
        Sequences in one forward pass: the batch, or a part of it if memory was short.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: AdamW,
        text: Tensor,
        starts: npt.NDArray[np.int64],
        context: int,
        precision: str,
    ) -> None:
        self.model = model
        self.optimiser = optimiser
        self.text = text
        self.device = text.device
        self.starts = torch.from_numpy(starts).to(self.device)
        self.offsets = torch.arange(context + 1, device=self.device)
        self.precision = precision
        self.microbatch = starts.shape[1]

    def step(self, step: int) -> None:
        """Take one step.

        Raises
        ------
        MemoryError, RuntimeError
            When not even one sequence fits into memory (see `errors.is_out_of_memory`).
        """
        while True:
            # The step is repeated with the same random numbers, so its result does not depend on
            # how often memory ran out.
            before = random_states(self.device)
            try:
                return self._step(step)
            except (MemoryError, RuntimeError) as error:
                if self.microbatch == 1 or not is_out_of_memory(error):
                    raise
            restore_random_states(before)
            self._halve_microbatch()

    def _step(self, step: int) -> None:
        self._train_on(self.starts[step])

    def _train_on(self, starts: Tensor) -> None:
        sequences = self.text[starts[:, None] + self.offsets]
        self.optimiser.zero_grad()
        for part in torch.split(sequences, self.microbatch):
            with computing_in(self.precision, self.device):
                logits = self.model(part[:, :-1])
            loss = F.cross_entropy(logits.float().flatten(0, 1), part[:, 1:].flatten())
            # `cross_entropy` averages over a part. Weighted by its share of the batch, its gradient
            # adds up to the gradient of the batch's mean.
            share = len(part) / len(sequences)
            torch.autograd.backward(loss if share == 1 else loss * share)
        self.optimiser.step()

    def _halve_microbatch(self) -> None:
        self.microbatch = -(-self.microbatch // 2)
        LOG.warning(
            "out of memory: from here on a microbatch has %d of the batch's %d sequences, and "
            "gradients are added up",
            self.microbatch,
            self.starts.shape[1],
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


class GraphedStepper(Stepper):
    """The same steps on a CUDA device, recorded after the first few and then replayed.

    A model whose step cannot be recorded, for example because it reads values on the host, is
    trained step by step.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        # A graph is recorded on a stream other than the default one, with the warm-up on it too.
        self.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self.at = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.replay: Callable[[], None] | None = None
        self.warm = 0

    def _step(self, step: int) -> None:
        self.at.fill_(step)
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.stream):
            if self.warm == WARM_UP and self.replay is None:
                self.replay = self._recorded()
            if self.replay is not None:
                self.replay()
            else:
                self._train_on_current()
                self.warm += self.warm < WARM_UP
        torch.cuda.current_stream(self.device).wait_stream(self.stream)

    def _train_on_current(self) -> None:
        self._train_on(self.starts.index_select(0, self.at)[0])

    def _recorded(self) -> Callable[[], None]:
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=self.stream):
                self._train_on_current()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            LOG.warning("steps are not recorded as a CUDA graph, and slower for it: %s", error)
            return self._train_on_current
        replay: Callable[[], None] = graph.replay
        return replay

    def _halve_microbatch(self) -> None:
        self.replay, self.warm = None, 0
        super()._halve_microbatch()


def random_states(device: torch.device) -> dict[str, Tensor]:
    """Return torch's random states, by type of device."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(states: dict[str, Tensor]) -> None:
    """Restore the random states that `random_states` returned."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
