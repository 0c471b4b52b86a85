"""One reproducible fit, fully recorded: settings, folds, early stopping, collapse detector, run folder, results.

    data.h5 | arrays -> source -> folds -> fit (feed, watch, retry) -> run folder -> Run

`train` is the one entry; a run that was killed goes on from its last checkpoint with the same call and ends with the
same weights.
"""

from hepml.training.entry import train
from hepml.training.results import best_results, write_reference_results
from hepml.training.run import Run, Scores, load_run
from hepml.training.watch import Progress

__all__ = ["Progress", "Run", "Scores", "best_results", "load_run", "train", "write_reference_results"]
