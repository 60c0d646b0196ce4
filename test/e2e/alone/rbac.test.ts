/** What the real authorizer grants to our groups, against what the code declares. Alone: all that is granted counts. */
import {
  DescribeAccessEntryCommand,
  EKSClient,
  ListAccessEntriesCommand,
} from "@aws-sdk/client-eks";
import { GetFunctionConfigurationCommand, LambdaClient } from "@aws-sdk/client-lambda";
import {
  AppsV1Api,
  AuthorizationV1Api,
  FlowcontrolApiserverV1Api,
  setHeaderOptions,
  type V1ResourceRule,
} from "@kubernetes/client-node";
import { beforeAll, describe, expect, test } from "vitest";
import { describePermission, rightsOf } from "../../../core/cluster/rights.ts";
import { CALICO_AGENT, SYSTEM_NAMESPACE } from "../../../core/kubernetes.ts";
import { CLUSTER_STATES, groupsOf, READERS } from "../../../kubernetes/groups.ts";
import { PRIORITY } from "../../../kubernetes/priority.ts";
import { MEMBERS } from "../../../kubernetes/rbac.ts";
import { waitFor } from "../../../local/wait.ts";
import { askCluster, aws, core, functionName, kubeconfig, stage } from "../harness.ts";
import { asResponder, template } from "../quarantine.ts";

const authorization = kubeconfig.makeApiClient(AuthorizationV1Api);
/** A namespace of which nothing is known: what is granted there is granted in all. */
const ANYWHERE = "some-team";

/** What somebody may do in a namespace whose only group of ours is this one, in words, sorted. */
async function grantedIn(namespace: string, group: string): Promise<readonly string[]> {
  const asMember = setHeaderOptions(
    "Impersonate-Group",
    group,
    setHeaderOptions("Impersonate-User", "somebody"),
  );
  const { status } = await authorization.createSelfSubjectRulesReview(
    { body: { spec: { namespace } } },
    asMember,
  );
  expect(status?.evaluationError).toBeUndefined();
  return [...new Set((status?.resourceRules ?? []).flatMap(inWords))].toSorted();
}

function inWords({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames = [],
}: V1ResourceRule): readonly string[] {
  const names = resourceNames.length > 0 ? resourceNames.map((name) => ` named ${name}`) : [""];
  return verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        names.map((name) => `${verb} ${resource}${group && `.${group}`}${name}`),
      ),
    ),
  );
}

describe("the real authorizer", () => {
  /** Granted to everybody whom the cluster knows. */
  let everybody: readonly string[];

  beforeAll(async () => {
    everybody = await grantedIn(ANYWHERE, "nobody-of-ours");
  });

  test("lets everybody ask about himself, and nothing else of what we list", () => {
    expect(everybody).toEqual([
      "create selfsubjectaccessreviews.authorization.k8s.io",
      "create selfsubjectreviews.authentication.k8s.io",
      "create selfsubjectrulesreviews.authorization.k8s.io",
    ]);
  });

  test.each(MEMBERS.map(({ group, needs }) => [group, needs] as const))(
    "grants %s what its code declares: nothing is missing, and nothing more is there",
    async (group, needs) => {
      const declared = (namespace: string) =>
        rightsOf(needs)
          .filter((right) => (right.namespace ?? namespace) === namespace)
          .map(({ namespace: _, ...right }) => describePermission(right));

      for (const namespace of [ANYWHERE, SYSTEM_NAMESPACE]) {
        const expected = [...new Set([...declared(namespace), ...everybody])].toSorted();
        expect(await grantedIn(namespace, group), namespace).toEqual(expected);
      }
    },
  );
});

describe("the API server's queues", () => {
  const flows = kubeconfig.makeApiClient(FlowcontrolApiserverV1Api);

  /** UID of the flow schema that a request of a member of the group falls under. */
  async function flowSchemaOf(group: string): Promise<unknown> {
    const headers = { "Impersonate-User": "somebody", "Impersonate-Group": group };
    const response = await askCluster("/apis", { headers });
    response.resume();
    return response.headers["x-kubernetes-pf-flowschema-uid"];
  }

  test("keep one for the functions of the product, and for nobody else", async () => {
    const ours = await flows.readFlowSchema({ name: PRIORITY });
    const uid = ours.metadata?.uid ?? expect.fail("it has no UID");

    for (const { group } of MEMBERS) {
      const found = await flowSchemaOf(group);
      expect(found, group).toBeDefined();
      expect(found === uid, group).toBe(group !== READERS);
    }
    expect(await flowSchemaOf("nobody-of-ours")).not.toBe(uid);
    const { status } = await flows.readFlowSchemaStatus({ name: PRIORITY });
    expect(status?.conditions).toContainEqual(
      expect.objectContaining({ type: "Dangling", status: "False" }), // its priority level is there
    );
  });
});

describe("the access entries of the deployed functions", () => {
  const eks = new EKSClient(aws);
  const lambda = new LambdaClient(aws);
  const clusterName = stage.clusterName;

  test.each(CLUSTER_STATES)("make %s a member of its groups and of no others", async (state) => {
    const FunctionName = functionName(state);
    const { Role } = await lambda.send(new GetFunctionConfigurationCommand({ FunctionName }));

    const { accessEntry } = await eks.send(
      new DescribeAccessEntryCommand({ clusterName, principalArn: Role }),
    );

    expect(accessEntry).toMatchObject({ type: "STANDARD", kubernetesGroups: groupsOf(state) });
  });

  test("are all there are, beside those of people who look and of the bastion, which is in no group", async () => {
    const { accessEntries = [] } = await eks.send(new ListAccessEntriesCommand({ clusterName }));
    const groups = await Promise.all(
      accessEntries.map(async (principalArn) => {
        const found = await eks.send(new DescribeAccessEntryCommand({ clusterName, principalArn }));
        return found.accessEntry?.kubernetesGroups ?? [];
      }),
    );

    const expected = [[], [READERS], ...CLUSTER_STATES.map(groupsOf)];
    expect(groups.map(String).toSorted()).toEqual(expected.map(String).toSorted());
  });
});

test("Calico's agent is found in the namespace of its operator, and nothing else there", async () => {
  const apps = kubeconfig.makeApiClient(AppsV1Api);
  const reader = (await asResponder())("SnapshotAfter");
  const { namespace, name } = CALICO_AGENT;
  expect(await reader.calicoAgent()).toBeNull();

  await core.createNamespace({ body: { metadata: { name: namespace } } });
  try {
    const labels = { "k8s-app": name };
    await apps.createNamespacedDaemonSet({
      namespace,
      body: {
        metadata: { name },
        spec: { selector: { matchLabels: labels }, template: template(labels) },
      },
    });

    expect(await reader.calicoAgent()).toMatchObject({ metadata: { name } });
    const get = (of: string) =>
      ({ verb: "get", group: "apps", resource: "daemonsets", name: of }) as const;
    const others = [get("calico-typha")];
    expect(await reader.missing([get(name), ...others], namespace)).toEqual(others);
  } finally {
    await core.deleteNamespace({ name: namespace });
    await waitFor({ what: `${namespace} to be gone`, limitMs: 60_000 }, async () => {
      const { items } = await core.listNamespace();
      return items.some(({ metadata }) => metadata?.name === namespace) ? undefined : true;
    });
  }
});
