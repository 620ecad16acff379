"""External programs: which versions are accepted, where they are found, how the missing ones are built or fetched.

``programs.toml`` says what there is, ``go/<program>`` holds the pinned Go modules, ``requirements/go.txt`` the wheel of
Go itself, ``releases.toml`` vendors' releases by checksum. What a program is *told* is not known here: ``tools`` and
``sandbox`` know it.
"""

from platformctl.toolchain.found import Found, Origin, Progress
from platformctl.toolchain.toolchain import Toolchain

__all__ = ["Found", "Origin", "Progress", "Toolchain"]
