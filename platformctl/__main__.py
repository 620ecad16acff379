"""``python -m platformctl``: the same as the ``platformctl`` command."""

from platformctl.cli.main import main

main()
