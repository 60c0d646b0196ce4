"""CloudFormation types that upstream accepts and silently does nothing for.

Upstream answers CREATE_COMPLETE for a type without a provider and gives it the physical id
``unknown``. Each class here is one type: it says which properties identify the resource and how
the service's API creates, updates and deletes it.
"""

import logging
from abc import abstractmethod
from typing import Any, ClassVar

import localemu.services.cloudformation.provider_utils as provider_utils
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from localemu.services.cloudformation.resource_provider import (
    CloudFormationResourceProviderPlugin,
    OperationStatus,
    ProgressEvent,
    ResourceProvider,
    ResourceRequest,
)

LOG = logging.getLogger(__name__)

Model = dict[str, Any]

NOT_FOUND_CODES = {"ResourceNotFoundException", "NotFoundException", "EntityNotFoundException"}


def without(model: Model, *names: str) -> Model:
    return {name: value for name, value in model.items() if name not in names}


def lower_camel_case(value: Any) -> Any:
    """The property names of CloudFormation as the EKS API spells them."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: lower_camel_case(item) for name, item in value.items()}
    if isinstance(value, list):
        return [lower_camel_case(item) for item in value]
    return value


def tag_map(tags: list[dict[str, str]] | dict[str, str]) -> dict[str, str]:
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


class SimpleProvider(ResourceProvider):
    """A resource that one API call creates and one deletes, both of them at once."""

    SERVICE: ClassVar[str]
    IDENTIFIERS: ClassVar[list[str]]
    READ_ONLY: ClassVar[list[str]] = []
    # A change of one of these replaces the resource. They are not in the schema because LocalEmu
    # takes a Ref to a changed resource for a change, and replaces by creating before deleting,
    # which destroys or refuses a resource that keeps its name.
    CREATE_ONLY: ClassVar[list[str]] = []
    # The property that gets a generated name when the template gives none.
    GENERATED_NAME: ClassVar[str | None] = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.SCHEMA = {
            "typeName": cls.TYPE,
            "primaryIdentifier": [f"/properties/{name}" for name in cls.IDENTIFIERS],
            "readOnlyProperties": [f"/properties/{name}" for name in cls.READ_ONLY],
            "properties": {name: {"type": "string"} for name in cls.IDENTIFIERS + cls.READ_ONLY},
        }

    @abstractmethod
    def create_resource(self, client: BaseClient, model: Model) -> None:
        """Create it, and add its attributes to the model."""

    def update_resource(self, client: BaseClient, model: Model) -> None:
        """Bring it in line with the model. By default only the template's record changes."""

    @abstractmethod
    def delete_resource(self, client: BaseClient, model: Model) -> None:
        """Delete it."""

    def create(self, request: ResourceRequest) -> ProgressEvent:
        model = request.desired_state
        if self.GENERATED_NAME and not model.get(self.GENERATED_NAME):
            model[self.GENERATED_NAME] = provider_utils.generate_default_name(
                request.stack_name, request.logical_resource_id
            )
        self.create_resource(self._client(request), model)
        return self._succeeded(request, model)

    def update(self, request: ResourceRequest) -> ProgressEvent:
        previous = request.previous_state or {}
        kept = [*self.IDENTIFIERS, *self.READ_ONLY]
        model = {name: previous[name] for name in kept if name in previous}
        model |= request.desired_state
        client = self._client(request)
        if any(previous.get(name) != model.get(name) for name in self.CREATE_ONLY):
            self.delete_resource(client, previous)
            self.create_resource(client, model)
        else:
            self.update_resource(client, model)
        return self._succeeded(request, model)

    def delete(self, request: ResourceRequest) -> ProgressEvent:
        try:
            self.delete_resource(self._client(request), request.desired_state)
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOT_FOUND_CODES:
                raise
        return self._succeeded(request, request.desired_state)

    def _client(self, request: ResourceRequest) -> BaseClient:
        return getattr(request.aws_client_factory, self.SERVICE)

    def _succeeded(self, request: ResourceRequest, model: Model) -> ProgressEvent:
        return ProgressEvent(
            status=OperationStatus.SUCCESS,
            resource_model=model,
            custom_context=request.custom_context,
        )


class PipeProvider(SimpleProvider):
    TYPE = "AWS::Pipes::Pipe"
    SERVICE = "pipes"
    IDENTIFIERS = ["Name"]
    READ_ONLY = ["Arn"]
    CREATE_ONLY = ["Name"]
    GENERATED_NAME = "Name"

    def create_resource(self, client: BaseClient, model: Model) -> None:
        request = without(model, "Arn", "Tags")
        model["Arn"] = client.create_pipe(**request, Tags=tag_map(model.get("Tags", {})))["Arn"]

    def update_resource(self, client: BaseClient, model: Model) -> None:
        # moto cannot change a pipe.
        self.delete_resource(client, model)
        self.create_resource(client, model)

    def delete_resource(self, client: BaseClient, model: Model) -> None:
        client.delete_pipe(Name=model["Name"])


class ClusterProvider(SimpleProvider):
    TYPE = "AWS::EKS::Cluster"
    SERVICE = "eks"
    IDENTIFIERS = ["Name"]
    READ_ONLY = [
        "Arn",
        "Endpoint",
        "CertificateAuthorityData",
        "OpenIdConnectIssuerUrl",
        "ClusterSecurityGroupId",
        "Id",
    ]
    CREATE_ONLY = ["Name", "RoleArn"]
    GENERATED_NAME = "Name"

    def create_resource(self, client: BaseClient, model: Model) -> None:
        request = lower_camel_case(without(model, "Tags", "Logging", *self.READ_ONLY))
        # The template names the logs that are on, the API says of each whether it is.
        on = model.get("Logging", {}).get("ClusterLogging", {}).get("EnabledTypes", [])
        if on:
            types = [log["Type"] for log in on]
            request["logging"] = {"clusterLogging": [{"types": types, "enabled": True}]}
        client.create_cluster(**request, tags=tag_map(model.get("Tags", {})))
        cluster = client.describe_cluster(name=model["Name"])["cluster"]
        model["Id"] = model["Name"]
        model["Arn"] = cluster["arn"]
        model["Endpoint"] = cluster["endpoint"]
        model["CertificateAuthorityData"] = cluster["certificateAuthority"]["data"]
        model["OpenIdConnectIssuerUrl"] = cluster["identity"]["oidc"]["issuer"]
        # There is none for subnets that EC2 does not know; the id only has to be well-formed.
        group_id = cluster["resourcesVpcConfig"].get("clusterSecurityGroupId")
        model["ClusterSecurityGroupId"] = group_id or "sg-00000000"

    def delete_resource(self, client: BaseClient, model: Model) -> None:
        client.delete_cluster(name=model["Name"])


class AccessEntryProvider(SimpleProvider):
    """AccessPolicies are not associated: LocalEmu has no such operation."""

    TYPE = "AWS::EKS::AccessEntry"
    SERVICE = "eks"
    IDENTIFIERS = ["PrincipalArn", "ClusterName"]
    READ_ONLY = ["AccessEntryArn"]
    CREATE_ONLY = ["PrincipalArn", "ClusterName", "Type"]

    def create_resource(self, client: BaseClient, model: Model) -> None:
        if model.get("AccessPolicies"):
            LOG.warning("AccessPolicies of %s have no effect here", model["PrincipalArn"])
        request = lower_camel_case(without(model, "AccessEntryArn", "AccessPolicies", "Tags"))
        created = client.create_access_entry(**request, tags=tag_map(model.get("Tags", {})))
        model["AccessEntryArn"] = created["accessEntry"]["accessEntryArn"]

    def update_resource(self, client: BaseClient, model: Model) -> None:
        # Groups that the template no longer names are taken away.
        request = {"kubernetesGroups": model.get("KubernetesGroups", [])}
        if username := model.get("Username"):
            request["username"] = username
        client.update_access_entry(**self._key(model), **request)

    def delete_resource(self, client: BaseClient, model: Model) -> None:
        client.delete_access_entry(**self._key(model))

    @staticmethod
    def _key(model: Model) -> dict[str, str]:
        return {"clusterName": model["ClusterName"], "principalArn": model["PrincipalArn"]}


class AddonProvider(SimpleProvider):
    """Recorded only: the local control plane runs none."""

    TYPE = "AWS::EKS::Addon"
    SERVICE = "eks"
    IDENTIFIERS = ["ClusterName", "AddonName"]
    READ_ONLY = ["Arn"]
    CREATE_ONLY = ["ClusterName", "AddonName"]

    def create_resource(self, client: BaseClient, model: Model) -> None:
        created = client.create_addon(**self._request(model))
        model["Arn"] = created["addon"]["addonArn"]

    def update_resource(self, client: BaseClient, model: Model) -> None:
        client.update_addon(**self._request(model))

    def delete_resource(self, client: BaseClient, model: Model) -> None:
        client.delete_addon(clusterName=model["ClusterName"], addonName=model["AddonName"])

    @staticmethod
    def _request(model: Model) -> dict[str, str]:
        kept = ("ClusterName", "AddonName", "AddonVersion", "ConfigurationValues")
        return lower_camel_case({name: model[name] for name in kept if name in model})


class WorkGroupProvider(SimpleProvider):
    TYPE = "AWS::Athena::WorkGroup"
    SERVICE = "athena"
    IDENTIFIERS = ["Name"]
    CREATE_ONLY = ["Name"]
    GENERATED_NAME = "Name"

    def create_resource(self, client: BaseClient, model: Model) -> None:
        request = {"Name": model["Name"]}
        if configuration := model.get("WorkGroupConfiguration"):
            request["Configuration"] = configuration
        client.create_work_group(**request)

    def delete_resource(self, client: BaseClient, model: Model) -> None:
        client.delete_work_group(WorkGroup=model["Name"])


class GlueDatabaseProvider(SimpleProvider):
    TYPE = "AWS::Glue::Database"
    SERVICE = "glue"
    IDENTIFIERS = ["DatabaseName"]

    def create_resource(self, client: BaseClient, model: Model) -> None:
        client.create_database(DatabaseInput=model["DatabaseInput"])
        model["DatabaseName"] = model["DatabaseInput"]["Name"]

    def update_resource(self, client: BaseClient, model: Model) -> None:
        client.update_database(Name=model["DatabaseName"], DatabaseInput=model["DatabaseInput"])

    def delete_resource(self, client: BaseClient, model: Model) -> None:
        client.delete_database(Name=model["DatabaseName"])


class GlueTableProvider(SimpleProvider):
    TYPE = "AWS::Glue::Table"
    SERVICE = "glue"
    IDENTIFIERS = ["DatabaseName", "TableName"]
    CREATE_ONLY = ["DatabaseName"]

    def create_resource(self, client: BaseClient, model: Model) -> None:
        client.create_table(DatabaseName=model["DatabaseName"], TableInput=model["TableInput"])
        model["TableName"] = model["TableInput"]["Name"]

    def update_resource(self, client: BaseClient, model: Model) -> None:
        client.update_table(DatabaseName=model["DatabaseName"], TableInput=model["TableInput"])

    def delete_resource(self, client: BaseClient, model: Model) -> None:
        client.delete_table(DatabaseName=model["DatabaseName"], Name=model["TableName"])


class ProviderPlugin(CloudFormationResourceProviderPlugin):
    """How LocalEmu finds a provider: by entry point, one plugin class for each type."""

    PROVIDER: ClassVar[type[SimpleProvider]]

    def __init__(self) -> None:
        self.factory: type[ResourceProvider] | None = None

    def load(self) -> None:
        self.factory = self.PROVIDER


class PipePlugin(ProviderPlugin):
    name = PipeProvider.TYPE
    PROVIDER = PipeProvider


class ClusterPlugin(ProviderPlugin):
    name = ClusterProvider.TYPE
    PROVIDER = ClusterProvider


class AccessEntryPlugin(ProviderPlugin):
    name = AccessEntryProvider.TYPE
    PROVIDER = AccessEntryProvider


class AddonPlugin(ProviderPlugin):
    name = AddonProvider.TYPE
    PROVIDER = AddonProvider


class WorkGroupPlugin(ProviderPlugin):
    name = WorkGroupProvider.TYPE
    PROVIDER = WorkGroupProvider


class GlueDatabasePlugin(ProviderPlugin):
    name = GlueDatabaseProvider.TYPE
    PROVIDER = GlueDatabaseProvider


class GlueTablePlugin(ProviderPlugin):
    name = GlueTableProvider.TYPE
    PROVIDER = GlueTableProvider
