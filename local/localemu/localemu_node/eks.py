"""EKS clusters that lead to the local API server, and access entries.

moto invents an endpoint and a certificate for a cluster; here both are those of EKS_ENDPOINT and
EKS_CA_FILE, read when a cluster is created, because the API server starts beside LocalEmu and
writes its certificate meanwhile.

Access entries do not exist upstream. They are kept in memory for each account, region and cluster;
the local API server's token webhook asks DescribeAccessEntry which groups a role has.
"""

import base64
import os
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from localemu.aws.api import RequestContext, ServiceException
from localemu.services.eks import provider
from localemu.services.stores import AccountRegionBundle, BaseStore, LocalAttribute
from localemu.utils.aws.arns import parse_arn
from moto.eks import models

Request = dict[str, Any]
Entry = dict[str, Any]
EntriesByPrincipal = dict[str, Entry]

# EKS reserves these beginnings; only its own types of access entry may use them.
RESERVED_USERNAME_PREFIXES = ("system:", "eks:", "aws:", "amazon:", "iam:")
RESERVED_GROUP_PREFIX = "system:"


class ResourceNotFoundException(ServiceException):
    code = "ResourceNotFoundException"
    status_code = 404


class ResourceInUseException(ServiceException):
    code = "ResourceInUseException"
    status_code = 409


class InvalidParameterException(ServiceException):
    code = "InvalidParameterException"
    status_code = 400


class AccessEntryStore(BaseStore):
    entries_by_cluster: dict[str, EntriesByPrincipal] = LocalAttribute(default=dict)


access_entries = AccountRegionBundle("eks", AccessEntryStore)


def entries_of_cluster(context: RequestContext, cluster_name: str) -> EntriesByPrincipal:
    backend = models.eks_backends[context.account_id][context.region]
    if cluster_name not in backend.clusters:
        raise ResourceNotFoundException(f"No cluster found for name: {cluster_name}.")
    store = access_entries[context.account_id][context.region]
    return store.entries_by_cluster.setdefault(cluster_name, {})


def entry_of(context: RequestContext, request: Request) -> Entry:
    entries = entries_of_cluster(context, request["clusterName"])
    try:
        return entries[request["principalArn"]]
    except KeyError:
        raise ResourceNotFoundException(
            "The specified principalArn could not be found. You can view your available access "
            "entries with 'aws eks list-access-entries'."
        ) from None


def check_names(request: Request) -> None:
    """Refuse names that EKS keeps for itself."""
    for group in request.get("kubernetesGroups", []):
        if group.startswith(RESERVED_GROUP_PREFIX):
            raise InvalidParameterException(
                f"The kubernetes group name {group} is invalid, it cannot start with "
                f"{RESERVED_GROUP_PREFIX}"
            )
    username = request.get("username", "")
    if username.startswith(RESERVED_USERNAME_PREFIXES):
        raise InvalidParameterException(
            f"The username {username} is invalid, it cannot start with one of "
            f"{', '.join(RESERVED_USERNAME_PREFIXES)}"
        )


def default_username(principal_arn: str) -> str:
    """The Kubernetes user of a principal: a role's sessions are told apart by their names."""
    principal = parse_arn(principal_arn)
    kind, _, path_and_name = principal["resource"].partition("/")
    if kind != "role":
        return principal_arn
    role_name = path_and_name.rsplit("/", 1)[-1]
    sessions_arn = f"arn:{principal['partition']}:sts::{principal['account']}:assumed-role"
    return f"{sessions_arn}/{role_name}/{{{{SessionName}}}}"


def access_entry_arn(context: RequestContext, cluster_name: str, principal_arn: str) -> str:
    principal = parse_arn(principal_arn)
    kind, _, path_and_name = principal["resource"].partition("/")
    principal_name = path_and_name.rsplit("/", 1)[-1]
    return (
        f"arn:{context.partition}:eks:{context.region}:{context.account_id}:access-entry/"
        f"{cluster_name}/{kind}/{principal['account']}/{principal_name}/{uuid.uuid4()}"
    )


def create_access_entry(context: RequestContext, request: Request) -> dict[str, Any]:
    cluster_name, principal_arn = request["clusterName"], request["principalArn"]
    entries = entries_of_cluster(context, cluster_name)
    if principal_arn in entries:
        raise ResourceInUseException(
            "The specified access entry resource is already in use on this cluster."
        )
    check_names(request)
    now = datetime.now(tz=UTC)
    entries[principal_arn] = {
        "clusterName": cluster_name,
        "principalArn": principal_arn,
        "kubernetesGroups": request.get("kubernetesGroups", []),
        "accessEntryArn": access_entry_arn(context, cluster_name, principal_arn),
        "createdAt": now,
        "modifiedAt": now,
        "tags": request.get("tags", {}),
        "username": request.get("username") or default_username(principal_arn),
        "type": request.get("type") or "STANDARD",
    }
    return {"accessEntry": entries[principal_arn]}


def describe_access_entry(context: RequestContext, request: Request) -> dict[str, Any]:
    return {"accessEntry": entry_of(context, request)}


def list_access_entries(context: RequestContext, request: Request) -> dict[str, Any]:
    entries = entries_of_cluster(context, request["clusterName"])
    # No access policy can be associated here, so none matches the filter for one.
    return {"accessEntries": [] if request.get("associatedPolicyArn") else list(entries)}


def update_access_entry(context: RequestContext, request: Request) -> dict[str, Any]:
    entry = entry_of(context, request)
    check_names(request)
    changes = {name: request[name] for name in ("kubernetesGroups", "username") if name in request}
    entry.update(changes, modifiedAt=datetime.now(tz=UTC))
    return {"accessEntry": entry}


def delete_access_entry(context: RequestContext, request: Request) -> dict[str, Any]:
    entry = entry_of(context, request)
    del entries_of_cluster(context, request["clusterName"])[entry["principalArn"]]
    return {}


def delete_cluster(context: RequestContext, request: Request) -> Any:
    response = provider._handle_delete_cluster(context, request)
    store = access_entries[context.account_id][context.region]
    store.entries_by_cluster.pop(request["name"], None)
    return response


def point_clusters_at_local_api_server() -> None:
    initialize = models.Cluster.__init__

    def initialize_with_local_endpoint(self: models.Cluster, *args: Any, **kwargs: Any) -> None:
        initialize(self, *args, **kwargs)
        if endpoint := os.environ.get("EKS_ENDPOINT"):
            self.endpoint = endpoint
        if ca_file := os.environ.get("EKS_CA_FILE"):
            certificate = Path(ca_file).read_bytes()
            self.certificate_authority = {"data": base64.b64encode(certificate).decode()}

    models.Cluster.__init__ = initialize_with_local_endpoint


def apply() -> None:
    point_clusters_at_local_api_server()
    provider._INTERCEPTED_OPS.update(
        {
            "CreateAccessEntry": create_access_entry,
            "DescribeAccessEntry": describe_access_entry,
            "ListAccessEntries": list_access_entries,
            "UpdateAccessEntry": update_access_entry,
            "DeleteAccessEntry": delete_access_entry,
            "DeleteCluster": delete_cluster,
        }
    )
