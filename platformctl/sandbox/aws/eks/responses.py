"""Between moto's routing and our operations: one method per operation, made from the tables of the modules."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import moto.eks.models
import moto.eks.urls
from moto.core.common_types import TYPE_RESPONSE
from moto.core.responses import ActionResult, BaseResponse
from moto.core.utils import camelcase_to_underscores

from platformctl.sandbox.aws.eks import access, clusters, nodegroups, workloads
from platformctl.sandbox.aws.eks.models import Backend, Document, Request, Simulation
from platformctl.sandbox.aws.identity import lookup

Operation = Callable[[Backend, Request], Document]


def _tag_resource(eks: Backend, request: Request) -> Document:
    eks.tag_resource(unquote(request["resourceArn"]), dict(request["tags"]))
    return {}


def _untag_resource(eks: Backend, request: Request) -> Document:
    eks.untag_resource(unquote(request["resourceArn"]), list(request["tagKeys"]))
    return {}


def _list_tags_for_resource(eks: Backend, request: Request) -> Document:
    return {"tags": eks.tags_of(unquote(request["resourceArn"]))}


OPERATIONS: dict[str, Operation] = {
    **clusters.OPERATIONS,
    **nodegroups.OPERATIONS,
    **access.OPERATIONS,
    **workloads.OPERATIONS,
    "TagResource": _tag_resource,
    "UntagResource": _untag_resource,
    "ListTagsForResource": _list_tags_for_resource,
}


class Response(BaseResponse):
    """moto finds the operation by botocore's model and calls the method of that name."""

    def __init__(self) -> None:
        super().__init__(service_name="eks")
        self.automated_parameter_parsing = True

    def call_action(self) -> TYPE_RESPONSE:
        """moto answers what EKS's model does not know with an empty 404, which providers take for "gone"."""
        if not self._get_action():
            raise NotImplementedError(f"{self.method} {self.path}")
        return super().call_action()

    def operate(self, operation: Operation) -> ActionResult:
        """Runs one operation under the backend's lock, after everything that is due by now."""
        backend = cast("Backend", moto.eks.models.eks_backends[self.current_account][self.region])
        caller = lookup(self.access_key)
        request = {**self.params, "callerArn": caller.principal_arn if caller else ""}
        with backend.lock:
            backend.settle()
            # Copied: moto writes the answer after the lock is gone.
            return ActionResult(copy.deepcopy(operation(backend, request)))


def _method(operation: Operation) -> Callable[[Response], Any]:
    def method(self: Response) -> ActionResult:
        return self.operate(operation)

    return method


for _name, _operation in OPERATIONS.items():
    setattr(Response, camelcase_to_underscores(_name), _method(_operation))


def install(simulation: Simulation) -> None:
    """Puts this EKS in place of moto's. Call before moto answers its first request."""
    Backend.simulation = simulation
    moto.eks.models.eks_backends.backend = Backend  # type: ignore[assignment]  # another EKS, the same interface
    moto.eks.urls.url_paths.clear()
    moto.eks.urls.url_paths["{0}/(?P<rest>.+)$"] = Response.dispatch
