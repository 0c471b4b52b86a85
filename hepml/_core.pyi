"""The compiled module; its functions are wrapped, with documentation, by the Python modules that call them."""

from typing import Any

__file__: str
__version__: str

def __getattr__(name: str) -> Any: ...
