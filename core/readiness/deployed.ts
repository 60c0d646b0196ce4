import { begunPrefix, type CircuitBreakerSettings } from "../brakes/circuit-breaker.ts";
import { KILL_SWITCH } from "../brakes/kill-switch.ts";
import type { MaintenanceWindow } from "../brakes/maintenance-window.ts";
import { type Standing, standingBrakes } from "../brakes/standing.ts";
import type { ListedKey } from "../evidence/store.ts";
import { subjectOf } from "./cluster.ts";
import { awsIn, json } from "./commands.ts";
import { about, type Finding, type Observed } from "./finding.ts";

/*
 * What has to be true of a stage that is deployed: somebody may have deleted or changed by hand what
 * CloudFormation still believes to be there.
 */

/** The stacks without which a stage contains nothing. */
export const ESSENTIAL_STACKS = ["evidence", "playbook", "detection"] as const;

export function killSwitchName(stage: string): string {
  return `/eks-containment/${stage}/kill-switch`;
}

export interface Stack {
  /** Without app and stage, as `playbook`. */
  readonly name: string;
  /** As CloudFormation says it, e.g. UPDATE_COMPLETE. */
  readonly status: string;
  readonly outputs: Readonly<Record<string, string>>;
}

/** An access entry as a stack made it. */
export interface GrantedEntry {
  readonly principalArn: string;
  readonly groups: readonly string[];
}

export interface ObjectLock {
  /** GOVERNANCE or COMPLIANCE. */
  readonly mode: string;
  readonly days: number;
}

/** What can be looked at of a stage that is deployed. */
export interface DeployedStage {
  stacks(): Promise<Observed<readonly Stack[]>>;
  /** Entries of type STANDARD that the stacks of the stage made in a cluster. */
  grantedEntries(clusterName: string): Promise<Observed<readonly GrantedEntry[]>>;
  /** The groups of an access entry as it is now; null when it is gone. */
  groupsOf(clusterName: string, principalArn: string): Promise<Observed<readonly string[] | null>>;
  /** Null when there is no parameter of that name. */
  parameter(name: string): Promise<Observed<string | null>>;
  /** The first keys under a prefix, in the order of their names. */
  keys(bucket: string, prefix: string, limit: number): Promise<Observed<readonly ListedKey[]>>;
  /** Null when the bucket has no default retention. */
  objectLock(bucket: string): Promise<Observed<ObjectLock | null>>;
}

export interface DeployedPlace {
  readonly stage: string;
  readonly region: string;
  readonly cluster: { readonly name: string };
  readonly evidence: { readonly lock: "governance" | "compliance"; readonly retentionDays: number };
  readonly response: {
    readonly maintenanceWindows: readonly MaintenanceWindow[];
    readonly circuitBreaker: CircuitBreakerSettings;
  };
}

export interface DeployedObservation {
  readonly stacks: readonly Stack[];
  readonly entries: Observed<readonly ObservedEntry[]>;
  readonly killSwitch: Observed<string | null>;
  readonly brakes: readonly Standing[];
  readonly bucket: string | null;
  readonly objectLock: Observed<ObjectLock | null>;
}

interface ObservedEntry extends GrantedEntry {
  readonly now: Observed<readonly string[] | null>;
}

/** The evidence bucket of a stage, from its stacks' outputs; null when there is none. */
export function bucketOf(stacks: readonly Stack[]): string | null {
  return stacks.find(({ name }) => name === "evidence")?.outputs.EvidenceBucket ?? null;
}

/** Looks at everything that `deployedFindings` judges. Changes nothing. */
export async function observeDeployed(
  { stage, cluster, response }: DeployedPlace,
  stacks: readonly Stack[],
  deployed: DeployedStage,
  now: Date,
): Promise<DeployedObservation> {
  const bucket = bucketOf(stacks);
  const [granted, killSwitch, objectLock, begun] = await Promise.all([
    deployed.grantedEntries(cluster.name),
    deployed.parameter(killSwitchName(stage)),
    bucket === null
      ? { kind: "unseen" as const, why: "the evidence stack names no bucket" }
      : deployed.objectLock(bucket),
    bucket === null
      ? { kind: "unseen" as const, why: "the evidence stack names no bucket" }
      : deployed.keys(bucket, begunPrefix(cluster.name), response.circuitBreaker.targets),
  ]);
  const entries =
    granted.kind === "unseen"
      ? granted
      : {
          kind: "seen" as const,
          value: await Promise.all(
            granted.value.map(async (entry) => ({
              ...entry,
              now: await deployed.groupsOf(cluster.name, entry.principalArn),
            })),
          ),
        };
  const brakes = standingBrakes(response, { killSwitch, begun }, now);
  return { stacks, entries, killSwitch, brakes, bucket, objectLock };
}

export function deployedFindings(
  place: DeployedPlace,
  observed: DeployedObservation,
): readonly Finding[] {
  return [
    ...stackFindings(place, observed.stacks),
    ...entryFindings(place, observed.entries),
    killSwitchFinding(place, observed.killSwitch),
    ...observed.brakes.flatMap((each) => brakeFinding(place, each)),
    objectLockFinding(place, observed),
  ];
}

function stackFindings(
  { stage, region }: DeployedPlace,
  stacks: readonly Stack[],
): readonly Finding[] {
  const names = new Set([...ESSENTIAL_STACKS, ...stacks.map(({ name }) => name)]);
  return [...names].map((name) => {
    const full = `${stage}-eks-containment-${name}`;
    const { ok, wrong } = about("stack", full, "breaks");
    const stack = stacks.find((each) => each.name === name);
    const deploy = `npx sst deploy --stage ${stage}`;
    if (!stack) return wrong("it is not there", "Deploy the stage again.", deploy);
    if (/^(CREATE|UPDATE)_COMPLETE$/.test(stack.status)) return ok(stack.status);
    return wrong(
      `${stack.status}: the last deployment did not end well`,
      "Its events say why. Deploy the stage again when the cause is gone.",
      awsIn(region)(
        `cloudformation describe-stack-events --stack-name ${full} --query 'StackEvents[?ends_with(ResourceStatus, \`FAILED\`)].[LogicalResourceId,ResourceStatusReason]'`,
      ),
      deploy,
    );
  });
}

function entryFindings(
  { region, cluster }: DeployedPlace,
  observed: Observed<readonly ObservedEntry[]>,
): readonly Finding[] {
  if (observed.kind === "unseen") {
    return [about("access-entry", "all functions", "breaks").hidden(observed)];
  }
  return observed.value.map(({ principalArn, groups, now }) => {
    const subject = `${principalArn.split("/").at(-1)} in ${subjectOf(cluster.name)}`;
    const { judge, ok, wrong } = about("access-entry", subject, "breaks");
    const aws = awsIn(region);
    const options = [
      `--cluster-name ${cluster.name} --principal-arn ${principalArn}`,
      ...(groups.length > 0 ? [`--kubernetes-groups ${groups.join(" ")}`] : []),
    ].join(" ");
    return judge(now, (actual) => {
      if (actual === null) {
        return wrong(
          "its access entry is gone: the cluster does not let it in",
          "A deployment does not bring it back. Make it again:",
          aws(`eks create-access-entry ${options} --type STANDARD`),
        );
      }
      const missing = groups.filter((group) => !actual.includes(group));
      const added = actual.filter((group) => !groups.includes(group));
      if (missing.length + added.length === 0) {
        return ok(groups.length > 0 ? `in ${groups.join(", ")}` : "without a group, as deployed");
      }
      return wrong(
        [
          ...(missing.length > 0 ? [`it is not in ${missing.join(", ")}`] : []),
          ...(added.length > 0 ? [`it was put into ${added.join(", ")}`] : []),
        ].join("; "),
        "Give it the groups that it was deployed with:",
        aws(`eks update-access-entry ${options}`),
      );
    });
  });
}

function killSwitchFinding(
  { stage, region }: DeployedPlace,
  observed: Observed<string | null>,
): Finding {
  const name = killSwitchName(stage);
  const { released, engaged } = KILL_SWITCH;
  const { judge, ok, wrong } = about("kill-switch", name, "breaks");
  const release = awsIn(region)(
    `ssm put-parameter --name ${name} --value ${released} --type String --overwrite`,
  );
  return judge(observed, (value) => {
    if (value === released) return ok("released: the stage acts as its settings say");
    if (value === null) {
      return wrong("the parameter is gone: every run fails", "Make it again:", release);
    }
    return wrong(
      value === engaged
        ? "engaged: every run is an audit"
        : `"${value}", which is taken for ${engaged}: every run is an audit`,
      "Whoever engaged it may still need it. To let the stage act again:",
      release,
    );
  });
}

/** The kill switch has a finding of its own. A window that is open is as it was decided. */
function brakeFinding({ stage, cluster }: DeployedPlace, standing: Standing): readonly Finding[] {
  const { brake, holds, says } = standing;
  const { ok, wrong, unknown } = about("brake", `${brake} of ${cluster.name}`, "breaks");
  if (brake === "killSwitch") return [];
  if (holds === null) {
    return [unknown(says, "Make it visible to whoever runs this, and look again.")];
  }
  if (brake !== "circuitBreaker" || !holds) return [ok(says)];
  return [
    wrong(
      says,
      "It ends by itself. Look at what was contained, and contain by hand what has to be:",
      `npx containment runs --stage ${stage}`,
    ),
  ];
}

function objectLockFinding(
  { evidence, region }: DeployedPlace,
  { bucket, objectLock }: DeployedObservation,
): Finding {
  const subject = bucket === null ? "evidence bucket" : `bucket ${bucket}`;
  const { judge, ok, wrong } = about("object-lock", subject, "weakens");
  const [mode, days] = [evidence.lock.toUpperCase(), evidence.retentionDays];
  const configuration = json({
    ObjectLockEnabled: "Enabled",
    Rule: { DefaultRetention: { Mode: mode, Days: days } },
  });
  const lock = awsIn(region)(
    `s3api put-object-lock-configuration --bucket ${bucket} --object-lock-configuration ${configuration}`,
  );
  return judge(objectLock, (found) => {
    if (found === null) {
      return wrong("new evidence is not locked: it can be deleted", "Lock it by default:", lock);
    }
    const saw = `${found.mode}, ${found.days} days`;
    if (found.mode === mode && found.days === days) return ok(saw);
    return wrong(
      `${saw}; the settings say ${mode}, ${days} days`,
      "What is locked already keeps its time. For what comes:",
      lock,
    );
  });
}
