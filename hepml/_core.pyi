"""The compiled module; its functions are wrapped, with documentation, by the Python modules that call them."""

from typing import Any

__version__: str
__sources__: str

def __getattr__(name: str) -> Any: ...
