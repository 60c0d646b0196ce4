/**
 * A run whose snapshots another account in another region is given, and what that account does with
 * them. The stage is the deployed one. Of the forensic stage, whose stacks are not deployed here, the
 * code runs against that account's EC2, with the rights that its function is deployed with.
 */
import {
  DescribeLockedSnapshotsCommand,
  DescribeSnapshotsCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import {
  CreateEventBusCommand,
  EventBridgeClient,
  PutRuleCommand,
  PutTargetsCommand,
} from "@aws-sdk/client-eventbridge";
import {
  CreateAccessKeyCommand,
  CreateUserCommand,
  IAMClient,
  PutUserPolicyCommand,
} from "@aws-sdk/client-iam";
import {
  CreateQueueCommand,
  GetQueueAttributesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { beforeAll, expect, test } from "vitest";
import * as z from "zod";
import { ec2Volumes } from "../../adapters/aws/ec2-volumes.ts";
import { copyStatements, snapshotCopies } from "../../adapters/aws/snapshot-copies.ts";
import { artefactKey } from "../../core/evidence/keys.ts";
import type { VolumesArtefact } from "../../core/evidence/schemas/preservation.ts";
import { copySnapshot, type SharedSnapshot } from "../../core/node/copy-snapshot.ts";
import { forensicCredentials } from "../../local/environment.ts";
import { waitFor } from "../../local/wait.ts";
import { namesThere } from "../../stacks/forensic-names.ts";
import { settingsFor } from "../../stages.ts";
import { aws, endOf, openShop, raiseAlert, resultOf, store, victimOf } from "./harness.ts";

const { forensicCopy } = settingsFor("local").preservation;
if (!forensicCopy) throw new Error("the local stage names no forensic account");
const { accountId, region } = forensicCopy;
const { busArn } = namesThere(forensicCopy, { partition: "aws", appName: "eks-containment" });
const there = { ...aws, region, credentials: forensicCredentials };
const ec2 = new EC2Client(aws);
const ec2There = new EC2Client(there);
const sqsThere = new SQSClient(there);

const Event = z.object({
  account: z.string(),
  region: z.string(),
  detail: z.object({
    snapshotId: z.string(),
    volumeId: z.string(),
    tags: z.record(z.string(), z.string()),
  }),
});

/** The bus of the forensic stage, and a queue that hears what comes. */
async function listenThere(): Promise<string> {
  const events = new EventBridgeClient(there);
  const EventBusName = busArn.split("/").at(-1) ?? "";
  const { QueueUrl = "" } = await sqsThere.send(new CreateQueueCommand({ QueueName: "shared" }));
  const { Attributes } = await sqsThere.send(
    new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }),
  );
  const Arn = Attributes?.QueueArn ?? "";
  const allowed = { Effect: "Allow", Principal: { Service: "events.amazonaws.com" } };
  const Statement = { ...allowed, Action: "sqs:SendMessage", Resource: Arn };
  const Policy = JSON.stringify({ Version: "2012-10-17", Statement });
  await sqsThere.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy } }));
  await events.send(new CreateEventBusCommand({ Name: EventBusName }));
  const EventPattern = JSON.stringify({ "detail-type": ["Snapshot Shared"] });
  await events.send(new PutRuleCommand({ EventBusName, Name: "shared", EventPattern }));
  const Targets = [{ Id: "queue", Arn }];
  await events.send(new PutTargetsCommand({ EventBusName, Rule: "shared", Targets }));
  return QueueUrl;
}

/** Somebody in the forensic account who may do what its function may. */
async function copierThere(keyArn: string) {
  const iam = new IAMClient(there);
  const UserName = "copier";
  const sources = ["000000000000"];
  const Statement = copyStatements({ partition: "aws", region, keyArn, sources }).map(
    ({ actions, resources, conditions }) => ({
      ...{ Effect: "Allow", Action: actions, Resource: resources },
      ...(conditions && { Condition: conditions }),
    }),
  );
  await iam.send(new CreateUserCommand({ UserName }));
  const PolicyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  await iam.send(new PutUserPolicyCommand({ UserName, PolicyName: "copy", PolicyDocument }));
  const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
  const { AccessKeyId = "", SecretAccessKey = "" } = AccessKey ?? {};
  return {
    ...there,
    credentials: { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey },
  };
}

let caseId: string;
let volumes: VolumesArtefact;
/** What arrived at the forensic account about this case, by snapshot. */
const shared = new Map<string, SharedSnapshot>();

beforeAll(async () => {
  const QueueUrl = await listenThere();
  const shop = await openShop("copied");
  const { id } = await raiseAlert(shop.namespace, victimOf(shop));
  const result = resultOf(await endOf(id));
  caseId = result.case.id;
  const stored = await store.read<VolumesArtefact>(artefactKey(result.case.runId, "volumes.json"));
  if (!stored) throw new Error("the run wrote no volumes.json");
  volumes = stored.document;
  const askedFor = volumes.forensicCopy?.askedFor ?? [];
  await waitFor({ what: "events in the forensic account", limitMs: 60_000 }, async () => {
    const { Messages = [] } = await sqsThere.send(
      new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 10 }),
    );
    for (const { Body = "" } of Messages) {
      const { detail, ...from } = Event.parse(JSON.parse(Body));
      if (detail.tags.CaseID === caseId) shared.set(detail.snapshotId, { ...from, ...detail });
    }
    return shared.size === askedFor.length || undefined;
  });
});

test("every snapshot of the run is asked for and shared, and its tag and the event say so", async () => {
  const ids = volumes.snapshots.map(({ snapshotId }) => snapshotId);
  expect(ids.length).toBeGreaterThan(0);
  expect(volumes.forensicCopy).toEqual({ accountId, region, askedFor: ids });
  expect([...shared.keys()].toSorted()).toEqual(ids.toSorted());

  const tagged = { Name: "tag:ForensicCopy", Values: [`shared with ${accountId}*`] };
  const { Snapshots } = await waitFor({ what: "the tags", limitMs: 30_000 }, async () => {
    const filters = [tagged, { Name: "tag:CaseID", Values: [caseId] }];
    const answer = await ec2.send(new DescribeSnapshotsCommand({ Filters: filters }));
    return answer.Snapshots?.length === ids.length ? answer : undefined;
  });
  expect(Snapshots).toHaveLength(ids.length);
  for (const from of shared.values()) {
    expect(from).toMatchObject({ account: "000000000000", region: aws.region });
    expect(from.tags).toMatchObject({ CaseID: caseId, Reason: "Automated_Containment" });
  }
});

test("the account copies each once, under its own key, locked and tagged with the case", async () => {
  const keyArn = `arn:aws:kms:${region}:${accountId}:key/00000000-0000-0000-0000-000000000001`;
  const copier = await copierThere(keyArn);
  const ports = {
    copies: snapshotCopies(copier, keyArn),
    volumes: ec2Volumes(copier),
    lock: { mode: "governance", retentionDays: 1 } as const,
  };
  for (const from of [...shared.values(), ...shared.values()]) {
    await copySnapshot({ ...from, redrives: 0 }, ports);
  }

  const Filters = [{ Name: "tag:CaseID", Values: [caseId] }];
  const { Snapshots = [] } = await ec2There.send(
    new DescribeSnapshotsCommand({ OwnerIds: ["self"], Filters }),
  );
  expect(Snapshots).toHaveLength(shared.size);
  for (const { Encrypted, KmsKeyId, Tags = [] } of Snapshots) {
    expect({ Encrypted, KmsKeyId }).toEqual({ Encrypted: true, KmsKeyId: keyArn });
    const tags = Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]));
    expect(tags).toMatchObject({ CaseID: caseId, SourceAccount: "000000000000" });
    expect([...shared.keys()]).toContain(tags.SourceSnapshot);
    expect(tags).not.toHaveProperty("ForensicCopy");
  }
  const { Snapshots: locked = [] } = await ec2There.send(
    new DescribeLockedSnapshotsCommand({
      SnapshotIds: Snapshots.map((each) => each.SnapshotId ?? ""),
    }),
  );
  expect(locked.map(({ LockState }) => LockState)).toEqual(Snapshots.map(() => "governance"));
});

test("an account that was not given a snapshot cannot copy it", async () => {
  const [from] = shared.values();
  if (!from) throw new Error("nothing was shared");
  const [{ SnapshotId = "" } = {}] =
    (await ec2There.send(new DescribeSnapshotsCommand({ OwnerIds: ["self"] }))).Snapshots ?? [];

  // The copy is the forensic account's; the attacked one is given nothing of it.
  const back = snapshotCopies(aws, "alias/any");
  await expect(back.begin({ ...from, snapshotId: SnapshotId, region }, {})).rejects.toMatchObject({
    name: "SnapshotRefused",
  });
});
