/** What the deployed roles may do, and what they may not, as the emulated IAM judges it. */
import { randomUUID } from "node:crypto";
import { ListObjectVersionsCommand, type ObjectVersion } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  absorbedKey,
  artefactKey,
  caseKey,
  failureKey,
  joinedAlertKey,
  openCaseKey,
  runPrefix,
  runRecordKey,
} from "../../core/evidence/keys.ts";
import type { RunResult } from "../../core/evidence/record-run.ts";
import { STATES, type StateName } from "../../functions/contract.ts";
import { terminalShellAlert } from "../../local/falco.ts";
import type { ScenePod } from "../../local/scene.ts";
import {
  deployment,
  endOf,
  openShop,
  raiseAlert,
  resultOf,
  s3,
  sendBody,
  stage,
  store,
  verify,
  victimOf,
} from "./harness.ts";
import { type Answer, type Call, type Intruder, intruderIn } from "./intruder.ts";

const Bucket = deployment.evidenceBucket;
const LATER = new Date(Date.now() + 60_000).toISOString();

let victim: ScenePod;
let result: RunResult;
/** Every version that the run left in the bucket. */
let evidence: readonly ObjectVersion[];
/** The key of an alert that was ignored. */
let ignored: string;
/** The key of a containment that the circuit breaker counted. */
let begun: string;
let snapshotId: string;

beforeAll(async () => {
  const shop = await openShop("intruded");
  victim = victimOf(shop);
  const { id } = await raiseAlert(shop.namespace, victim);
  result = resultOf(await endOf(id));
  evidence = await versionsOf(runPrefix(result.case.runId));
  const volumes = await store.read<{ snapshots: { snapshotId: string }[] }>(key("volumes.json"));
  snapshotId = volumes?.document.snapshots[0]?.snapshotId ?? "";

  const uuid = randomUUID();
  const host = await terminalShellAlert({ ...victim, namespace: "x", pod: "x" }, undefined, uuid);
  await sendBody(host.replace(/"container.id":"[^"]*"/, '"container.id":"host"'));
  for (const at of [joinedAlertKey(result.case.id, "x"), absorbedKey(result.case.id, "c-x")]) {
    await store.putOnce(at, {});
  }
  ignored = ((await endOf(uuid)).output as { evidence: { key: string } }).evidence.key;
  begun = (await store.list(`brakes/${stage.clusterName}/`, 1))[0]?.key ?? "";
});

async function versionsOf(Prefix: string): Promise<readonly ObjectVersion[]> {
  const { Versions = [], DeleteMarkers = [] } = await s3.send(
    new ListObjectVersionsCommand({ Bucket, Prefix }),
  );
  return [...Versions, ...DeleteMarkers];
}

function key(name: Parameters<typeof artefactKey>[1]): string {
  return artefactKey(result.case.runId, name);
}

function onS3(command: string, input: Record<string, unknown>): Call {
  return { sdk: "s3", client: "S3Client", command, input: { Bucket, ...input } };
}

function onEc2(command: string, input: Record<string, unknown> = {}): Call {
  return { sdk: "ec2", client: "EC2Client", command, input };
}

function onEks(command: string, input: Record<string, unknown>): Call {
  return { sdk: "eks", client: "EKSClient", command, input };
}

/** Whether policies let the call pass. What failed for another reason than a policy throws. */
function mayPass(what: string, { name, message }: Answer): boolean {
  // Nothing is there to be overwritten, deleted or found, or it is there already: the call was let.
  const passed = ["ok", "PreconditionFailed", "NoSuchKey", "ResourceNotFoundException"];
  if (passed.includes(name)) return true;
  const refused = /is not authorized to perform: .* (because no|with an explicit deny)/;
  if (refused.test(message)) return false;
  throw new Error(`${what}: ${name}: ${message}`);
}

/** The calls that pass, of those that are tried. */
async function passing(
  intruder: Intruder,
  calls: Readonly<Record<string, Call>>,
): Promise<readonly string[]> {
  const answers = await intruder.answersTo(Object.values(calls));
  return Object.keys(calls).filter((what, index) => {
    const answer = answers[index];
    if (!answer) throw new Error(`${what}: no answer`);
    return mayPass(what, answer);
  });
}

/** Everything that could change or remove evidence, or what protects it. */
function attacks(RoleName: string): Record<string, Call> {
  const plan = key("plan.json");
  const VersionId = evidence.find(({ Key }) => Key === plan)?.VersionId;
  const Retention = { Mode: "GOVERNANCE", RetainUntilDate: LATER };
  const bypass = { BypassGovernanceRetention: true };
  const everybody = { Effect: "Allow", Principal: "*", Action: "s3:*", Resource: "*" };
  const version = { Key: plan, VersionId };
  return {
    overwrite: onS3("PutObjectCommand", { Key: plan, Body: "{}" }),
    "overwrite in parts": onS3("CreateMultipartUploadCommand", { Key: plan }),
    "overwrite by a copy": onS3("CopyObjectCommand", {
      Key: plan,
      CopySource: `${Bucket}/${key("alert.json")}`,
    }),
    "hide by a delete marker": onS3("DeleteObjectCommand", { Key: plan }),
    "delete a version": onS3("DeleteObjectCommand", version),
    "delete a version past its retention": onS3("DeleteObjectCommand", { ...version, ...bypass }),
    "delete many": onS3("DeleteObjectsCommand", { Delete: { Objects: [version] }, ...bypass }),
    "shorten the retention": onS3("PutObjectRetentionCommand", {
      ...version,
      Retention,
      ...bypass,
    }),
    "lift a legal hold": onS3("PutObjectLegalHoldCommand", {
      ...version,
      LegalHold: { Status: "OFF" },
    }),
    "open the bucket": onS3("PutBucketPolicyCommand", {
      Policy: JSON.stringify({ Version: "2012-10-17", Statement: everybody }),
    }),
    "take the bucket's policy away": onS3("DeleteBucketPolicyCommand", {}),
    "end the lock": onS3("PutObjectLockConfigurationCommand", {
      ObjectLockConfiguration: { ObjectLockEnabled: "Enabled" },
    }),
    "end versioning": onS3("PutBucketVersioningCommand", {
      VersioningConfiguration: { Status: "Suspended" },
    }),
    "let evidence expire": onS3("PutBucketLifecycleConfigurationCommand", {
      LifecycleConfiguration: {
        Rules: [{ Status: "Enabled", Filter: { Prefix: "" }, Expiration: { Days: 1 } }],
      },
    }),
    "delete a snapshot": onEc2("DeleteSnapshotCommand", { SnapshotId: snapshotId }),
    "give a snapshot to another account": onEc2("ModifySnapshotAttributeCommand", {
      SnapshotId: snapshotId,
      Attribute: "createVolumePermission",
      OperationType: "add",
      UserIds: ["999999999999"],
    }),
    "rename a snapshot's case": onEc2("CreateTagsCommand", {
      Resources: [snapshotId],
      Tags: [{ Key: "CaseID", Value: "none" }],
    }),
    "end the node": onEc2("TerminateInstancesCommand", { InstanceIds: [victim.instanceId] }),
    "enter the cluster as administrator": onEks("CreateAccessEntryCommand", {
      clusterName: stage.clusterName,
      principalArn: "arn:aws:iam::000000000000:role/intruder",
    }),
    "give itself more rights": {
      sdk: "iam",
      client: "IAMClient",
      command: "PutRolePolicyCommand",
      input: {
        RoleName,
        PolicyName: "more",
        PolicyDocument: JSON.stringify({ Version: "2012-10-17", Statement: everybody }),
      },
    },
  };
}

/** The states of the workflow that looks at open cases again. */
const LOOKING_AGAIN = ["ReverifyCase", "ReapplyPolicy"] as const;

/** A drain is a run of the case as well, and is sealed likewise. */
const SEALING = ["RecordRun", "RecordDrain"] as const;

type Writers = StateName | readonly StateName[];

/** What lies in the bucket, by the states that write it and those that go on from it. */
const ARTEFACTS: readonly (readonly [string, () => string, Writers, readonly StateName[]])[] = [
  [
    "the marker",
    () => openCaseKey(result.target),
    ["OpenCase", "ApplyPolicy"],
    ["RecordRun", ...LOOKING_AGAIN],
  ],
  ["a joined alert", () => joinedAlertKey(result.case.id, "x"), ["OpenCase", "ApplyPolicy"], []],
  ["an absorbed case", () => absorbedKey(result.case.id, "c-x"), ["OpenCase", "ApplyPolicy"], []],
  ["the case", () => caseKey(result.case.id), "OpenCase", ["RecordFailure"]],
  ["a number of the circuit breaker", () => begun, "OpenCase", []],
  ["a failure", () => failureKey(result.case.id, "none", 0), "RecordFailure", []],
  ["an ignored alert", () => ignored, "RecordIgnored", []],
  ["alert.json", () => key("alert.json"), "OpenCase", ["ApplyPolicy"]],
  ["authentication.json", () => key("authentication.json"), "Authenticate", []],
  [
    "before.json",
    () => key("before.json"),
    "SnapshotBefore",
    ["CaptureContext", "PreviewCredentials"],
  ],
  [
    "plan.json",
    () => key("plan.json"),
    "ApplyPolicy",
    ["CompletePolicy", "SnapshotAfter", "RecordFailure", "DrainNode", ...LOOKING_AGAIN],
  ],
  [
    "policy.json",
    () => key("policy.json"),
    "ApplyPolicy",
    ["SnapshotAfter", "RecordFailure", "ReverifyCase"],
  ],
  [
    "completion.json",
    () => key("completion.json"),
    "CompletePolicy",
    ["SnapshotAfter", "RecordFailure", ...LOOKING_AGAIN],
  ],
  [
    "preservation-plan.json",
    () => key("preservation-plan.json"),
    "PreserveNode",
    ["ReverifyCase", "DrainNode"],
  ],
  ["preservation.json", () => key("preservation.json"), "PreserveNode", ["ReverifyCase"]],
  ["node.json", () => key("node.json"), "SnapshotNodeEbs", []],
  ["volumes.json", () => key("volumes.json"), "SnapshotNodeEbs", []],
  ["snapshots.json", () => key("snapshots.json"), "FollowSnapshots", []],
  ["context.json", () => key("context.json"), "CaptureContext", []],
  ["credentials.json", () => key("credentials.json"), "PreviewCredentials", []],
  ["aws-context.json", () => key("aws-context.json"), "RecordContext", []],
  ["after.json", () => key("after.json"), "SnapshotAfter", ["RecordFailure", "ReverifyCase"]],
  ["containment.json", () => key("containment.json"), "RecordRun", []],
  ["manifest.json", () => key("manifest.json"), SEALING, ["RecordFailure"]],
  [
    "the run's record",
    () => runRecordKey(result.case.id, result.case.runId),
    SEALING,
    ["ReverifyCase"],
  ],
];

function writesIt(writers: Writers, state: StateName): boolean {
  return [writers].flat().includes(state);
}

function putEvents(EventBusName: string, Source: string, DetailType: string): Call {
  const Entries = [{ EventBusName, Source, DetailType, Detail: "{}" }];
  return {
    sdk: "eventbridge",
    client: "EventBridgeClient",
    command: "PutEventsCommand",
    input: { Entries },
  };
}

/** S3 tells them that a key is not there, instead of denying that they may know. */
const LISTING: readonly StateName[] = [
  ...(["OpenCase", "ApplyPolicy", "CompletePolicy", "PreserveNode"] as const),
  ...(["CaptureContext", "PreviewCredentials", "SnapshotAfter", "RecordRun"] as const),
  ...(["ListOpenCases", "RecordFailure", ...LOOKING_AGAIN] as const),
  ...(["DrainNode", "RecordDrain"] as const),
];

/** Calls of other kinds, and the states that may make them. */
const CALLS: readonly (readonly [string, () => Call, readonly StateName[]])[] = [
  [
    "describe the cluster",
    () => onEks("DescribeClusterCommand", { name: stage.clusterName }),
    ["Authenticate", "ListOpenCases", "DrainNode"],
  ],
  ["describe another cluster", () => onEks("DescribeClusterCommand", { name: "another" }), []],
  ["list the clusters", () => onEks("ListClustersCommand", {}), []],
  [
    "describe instances",
    () => onEc2("DescribeInstancesCommand"),
    ["PreserveNode", "SnapshotNodeEbs", "PreviewCredentials"],
  ],
  [
    "describe snapshots",
    () => onEc2("DescribeSnapshotsCommand"),
    ["SnapshotNodeEbs", "FollowSnapshots"],
  ],
  [
    "take the node's termination protection away",
    () =>
      onEc2("ModifyInstanceAttributeCommand", {
        InstanceId: victim.instanceId,
        DisableApiTermination: { Value: false },
      }),
    [],
  ],
  ["describe volumes", () => onEc2("DescribeVolumesCommand"), []],
  ["list the evidence", () => onS3("ListObjectsV2Command", {}), LISTING],
  ["list all versions", () => onS3("ListObjectVersionsCommand", {}), []],
  [
    "list the versions of a run",
    () => onS3("ListObjectVersionsCommand", { Prefix: runPrefix(result.case.runId) }),
    SEALING,
  ],
  [
    "read a version of an artefact",
    () => {
      const { Key, VersionId } = evidence[0] ?? {};
      return onS3("GetObjectCommand", { Key, VersionId });
    },
    SEALING,
  ],
  ["list all buckets", () => onS3("ListBucketsCommand", {}), []],
  [
    "free a marker that it saw",
    () => onS3("DeleteObjectCommand", { Key: "open/none.json", IfMatch: '"its ETag"' }),
    ["OpenCase", "ApplyPolicy", "RecordRun"],
  ],
  ["free a marker unseen", () => onS3("DeleteObjectCommand", { Key: "open/none.json" }), []],
  [
    "announce on the product's bus",
    () => putEvents(deployment.busName, "eks-containment", "Containment Completed"),
    ["RecordRun"],
  ],
  [
    "ask for a forensic copy",
    () => putEvents(deployment.busName, "eks-containment", "Forensic Copy Requested"),
    ["SnapshotNodeEbs"],
  ],
  [
    "say that a snapshot was shared",
    () => putEvents(deployment.busName, "eks-containment", "Snapshot Shared"),
    [],
  ],
  [
    "forge a request on the product's bus",
    () => putEvents(deployment.busName, "demo.containment", "PodContainmentRequested"),
    [],
  ],
  [
    "put an event on the account's bus",
    () => putEvents("default", "eks-containment", "Containment Completed"),
    [],
  ],
];

describe.each(STATES)("whoever takes %s over", (state) => {
  let intruder: Intruder;

  beforeAll(async () => {
    intruder = await intruderIn(state);
  });
  afterAll(() => intruder.leave());

  test("changes no evidence, and nothing that protects it", async () => {
    expect(await passing(intruder, attacks(intruder.roleName))).toEqual([]);

    expect(await versionsOf(runPrefix(result.case.runId))).toEqual(evidence);
    expect(await verify(result.case.runId)).toMatchObject({ verified: true, problems: [] });
  });

  test("writes only what the state writes, and never again", async () => {
    const body = { Body: "{}", IfNoneMatch: "*" };
    const calls = ARTEFACTS.map(([what, at]): [string, Call] => [
      what,
      onS3("PutObjectCommand", { Key: at(), ...body }),
    ]);
    const own = ARTEFACTS.filter(([, , writer]) => writesIt(writer, state));

    expect(await passing(intruder, Object.fromEntries(calls))).toEqual(own.map(([what]) => what));
  });

  test("reads only what the state goes on from", async () => {
    const calls = ARTEFACTS.map(([what, at]): [string, Call] => [
      what,
      onS3("GetObjectCommand", { Key: at() }),
    ]);
    const readable = ARTEFACTS.filter(
      ([, , writer, readers]) => writesIt(writer, state) || readers.includes(state),
    );

    expect(await passing(intruder, Object.fromEntries(calls))).toEqual(
      readable.map(([what]) => what),
    );
  });

  test("learns and does nothing else", async () => {
    const calls = CALLS.map(([what, call]): [string, Call] => [what, call()]);
    const granted = CALLS.filter(([, , states]) => states.includes(state));

    expect(await passing(intruder, Object.fromEntries(calls))).toEqual(
      granted.map(([what]) => what),
    );
  });
});
