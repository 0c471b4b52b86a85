"""`hepml run`: one declarative file to the steps of the road, each made only if it is not up to date.

analysis.yaml -> steps -> what is up to date, stale or missing (ledger.json) -> what has to be made, in order
"""

from hepml.workflow.analysis import Analysis, load_analysis
from hepml.workflow.books import damaged_outputs
from hepml.workflow.engine import make, plan
from hepml.workflow.steps import Outcome, Step

__all__ = ["Analysis", "Outcome", "Step", "damaged_outputs", "load_analysis", "make", "plan"]
