"""Judge calls by the policies of their roles, as AWS does.

Upstream can enforce IAM (``IAM_ENFORCEMENT=1``), but

- takes every call of Step Functions, EventBridge and Pipes for one of LocalEmu's own, although
  they are made with sessions of the roles that these were given: here those sessions are judged;
- guesses: an operation that it does not know becomes an action of the same name on a resource
  whose ARN ends in ``*``. Its guesses deny what AWS allows (PutEvents on a named bus,
  DescribeCluster, CreateSnapshots) and judge one resource where AWS judges several: here
  ``operations`` lists what is known, and all else is denied;
- knows no condition keys of services, compares names of keys with their case, fails a negated
  condition whose key is absent, which AWS passes, so that a Deny unless the request comes from
  somewhere would deny nothing, and passes one if any of its values differs: see ``conditions``;
- reads ``[`` in a pattern as the start of a set: see ``patterns``;
- takes a role for every service that may assume it, lets an account as principal grant, overlooks
  roles as principals, and denies in session policies: see ``policies``.

The code of an error is that of the service, as an SDK expects it. Signatures are not verified: an
access key and a session token are believed.
"""

from localemu.services.iam_enforcement.enforcer import IAMEnforcementHandler

from .callers import remember_networks_of_functions, renew_sessions_of_services
from .enforcement import enforce


def apply() -> None:
    remember_networks_of_functions()
    renew_sessions_of_services()
    IAMEnforcementHandler.__call__ = enforce
