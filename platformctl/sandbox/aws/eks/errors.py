"""EKS's errors, worded as EKS words them where its wording is known. The HTTP status comes from AWS's API model."""

from __future__ import annotations

from moto.core.exceptions import ServiceException


class EksError(ServiceException):
    """An error of EKS. Defined here because moto reads the service from the module of an exception's class."""


def not_found(message: str) -> EksError:
    """404: providers read it as "gone"."""
    return EksError("ResourceNotFoundException", message)


def in_use(message: str) -> EksError:
    """409: exists already, or is busy."""
    return EksError("ResourceInUseException", message)


def invalid_parameter(message: str) -> EksError:
    """400: a value makes no sense."""
    return EksError("InvalidParameterException", message)


def invalid_request(message: str) -> EksError:
    """400: the value may be right but not in this state."""
    return EksError("InvalidRequestException", message)


def limit_exceeded(message: str) -> EksError:
    """400: no more of these."""
    return EksError("ResourceLimitExceededException", message)


def tags_not_found(arn: str) -> EksError:
    """404, under the name that only the tagging operations use."""
    return EksError("NotFoundException", f"No resource found for arn: {arn}")
