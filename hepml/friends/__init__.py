"""Friend trees: a network applied to ROOT files, and the ledger that each output carries."""

from hepml.friends.books import LEDGER, columns_damaged, is_output, outputs_in, read_books, read_ledger
from hepml.friends.scoring import Applied, apply

__all__ = ["LEDGER", "Applied", "apply", "columns_damaged", "is_output", "outputs_in", "read_books", "read_ledger"]
