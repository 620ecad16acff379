"""Amazon Web Services as we use them: who we are, objects with conditional writes, secrets, tags, the state bucket.

Everything here is given plain values (``Account``) and a connection; nothing reads an environment file, and boto3 is
imported only when the first client is made. Errors of botocore leave as errors of ``core.errors`` (see ``failures``).
"""

from platformctl.tools.aws.account import Account
from platformctl.tools.aws.identity import Identity, check_account
from platformctl.tools.aws.objects import S3ObjectStore
from platformctl.tools.aws.secrets import AwsSecretResolver
from platformctl.tools.aws.session import Session, session

__all__ = ["Account", "AwsSecretResolver", "Identity", "S3ObjectStore", "Session", "check_account", "session"]
