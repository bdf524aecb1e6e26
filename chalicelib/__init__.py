"""All of signin-monitor that is deployed."""

from typing import Final

__version__: Final = "1.1.0"
