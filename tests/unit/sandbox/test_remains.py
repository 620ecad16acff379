"""How the mounts of a sandbox are told from all others."""

from __future__ import annotations

from pathlib import Path

from platformctl.sandbox.remains import mounts_below

MOUNTS = r"""22 1 8:1 / / rw - ext4 /dev/sda1 rw
40 22 0:40 / /root/a\040b/.platform/sandbox/hosts rw - tmpfs tmpfs rw
41 40 0:41 / /root/a\040b/.platform/sandbox/hosts/deep rw - tmpfs tmpfs rw
42 22 0:42 / /root/a\040b/.platform/sandbox2 rw - tmpfs tmpfs rw
"""


def test_mounts_below_the_folder_are_found_deepest_first() -> None:
    folder = Path("/root/a b/.platform/sandbox")
    assert mounts_below(folder, MOUNTS) == [f"{folder}/hosts/deep", f"{folder}/hosts"]


def test_a_folder_whose_name_only_begins_the_same_is_another() -> None:
    assert mounts_below(Path("/root/a b/.platform/sand"), MOUNTS) == []
