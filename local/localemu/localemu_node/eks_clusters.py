"""What EKS says of a cluster and moto does not: how it authenticates, its network, its add-ons.

moto drops a cluster's access configuration, gives it neither VPC nor security group, answers a
missing cluster with an error that no SDK knows, replaces its network and log settings when one of
them changes, and has no add-ons and no list of versions. Add-ons are recorded only: the local
control plane runs none.
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from localemu.aws.api import RequestContext
from localemu.aws.connect import connect_to
from localemu.services.eks import provider
from localemu.services.stores import AccountRegionBundle, BaseStore, LocalAttribute
from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models import ec2_backends
from moto.eks import models

from localemu_node.eks import Request, ResourceInUseException, ResourceNotFoundException

# The Kubernetes that the local API server is.
OFFERED_VERSION = "1.35"
# What an add-on gets that was created without a version, where something looks at it.
DEFAULT_ADDON_VERSIONS = {"vpc-cni": "v1.21.1-eksbuild.1"}
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")

Fields = dict[str, Any]


class ClusterStore(BaseStore):
    access: dict[str, Fields] = LocalAttribute(default=dict)
    addons: dict[str, dict[str, Fields]] = LocalAttribute(default=dict)


stores = AccountRegionBundle("eks", ClusterStore)


def store_of(context: RequestContext) -> ClusterStore:
    return stores[context.account_id][context.region]


def cluster_of(context: RequestContext, name: str) -> models.Cluster:
    clusters = models.eks_backends[context.account_id][context.region].clusters
    if name not in clusters:
        raise ResourceNotFoundException(f"No cluster found for name: {name}.")
    return clusters[name]


def create_cluster(context: RequestContext, request: Request) -> dict[str, Any]:
    answer = create_in_moto(context, request)
    name = request["name"]
    # CONFIG_MAP is what the API and CloudFormation make of a request that says nothing.
    store_of(context).access[name] = {
        "authenticationMode": "CONFIG_MAP",
        **request.get("accessConfig", {}),
    }
    place_in_network(context, cluster_of(context, name))
    answer["cluster"].update(described_fields(context, name))
    return answer


def place_in_network(context: RequestContext, cluster: models.Cluster) -> None:
    """The VPC of its subnets, and a group in it that admits its own members, as EKS makes it."""
    network = cluster.resources_vpc_config
    network.setdefault("endpointPrivateAccess", False)
    network.setdefault("endpointPublicAccess", True)
    network.setdefault("publicAccessCidrs", ["0.0.0.0/0"])
    try:
        backend = ec2_backends[context.account_id][context.region]
        vpc_id = backend.get_subnet(network["subnetIds"][0]).vpc_id
    except (InvalidSubnetIdError, LookupError):
        return  # subnets that EC2 does not know are recorded and nothing more
    ec2 = connect_to(aws_access_key_id=context.account_id, region_name=context.region).ec2
    group_id = ec2.create_security_group(
        GroupName=f"eks-cluster-sg-{cluster.name}-{uuid.uuid4().hex[:8]}",
        Description="EKS created security group applied to the control plane",
        VpcId=vpc_id,
    )["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=group_id,
        IpPermissions=[{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": group_id}]}],
    )
    network.update(vpcId=vpc_id, clusterSecurityGroupId=group_id)


def described_fields(context: RequestContext, name: str) -> Fields:
    return {
        "accessConfig": store_of(context).access.get(name, {}),
        "resourcesVpcConfig": cluster_of(context, name).resources_vpc_config,
    }


def describe_cluster(context: RequestContext, request: Request) -> dict[str, Any]:
    name = request["name"]
    cluster_of(context, name)
    answer = describe_in_moto(context, request)
    answer["cluster"].update(described_fields(context, name))
    return answer


def update_cluster_config(context: RequestContext, request: Request) -> dict[str, Any]:
    name = request["name"]
    cluster = cluster_of(context, name)
    store_of(context).access[name].update(request.get("accessConfig", {}))
    cluster.resources_vpc_config.update(request.get("resourcesVpcConfig", {}))
    if changes := request.get("logging", {}).get("clusterLogging"):
        on = set(enabled_logs(cluster.logging["clusterLogging"]))
        for change in changes:
            on = on | set(change["types"]) if change["enabled"] else on - set(change["types"])
        cluster.logging = {
            "clusterLogging": [
                {"types": [log for log in LOG_TYPES if log in on], "enabled": True},
                {"types": [log for log in LOG_TYPES if log not in on], "enabled": False},
            ]
        }
    return update_of("ConfigUpdate")


def enabled_logs(setups: list[Fields]) -> list[str]:
    return [log for setup in setups if setup["enabled"] for log in setup["types"]]


def update_of(kind: str) -> dict[str, Any]:
    now = datetime.now(tz=UTC)
    update = {"id": str(uuid.uuid4()), "status": "Successful", "type": kind, "createdAt": now}
    return {"update": update}


def describe_cluster_versions(context: RequestContext, request: Request) -> dict[str, Any]:
    version = {
        "clusterVersion": OFFERED_VERSION,
        "clusterType": "eks",
        "defaultVersion": True,
        "versionStatus": "STANDARD_SUPPORT",
    }
    return {"clusterVersions": [version]}


def addons_of(context: RequestContext, cluster_name: str) -> dict[str, Fields]:
    cluster_of(context, cluster_name)
    return store_of(context).addons.setdefault(cluster_name, {})


def addon_of(context: RequestContext, request: Request) -> Fields:
    addons = addons_of(context, request["clusterName"])
    name = request["addonName"]
    if name not in addons:
        raise ResourceNotFoundException(
            f"No addon: {name} found in cluster: {request['clusterName']}"
        )
    return addons[name]


def create_addon(context: RequestContext, request: Request) -> dict[str, Any]:
    addons = addons_of(context, request["clusterName"])
    name = request["addonName"]
    if name in addons:
        raise ResourceInUseException("Addon already exists.")
    cluster_arn = cluster_of(context, request["clusterName"]).arn
    now = datetime.now(tz=UTC)
    kept = ("clusterName", "addonName", "addonVersion", "configurationValues", "tags")
    default_version = DEFAULT_ADDON_VERSIONS.get(name)
    addons[name] = {
        **({"addonVersion": default_version} if default_version else {}),
        **{field: request[field] for field in kept if field in request},
        "addonArn": f"{cluster_arn.replace(':cluster/', ':addon/')}/{name}/{uuid.uuid4()}",
        "status": "ACTIVE",
        "createdAt": now,
        "modifiedAt": now,
    }
    return {"addon": addons[name]}


def describe_addon(context: RequestContext, request: Request) -> dict[str, Any]:
    return {"addon": addon_of(context, request)}


def list_addons(context: RequestContext, request: Request) -> dict[str, Any]:
    return {"addons": list(addons_of(context, request["clusterName"]))}


def update_addon(context: RequestContext, request: Request) -> dict[str, Any]:
    changes = ("addonVersion", "configurationValues")
    addon_of(context, request).update(
        {field: request[field] for field in changes if field in request},
        modifiedAt=datetime.now(tz=UTC),
    )
    return update_of("AddonUpdate")


def delete_addon(context: RequestContext, request: Request) -> dict[str, Any]:
    addon = addon_of(context, request)
    del addons_of(context, request["clusterName"])[request["addonName"]]
    return {"addon": addon}


def delete_cluster(context: RequestContext, request: Request) -> Any:
    answer = delete_in_turn(context, request)
    store = store_of(context)
    store.access.pop(request["name"], None)
    store.addons.pop(request["name"], None)
    return answer


operations = provider._INTERCEPTED_OPS
create_in_moto = operations["CreateCluster"]
describe_in_moto = operations["DescribeCluster"]
delete_in_turn = operations["DeleteCluster"]  # that of eks.py, which ends the access entries


def apply() -> None:
    models.DEFAULT_KUBERNETES_VERSION = OFFERED_VERSION
    operations.update(
        {
            "CreateCluster": create_cluster,
            "DescribeCluster": describe_cluster,
            "DeleteCluster": delete_cluster,
            "UpdateClusterConfig": update_cluster_config,
            "DescribeClusterVersions": describe_cluster_versions,
            "CreateAddon": create_addon,
            "DescribeAddon": describe_addon,
            "ListAddons": list_addons,
            "UpdateAddon": update_addon,
            "DeleteAddon": delete_addon,
        }
    )
