"""What happens at the end of an epoch: best weights, early stopping, learning rate, collapse, checkpoint, progress."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hepml import interruption
from hepml.models import Settings
from hepml.stages import stage
from hepml.training import collapse
from hepml.training.checkpoint import checkpoint, write_arrays
from hepml.training.files import write_history

__all__ = ["Progress", "Report", "State", "watcher"]

CHECKPOINT_SECONDS = 15.0
KEPT_SECONDS = 1.0  # how old the state that a signal leaves may be at the end of an epoch


@dataclass(frozen=True)
class Progress:
    """One step of a training, for whoever shows it.

    Attributes:
        member, n_member, n_members: name and number (from 1) of the network within the run.
        epoch, epochs: epochs done and their maximum.
        batch, batches: within the epoch that runs; batch is 0 when an epoch has just ended.
        loss, val_loss: of the last epoch (the running one for batch > 0, val_loss then None).
        message: what happened, when it is not an epoch.
    """

    member: str
    n_member: int
    n_members: int
    epoch: int = 0
    epochs: int = 0
    batch: int = 0
    batches: int = 0
    loss: float | None = None
    val_loss: float | None = None
    seconds: float = 0.0
    message: str = ""


Report = Callable[[Progress], None]


@dataclass
class State:
    """Counters of one attempt; plain numbers, so that a checkpoint can hold them."""

    epoch: int = 0  # epochs done
    best_epoch: int = -1
    best_loss: float = math.inf
    wait: int = 0
    plateau_best: float = math.inf
    plateau_wait: int = 0
    constant: int = 0
    stopped: str = ""
    collapsed: str = ""
    history: list[dict[str, float]] = field(default_factory=list)

    def end_epoch(self, loss: float, val_loss: float, learning_rate: float, settings: Settings) -> tuple[bool, float]:
        """Counts an epoch; gives whether it is the best so far and the next learning rate.

        Early stopping and the plateau count as the callbacks of Keras do.
        """
        self.history.append({"epoch": self.epoch, "loss": loss, "val_loss": val_loss, "learning_rate": learning_rate})
        best = val_loss < self.best_loss - (settings.min_delta if self.best_epoch >= 0 else 0.0)
        if best:
            self.best_loss, self.best_epoch, self.wait = val_loss, self.epoch, 0
        else:
            self.wait += 1
            if settings.patience and self.wait >= settings.patience:
                self.stopped = f"no progress in {settings.patience} epochs"
        if val_loss < self.plateau_best - 1e-4:
            self.plateau_best, self.plateau_wait = val_loss, 0
        else:
            self.plateau_wait += 1
            if settings.plateau_patience and self.plateau_wait >= settings.plateau_patience:
                learning_rate, self.plateau_wait = learning_rate * settings.plateau_factor, 0
        self.epoch += 1
        if self.epoch >= settings.epochs and not self.stopped:
            self.stopped = f"{settings.epochs} epochs"
        return best, learning_rate

    def to_dict(self) -> dict[str, Any]:
        """For a checkpoint."""
        return asdict(self)


@dataclass
class Attempt:
    """All that the watch of one attempt needs to know."""

    settings: Settings
    state: State
    feed: Any
    constant: float  # loss of the best constant on the training rows
    probe: Callable[[Any], float]  # model -> spread of its outputs
    path: Path  # of the checkpoint
    header: dict[str, Any]  # stored in the checkpoint beside the state
    report: Report
    progress: Progress
    log: Callable[[str], None]
    best: list[NDArray[Any]] = field(default_factory=list)
    keep: Callable[[Any, list[NDArray[Any]]], None] = lambda network, best: None  # saves the best network so far


def watcher(attempt: Attempt) -> Any:
    """A Keras callback that watches an attempt."""
    import keras

    class Watch(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.started = self.saved = self.shown = time.monotonic()
            self.better = False  # than the network that was kept last
            self.kept: dict[str, NDArray[Any]] | None = None  # the state after an epoch, if it is not in the file
            self.kept_at = self.saved

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            stage("epoch", epoch + 1)
            self.started = time.monotonic()
            attempt.feed.start(epoch)

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            interruption.check()
            now = time.monotonic()
            if now - self.shown > 1.0:
                self.shown = now
                loss = float((logs or {}).get("loss", math.nan))
                self.tell(batch=batch + 1, batches=len(attempt.feed), loss=loss, seconds=now - self.started)

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            interruption.check()
            state, settings = attempt.state, attempt.settings
            loss, val_loss = (float((logs or {})[name]) for name in ("loss", "val_loss"))
            rate = float(np.asarray(self.model.optimizer.learning_rate))
            best, next_rate = state.end_epoch(loss, val_loss, rate, settings)
            if best:
                attempt.best, self.better = self.model.get_weights(), True
            if not (math.isfinite(loss) and math.isfinite(val_loss)):
                state.collapsed = f"the loss is {loss:g}"
            elif loss > attempt.constant - 0.02 * abs(attempt.constant):
                flat = attempt.probe(self.model) < collapse.DEAD
                state.constant = state.constant + 1 if flat else 0
                if state.constant >= collapse.PATIENCE:
                    state.collapsed = f"the output was constant for {collapse.PATIENCE} epochs, loss {loss:.5f}"
            else:
                state.constant = 0
            if next_rate != rate:
                self.model.optimizer.learning_rate.assign(next_rate)
                attempt.log(f"epoch {state.epoch}: learning rate {next_rate:g}")
            seconds = time.monotonic() - self.started
            attempt.log(f"epoch {state.epoch}: loss {loss:.5f} val_loss {val_loss:.5f} {seconds:.1f} s")
            self.tell(loss=loss, val_loss=val_loss, seconds=seconds)
            if state.stopped or state.collapsed:
                self.model.stop_training = True
            elif time.monotonic() - self.saved > CHECKPOINT_SECONDS:
                stage("checkpoint", f"after epoch {state.epoch}")
                if self.better:
                    attempt.keep(self.model, attempt.best)
                    self.better = False
                write_history(attempt.path.with_name("history.csv"), state.history)
                write_arrays(attempt.path, self.state())
                self.kept = None
                self.saved = self.kept_at = time.monotonic()
            elif time.monotonic() - self.kept_at > KEPT_SECONDS:
                self.kept, self.kept_at = self.state(), time.monotonic()

        def state(self) -> dict[str, NDArray[Any]]:
            return checkpoint(self.model, attempt.best, {**attempt.header, "state": attempt.state.to_dict()})

        def leave(self) -> None:
            """Writes the state after the last epoch that was kept, if a checkpoint does not hold it."""
            if self.kept is not None:
                stage("checkpoint", "of an interrupted training")
                write_arrays(attempt.path, self.kept)

        def tell(self, **what: Any) -> None:
            known = asdict(attempt.progress) | {"epoch": attempt.state.epoch, "epochs": attempt.settings.epochs}
            attempt.report(Progress(**(known | what)))

    return Watch()
