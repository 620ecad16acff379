"""``python -m platformctl.sandbox.aws --config FILE``: the process. Only the command line is read here."""

import argparse
import sys
from pathlib import Path

from platformctl.sandbox.aws.server import serve

parser = argparse.ArgumentParser(prog="platformctl.sandbox.aws", description="The sandbox's simulated AWS.")
parser.add_argument("--config", type=Path, required=True, help="JSON; see platformctl/sandbox/aws/configuration.py")
sys.exit(serve(parser.parse_args().config))
