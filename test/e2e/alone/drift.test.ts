/** What somebody changed by hand in the deployed stage, and `containment doctor` finds. */
import {
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateRouteCommand,
  DeleteRouteCommand,
  DescribeRouteTablesCommand,
} from "@aws-sdk/client-ec2";
import {
  CreateAccessEntryCommand,
  DeleteAccessEntryCommand,
  DescribeClusterCommand,
  UpdateAccessEntryCommand,
} from "@aws-sdk/client-eks";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Finding } from "../../../core/readiness/finding.ts";
import { aws, functionName, rbac, stage, turnKillSwitch } from "../harness.ts";
import { EC2, EKS, type Operator, operator } from "../operator.ts";

const { clusterName } = stage;
const account = "arn:aws:iam::000000000000";
const looks = "doctor-looks";
let engineer: Operator;

/** Whoever works here may look into the cluster's rights, as an administrator of it may. */
beforeAll(async () => {
  engineer = await operator();
  const apiGroup = "rbac.authorization.k8s.io";
  const resources = ["clusterroles", "clusterrolebindings", "roles", "rolebindings"];
  await rbac.createClusterRole({
    body: {
      metadata: { name: looks },
      rules: [
        { apiGroups: [apiGroup], resources, verbs: ["get"] },
        {
          apiGroups: ["flowcontrol.apiserver.k8s.io"],
          resources: ["flowschemas", "prioritylevelconfigurations"],
          verbs: ["get"],
        },
      ],
    },
  });
  await rbac.createClusterRoleBinding({
    body: {
      metadata: { name: looks },
      roleRef: { apiGroup, kind: "ClusterRole", name: looks },
      subjects: [{ apiGroup, kind: "User", name: `${account}:root` }],
    },
  });
});
afterAll(async () => {
  await rbac.deleteClusterRoleBinding({ name: looks });
  await rbac.deleteClusterRole({ name: looks });
  await engineer.leave();
});

async function doctor(): Promise<{ code: number; findings: readonly Finding[] }> {
  const { code, out, err } = await engineer.containment("doctor", "--json");
  if (err !== "") throw new Error(err);
  return { code, findings: JSON.parse(out).findings };
}

/** What the doctor says between a change and its undoing, beyond ok. */
async function changed(
  change: () => Promise<unknown>,
  undo: () => Promise<unknown>,
): Promise<readonly Finding[]> {
  await change();
  try {
    return (await doctor()).findings.filter(({ outcome }) => outcome !== "ok");
  } finally {
    await undo();
  }
}

const commandsOf = (finding: Finding | undefined) =>
  finding && "remedy" in finding ? finding.remedy.commands : [];

test("a stage as it was deployed is ok in every check", async () => {
  const { code, findings } = await doctor();

  expect(findings.filter(({ outcome }) => outcome !== "ok")).toEqual([]);
  expect(code).toBe(0);
  const checks = new Set(findings.map(({ check }) => check));
  for (const check of [
    "stack",
    "access-entry",
    "cluster-rights",
    "kill-switch",
    "brake",
    "object-lock",
  ]) {
    expect(checks).toContain(check);
  }
});

test("whoever may not look at the cluster's rights is told that they are not known", async () => {
  const binding = await rbac.readClusterRoleBinding({ name: looks });
  const { metadata, ...rest } = binding;

  const findings = await changed(
    () => rbac.deleteClusterRoleBinding({ name: looks }),
    () =>
      rbac.createClusterRoleBinding({
        body: { ...rest, metadata: { name: metadata?.name ?? "" } },
      }),
  );

  expect(findings).toEqual([
    expect.objectContaining({
      ...{ check: "cluster-rights", outcome: "unknown" },
      saw: expect.stringContaining("needs get clusterroles"),
    }),
  ]);
});

test("a deleted access entry is found, with the command that makes it again", async () => {
  const principalArn = `${account}:role/${functionName("ApplyPolicy")}`;
  const key = { clusterName, principalArn };
  const kubernetesGroups = ["containment-apply-policy"];

  const [gone, ...others] = await changed(
    () => EKS.send(new DeleteAccessEntryCommand(key)),
    () => EKS.send(new CreateAccessEntryCommand({ ...key, kubernetesGroups, type: "STANDARD" })),
  );
  const [moved] = await changed(
    () => EKS.send(new UpdateAccessEntryCommand({ ...key, kubernetesGroups: ["their-admins"] })),
    () => EKS.send(new UpdateAccessEntryCommand({ ...key, kubernetesGroups })),
  );

  expect(others).toEqual([]);
  expect(gone).toMatchObject({ check: "access-entry", outcome: "wrong", severity: "breaks" });
  expect(commandsOf(gone)).toEqual([
    `aws eks create-access-entry --cluster-name ${clusterName} --principal-arn ${principalArn} --kubernetes-groups containment-apply-policy --type STANDARD --region ${aws.region}`,
  ]);
  expect(moved?.saw).toBe("it is not in containment-apply-policy; it was put into their-admins");
});

test("a right that was taken away or added in the cluster is found", async () => {
  const name = "containment-apply-policy";
  const role = await rbac.readClusterRole({ name });
  const { rules = [] } = role;
  const withRules = async (changedRules: typeof rules) => {
    const { metadata } = await rbac.readClusterRole({ name });
    await rbac.replaceClusterRole({
      name,
      body: { ...role, ...(metadata && { metadata }), rules: changedRules },
    });
  };
  const secrets = { apiGroups: [""], resources: ["secrets"], verbs: ["get"] };

  const less = await changed(
    () => withRules(rules.slice(1)),
    () => withRules(rules),
  );
  const more = await changed(
    () => withRules([...rules, secrets]),
    () => withRules(rules),
  );

  expect(less).toEqual([
    expect.objectContaining({
      subject: `ClusterRole ${name}`,
      outcome: "wrong",
      severity: "breaks",
    }),
  ]);
  expect(more).toEqual([
    expect.objectContaining({
      saw: "it gives more than it should: get secrets",
      severity: "weakens",
    }),
  ]);
  expect(commandsOf(more[0])).toEqual(["kubectl apply --filename kubernetes/rbac.yaml"]);
});

test("an engaged kill switch is found", async () => {
  const findings = await changed(
    () => turnKillSwitch("engaged"),
    () => turnKillSwitch("released"),
  );

  expect(findings).toEqual([
    expect.objectContaining({ check: "kill-switch", saw: "engaged: every run is an audit" }),
  ]);
});

test("a way to the internet that somebody made in the stage's own network is found", async () => {
  const { cluster } = await EKS.send(new DescribeClusterCommand({ name: clusterName }));
  const { vpcId = "", subnetIds = [] } = cluster?.resourcesVpcConfig ?? {};
  const Filters = [{ Name: "association.subnet-id", Values: subnetIds.slice(0, 1) }];
  const { RouteTables = [] } = await EC2.send(new DescribeRouteTablesCommand({ Filters }));
  const gateway = await EC2.send(new CreateInternetGatewayCommand({}));
  const GatewayId = gateway.InternetGateway?.InternetGatewayId;
  await EC2.send(new AttachInternetGatewayCommand({ VpcId: vpcId, InternetGatewayId: GatewayId }));
  const route = {
    RouteTableId: RouteTables[0]?.RouteTableId,
    DestinationCidrBlock: "0.0.0.0/0",
  };

  const findings = await changed(
    () => EC2.send(new CreateRouteCommand({ ...route, GatewayId })),
    () => EC2.send(new DeleteRouteCommand(route)),
  );

  expect(findings).toEqual([
    expect.objectContaining({ check: "no-way-out", subject: `subnet ${subnetIds[0]}` }),
  ]);
  expect(findings[0]?.saw).toContain(`0.0.0.0/0 to ${GatewayId}`);
});
