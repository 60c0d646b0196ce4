/** Alone: it takes back what the run did to its node, where runs of other tests have targets too. */
import {
  AutoScalingClient,
  DescribeAutoScalingInstancesCommand,
  SetInstanceProtectionCommand,
} from "@aws-sdk/client-auto-scaling";
import {
  DeleteSnapshotCommand,
  DescribeInstanceAttributeCommand,
  DescribeLockedSnapshotsCommand,
  DescribeSnapshotsCommand,
  EC2Client,
  ModifyInstanceAttributeCommand,
} from "@aws-sdk/client-ec2";
import { EventBridgeClient, PutRuleCommand, PutTargetsCommand } from "@aws-sdk/client-eventbridge";
import { ReceiveMessageCommand } from "@aws-sdk/client-sqs";
import { beforeAll, describe, expect, test } from "vitest";
import type { ExecutionReport } from "../../../adapters/aws/executions.ts";
import { artefactKey, runPrefix } from "../../../core/evidence/keys.ts";
import type { RunResult } from "../../../core/evidence/record-run.ts";
import {
  DO_NOT_DISRUPT,
  type PreservationPlan,
  type ProtectionStep,
  REASON_ANNOTATION,
  SAFE_TO_EVICT,
} from "../../../core/node/preservation-plan.ts";
import { CASE_LABEL } from "../../../core/quarantine/labels.ts";
import type { ScenePod, Shop } from "../../../local/scene.ts";
import { waitFor } from "../../../local/wait.ts";
import {
  artefactsOf,
  aws,
  core,
  deployment,
  endOf,
  networking,
  openInbox,
  openShop,
  raiseAlert,
  resultOf,
  type SentAlert,
  sqs,
  stateNames,
  store,
  verify,
  victimOf,
} from "../harness.ts";

const events = new EventBridgeClient(aws);
const ec2 = new EC2Client(aws);
const autoScaling = new AutoScalingClient(aws);

interface SnapshotsRecord {
  readonly snapshots: readonly { readonly snapshotId: string; readonly state: string }[];
}

/** A queue that hears what the product announces. */
async function listenToAnnouncements(): Promise<string> {
  const { url, arn } = await openInbox("announcements", "events");
  const rule = { EventBusName: deployment.busName, Name: "announcements" };
  const EventPattern = JSON.stringify({ "detail-type": ["Containment Completed"] });
  await events.send(new PutRuleCommand({ ...rule, EventPattern }));
  const Targets = [{ Id: "queue", Arn: arn }];
  await events.send(
    new PutTargetsCommand({ EventBusName: rule.EventBusName, Rule: rule.Name, Targets }),
  );
  return url;
}

describe("a Falco message about a shell in a pod", () => {
  let shop: Shop;
  let victim: ScenePod;
  let announcements: string;
  let alert: SentAlert;
  let execution: ExecutionReport;
  let result: RunResult;

  beforeAll(async () => {
    announcements = await listenToAnnouncements();
    shop = await openShop("happy");
    victim = victimOf(shop);
    alert = await raiseAlert(shop.namespace, victim);
    execution = await endOf(alert.id);
    result = resultOf(execution);
  });

  test("becomes a contained pod, through every state of the playbook", async () => {
    expect(result).toMatchObject({ verdict: "contained", reasons: [], missing: [] });
    expect(result.timeToContainMs).toBeGreaterThan(0);
    const visited = [...new Set(await stateNames(execution.arn))];
    const beside = visited.slice(11, -3); // of branches that run at the same time
    expect([...visited.slice(0, 11), ...beside.toSorted(), ...visited.slice(-3)]).toEqual([
      "Triage",
      "Triaged",
      "CheckKillSwitch",
      "OpenCase",
      "Opened",
      "Authenticate",
      "SnapshotBefore",
      "CheckBeforePolicy",
      "ApplyPolicy",
      "Applied",
      "CompleteAndPreserve",
      ...["AuditLinesRead", "AuditQueryStarted", "BeginContext", "BeginToComplete"],
      ...["CaptureContext", "CheckBeforeNode", "CheckBeforePhase"],
      ...["CompletePolicy", "Completed", "DetectorFound", "FollowSnapshots"],
      ...["GetAuditLines", "ListDetectors", "LookUpCloudTrail", "LookUpEvents", "NoDetector"],
      ...["NodePreserved", "Pending", "PreserveNode", "PreviewCredentials"],
      ...["QuarantineCompleted", "ReadNodeProfile", "RecordContext", "SnapshotNodeEbs"],
      ...["SnapshotsFollowed", "StartAuditQuery", "WaitForCluster", "WaitForSnapshots"],
      "SnapshotAfter",
      "RecordRun",
      "Notify",
    ]);
  });

  test("leaves the pod alive under a deny-all policy of its own case", async () => {
    const pod = await core.readNamespacedPod({ namespace: shop.namespace, name: victim.name });
    const policy = await networking.readNamespacedNetworkPolicy({
      namespace: shop.namespace,
      name: `quarantine-${result.case.id}`,
    });

    expect(pod.metadata?.uid).toBe(victim.uid);
    expect(pod.metadata?.labels?.[CASE_LABEL]).toBe(result.case.id);
    expect(pod.metadata?.labels).not.toHaveProperty("app");
    expect(policy.spec).toEqual({
      podSelector: { matchLabels: { [CASE_LABEL]: result.case.id } },
      policyTypes: ["Ingress", "Egress"],
    });
  });

  test("lets the Deployment start a clean replacement", async () => {
    const replicas = await waitFor({ what: "two checkout pods", limitMs: 20_000 }, async () => {
      const { items } = await core.listNamespacedPod({
        namespace: shop.namespace,
        labelSelector: "app=checkout",
      });
      return items.length === 2 ? items : undefined;
    });

    expect(replicas.map(({ metadata }) => metadata?.uid)).not.toContain(victim.uid);
  });

  test("seals every artefact of the design, and it verifies", async () => {
    expect(await artefactsOf(result.case.runId)).toEqual([
      "after.json",
      "alert.json",
      "authentication.json",
      "aws-context.json",
      "before.json",
      "completion.json",
      "containment.json",
      "context.json",
      "credentials.json",
      "logs-1.json",
      "manifest.json",
      "node.json",
      "plan.json",
      "policy.json",
      "preservation-plan.json",
      "preservation.json",
      "snapshots.json",
      "volumes.json",
    ]);
    expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
  });

  test("keeps the raw message byte for byte, with its integers beyond 2^53", async () => {
    const kept = await store.read<{ event: { detail: { body: string } } }>(
      artefactKey(result.case.runId, "alert.json"),
    );

    expect(kept?.document.event.detail.body).toBe(alert.body);
    expect(alert.body).toMatch(/"evt.time":\d{19}/);
  });

  test("acted as its role, in our groups and no other", async () => {
    const kept = await store.read<{ identity: { username: string; groups: string[] } }>(
      artefactKey(result.case.runId, "authentication.json"),
    );

    expect(kept?.document.identity.username).toContain(":assumed-role/");
    expect(kept?.document.identity.groups.toSorted()).toEqual([
      "containment-apply-policy",
      "containment-authenticate",
      "containment-complete-policy",
      "system:authenticated",
    ]);
  });

  test("snapshots the volumes of its node, tagged with the case", async () => {
    const { Snapshots = [] } = await ec2.send(
      new DescribeSnapshotsCommand({
        Filters: [
          { Name: "tag:CaseID", Values: [result.case.id] },
          { Name: "tag:Reason", Values: ["Automated_Containment"] },
        ],
      }),
    );
    const kept = await store.read<{ volumeIds: string[]; notPreserved: unknown[] }>(
      artefactKey(result.case.runId, "volumes.json"),
    );

    expect(Snapshots.length).toBeGreaterThan(0);
    expect(Snapshots.map(({ VolumeId }) => VolumeId).toSorted()).toEqual(
      kept?.document.volumeIds.toSorted(),
    );
    expect(kept?.document.notPreserved).toEqual([]);
  });

  test("follows its snapshots to their end, locked: nobody can delete them", async () => {
    const kept = await store.read<SnapshotsRecord>(
      artefactKey(result.case.runId, "snapshots.json"),
    );
    const snapshots = kept?.document.snapshots ?? [];
    const SnapshotIds = snapshots.map(({ snapshotId }) => snapshotId);
    const { Snapshots = [] } = await ec2.send(new DescribeLockedSnapshotsCommand({ SnapshotIds }));

    expect(snapshots.map(({ state }) => state)).toEqual(snapshots.map(() => "completed"));
    expect(Snapshots.map(({ SnapshotId, LockState }) => [SnapshotId, LockState])).toEqual(
      expect.arrayContaining(SnapshotIds.map((id) => [id, "governance"])),
    );
    for (const SnapshotId of SnapshotIds) {
      await expect(ec2.send(new DeleteSnapshotCommand({ SnapshotId }))).rejects.toThrow("locked");
    }
  });

  test("keeps the node and its instance, says what it cannot hold back, and all is undone by its plan", async () => {
    const kept = await store.read<PreservationPlan>(
      artefactKey(result.case.runId, "preservation-plan.json"),
    );
    const plan = kept?.document ?? expect.fail("no plan");

    expect(await stateOfNode(victim)).toEqual({
      cordoned: true,
      case: result.case.id,
      reason: expect.stringContaining(`pod ${shop.namespace}/${victim.name} is contained`),
      doNotDisrupt: ["true", "true"],
      safeToEvict: "false",
      terminationProtected: true,
      protectedFromScaleIn: true,
    });
    expect(result.notPreserved).toEqual([
      { what: victim.node, reason: expect.stringContaining("node auto-repair") },
    ]);

    for (const step of plan.steps.toReversed()) await undo(step);

    expect(await stateOfNode(victim)).toEqual({
      ...{ cordoned: false, case: undefined, reason: undefined },
      ...{ doNotDisrupt: [undefined, undefined], safeToEvict: undefined },
      ...{ terminationProtected: false, protectedFromScaleIn: false },
    });
  });

  /** What the preservation of a node changes. */
  async function stateOfNode({ node: name, name: podName, instanceId }: ScenePod) {
    const [node, pod, attribute, scaling] = await Promise.all([
      core.readNode({ name }),
      core.readNamespacedPod({ namespace: shop.namespace, name: podName }),
      ec2.send(
        new DescribeInstanceAttributeCommand({
          InstanceId: instanceId,
          Attribute: "disableApiTermination",
        }),
      ),
      autoScaling.send(new DescribeAutoScalingInstancesCommand({ InstanceIds: [instanceId] })),
    ]);
    const [onNode, onPod] = [node, pod].map(({ metadata }) => metadata?.annotations ?? {});
    return {
      cordoned: node.spec?.unschedulable ?? false,
      case: onNode?.[CASE_LABEL],
      reason: onNode?.[REASON_ANNOTATION],
      doNotDisrupt: [onNode?.[DO_NOT_DISRUPT], onPod?.[DO_NOT_DISRUPT]],
      safeToEvict: onPod?.[SAFE_TO_EVICT],
      terminationProtected: attribute.DisableApiTermination?.Value,
      protectedFromScaleIn: scaling.AutoScalingInstances?.[0]?.ProtectedFromScaleIn,
    };
  }

  async function undo(step: ProtectionStep): Promise<void> {
    if (step.undo.action === "none") return;
    if ("object" in step) {
      if (step.undo.action !== "patch") return;
      const { kind, namespace, name } = step.object;
      const body = step.undo.patch;
      if (kind === "Node") await core.patchNode({ name, body });
      else await core.patchNamespacedPod({ namespace: namespace ?? "", name, body });
    } else if (step.protection === "scaleIn") {
      await autoScaling.send(
        new SetInstanceProtectionCommand({
          AutoScalingGroupName: step.group ?? "",
          InstanceIds: [step.instanceId],
          ProtectedFromScaleIn: false,
        }),
      );
    } else {
      await ec2.send(
        new ModifyInstanceAttributeCommand({
          InstanceId: step.instanceId,
          DisableApiTermination: { Value: false },
        }),
      );
    }
  }

  test("is announced on the bus", async () => {
    const announced = await waitFor({ what: "an announcement", limitMs: 20_000 }, async () => {
      const { Messages = [] } = await sqs.send(
        new ReceiveMessageCommand({ QueueUrl: announcements, WaitTimeSeconds: 1 }),
      );
      return Messages.find(({ Body }) => Body?.includes(result.case.id));
    });

    expect(JSON.parse(announced.Body ?? "")).toMatchObject({
      source: "eks-containment",
      detail: { verdict: "contained", case: result.case },
    });
  });

  test("leaves no token in the state or in the evidence", async () => {
    const objects = await store.inspect(runPrefix(result.case.runId));
    const documents = await Promise.all(objects.map(({ key }) => store.read(key)));
    const text = JSON.stringify([documents, execution.output, execution.input]);

    expect(objects).toHaveLength(18);
    expect(text).not.toMatch(/k8s-aws-v1|X-Amz-Signature|X-Amz-Security-Token/i);
  });
});
