"""One training step after another: which text, forward, backward, update.

On a CUDA device the step is recorded once and replayed, so that the host neither waits nor
launches kernels one by one. A batch that does not fit into memory is taken in parts; their
gradients add up to the batch's.
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

# Steps before a CUDA graph is recorded: kernels are loaded and workspaces made in them.
WARM_UP = 3


class Stepper:
    """The steps of a run, each by its number.

    Parameters
    ----------
    text
        Codes of the training text `[characters]`, on the device that computes.
    starts
        Where each sequence of each step starts, `[steps, batch]`.
    context
        Characters that a sequence has before its last target.
    precision
        See `devices.computing_in`.

    Attributes
    ----------
    at_once
        Sequences in one forward pass: the batch, or less where memory did not suffice.
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
        self.at_once = starts.shape[1]

    def take(self, step: int) -> None:
        """Take one step.

        Raises
        ------
        MemoryError, RuntimeError
            When not even one sequence fits into memory (see `errors.is_out_of_memory`).
        """
        while True:
            # What a step that failed has drawn is drawn again.
            kept = random_states(self.device)
            try:
                return self._take(step)
            except (MemoryError, RuntimeError) as error:
                if self.at_once == 1 or not is_out_of_memory(error):
                    raise
            restore_random_states(kept)
            self._take_less_at_once()

    def _take(self, step: int) -> None:
        self._train_on(self.starts[step])

    def _train_on(self, starts: Tensor) -> None:
        sequences = self.text[starts[:, None] + self.offsets]
        self.optimiser.zero_grad()
        for part in torch.split(sequences, self.at_once):
            with computing_in(self.precision, self.device):
                logits = self.model(part[:, :-1])
            loss = F.cross_entropy(logits.float().flatten(0, 1), part[:, 1:].flatten())
            share = len(part) / len(sequences)
            torch.autograd.backward(loss if share == 1 else loss * share)
        self.optimiser.step()

    def _take_less_at_once(self) -> None:
        self.at_once = -(-self.at_once // 2)
        LOG.warning(
            "out of memory: from here on %d of %d sequences are taken at once, and their "
            "gradients added up",
            self.at_once,
            self.starts.shape[1],
        )
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


class GraphedStepper(Stepper):
    """The same steps on a CUDA device, recorded after the first few and then replayed.

    A model whose step cannot be recorded (it looks at its numbers on the host, say) goes on
    step by step.
    """

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        # Recording is not possible on the default stream, nor of what was begun there.
        self.stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        self.at = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.replay: Callable[[], None] | None = None
        self.warm = 0

    def _take(self, step: int) -> None:
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

    def _take_less_at_once(self) -> None:
        self.replay, self.warm = None, 0
        super()._take_less_at_once()


def random_states(device: torch.device) -> dict[str, Tensor]:
    """torch's random state, by the kind of device that draws."""
    states = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states["cuda"] = torch.cuda.get_rng_state(device)
    return states


def restore_random_states(states: dict[str, Tensor]) -> None:
    """Draw from here on what was drawn after `random_states`."""
    torch.set_rng_state(states["cpu"])
    if "cuda" in states:
        torch.cuda.set_rng_state(states["cuda"])
