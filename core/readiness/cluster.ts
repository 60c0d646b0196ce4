import type { EksCluster } from "./account.ts";
import { awsIn, json } from "./commands.ts";
import { about, type Finding, type Observed } from "./finding.ts";

/** SelfSubjectReview, with which the product checks who it is, is in the API from here on. */
const OLDEST_MINOR = 28;
/** What the tests run against. */
const TESTED_MINOR = 35;

/** Where a cluster is looked for. */
export interface ClusterPlace {
  readonly name: string;
  readonly region: string;
}

type Check = (cluster: EksCluster, place: ClusterPlace) => Finding;

const CHECKS: readonly Check[] = [
  active,
  authenticationMode,
  privateEndpoint,
  publicEndpoint,
  kubernetesVersion,
  envelopeEncryption,
  auditLog,
];

/**
 * What has to be true of a cluster itself. One that is not there is one finding; one that could not
 * be looked at is as unknown in every check.
 */
export function clusterFindings(
  place: ClusterPlace,
  observed: Observed<EksCluster | null>,
): readonly Finding[] {
  const { name, region } = place;
  const { judge, ok, wrong } = about("cluster-exists", subjectOf(name), "stops");
  const exists = judge(observed, (cluster) =>
    cluster === null
      ? wrong(
          `EKS knows no such cluster in ${region}, in the account of these credentials`,
          "Correct cluster.existing.name and region in stages.ts, or use credentials of its account. These clusters are there:",
          awsIn(region)("eks list-clusters"),
        )
      : ok(`it is there, in ${region}`),
  );
  if (observed.kind === "unseen" || observed.value === null) return [exists];
  const cluster = observed.value;
  return [exists, ...CHECKS.map((check) => check(cluster, place))];
}

export function subjectOf(clusterName: string): string {
  return `cluster ${clusterName}`;
}

function active({ name, status }: EksCluster, { region }: ClusterPlace): Finding {
  const { ok, wrong, unknown } = about("cluster-active", subjectOf(name), "stops");
  if (status === null) return unknown("EKS gives no status", "Look again in a minute.");
  if (status === "ACTIVE") return ok("ACTIVE");
  return wrong(
    `its status is ${status}`,
    "Wait until it is ACTIVE; access entries cannot be added before.",
    awsIn(region)(`eks wait cluster-active --name ${name}`),
  );
}

function authenticationMode(cluster: EksCluster, { region }: ClusterPlace): Finding {
  const { name, authenticationMode: mode } = cluster;
  const { ok, wrong, unknown } = about("authentication-mode", subjectOf(name), "stops");
  const aws = awsIn(region);
  if (mode === null) {
    return unknown(
      "EKS gives no authentication mode",
      "It must include API: the functions enter through access entries.",
      aws(`eks describe-cluster --name ${name} --query cluster.accessConfig`),
    );
  }
  if (mode === "API" || mode === "API_AND_CONFIG_MAP") return ok(mode);
  return wrong(
    `${mode}: only the aws-auth ConfigMap lets anybody in`,
    "The functions enter through access entries. Add the API; the ConfigMap stays valid, and the step cannot be taken back.",
    aws(
      `eks update-cluster-config --name ${name} --access-config authenticationMode=API_AND_CONFIG_MAP`,
    ),
  );
}

function privateEndpoint(cluster: EksCluster, { region }: ClusterPlace): Finding {
  const { name, privateEndpoint: on } = cluster;
  const { ok, wrong, unknown } = about("private-endpoint", subjectOf(name), "stops");
  const aws = awsIn(region);
  if (on === null) {
    return unknown(
      "EKS does not say whether there is one",
      "There must be: the functions have no way out of the VPC.",
      aws(`eks describe-cluster --name ${name} --query cluster.resourcesVpcConfig`),
    );
  }
  if (on) return ok("the API server is reached inside the VPC");
  return wrong(
    "the API server is reached from the internet only",
    "The functions have no way out of the VPC. Give it a private endpoint as well.",
    aws(
      `eks update-cluster-config --name ${name} --resources-vpc-config endpointPrivateAccess=true`,
    ),
  );
}

function publicEndpoint(cluster: EksCluster, { region }: ClusterPlace): Finding {
  const { name, publicEndpoint: on, publicRanges } = cluster;
  const { ok, wrong, unknown } = about("public-endpoint", subjectOf(name), "weakens");
  const aws = awsIn(region);
  if (on === null) {
    return unknown(
      "EKS does not say whether there is one",
      "The product needs none.",
      aws(`eks describe-cluster --name ${name} --query cluster.resourcesVpcConfig`),
    );
  }
  if (!on) return ok("the API server is not on the internet");
  return wrong(
    `the API server is on the internet, open to ${publicRanges.join(", ") || "everybody"}`,
    "The product does not need that; a stolen token can be used from there. If nobody else needs it:",
    aws(
      `eks update-cluster-config --name ${name} --resources-vpc-config endpointPublicAccess=false,endpointPrivateAccess=true`,
    ),
  );
}

function kubernetesVersion({ name, version }: EksCluster, { region }: ClusterPlace): Finding {
  const { ok, wrong, unknown } = about("kubernetes-version", subjectOf(name), "stops");
  const tested = `1.${TESTED_MINOR}`;
  const minor = /^1\.(\d+)$/.exec(version ?? "")?.[1];
  if (minor === undefined) {
    return unknown(`EKS gives the version as ${version}`, `The product was tested with ${tested}.`);
  }
  if (Number(minor) < OLDEST_MINOR) {
    return wrong(
      `${version} has no SelfSubjectReview, with which the product checks who it is`,
      `Upgrade to 1.${OLDEST_MINOR} or newer, one minor version at a time.`,
      awsIn(region)(
        `eks update-cluster-version --name ${name} --kubernetes-version 1.${Number(minor) + 1}`,
      ),
    );
  }
  if (Number(minor) > TESTED_MINOR) {
    return unknown(
      `${version} is newer than ${tested}, with which the product was tested`,
      "Let the stage audit until you have seen its plans and verdicts there (response.mode in stages.ts).",
    );
  }
  return ok(`${version}; ${tested} is what was tested`);
}

function envelopeEncryption(cluster: EksCluster, { region }: ClusterPlace): Finding {
  const { name, keyArn, version } = cluster;
  const { ok, wrong, unknown } = about("envelope-encryption", subjectOf(name), "weakens");
  if (keyArn !== null) return ok(`with your key ${keyArn}`);
  const minor = /^1\.(\d+)$/.exec(version ?? "")?.[1];
  const advice = "A KMS key of yours can be audited and taken away. It cannot be changed later.";
  const command = awsIn(region)(
    `eks associate-encryption-config --cluster-name ${name} --encryption-config '[{"resources":["secrets"],"provider":{"keyArn":"<ARN of your key>"}}]'`,
  );
  if (minor === undefined) return unknown("EKS names no key and no version", advice, command);
  // Since March 2025 EKS encrypts all API data of these versions, with a key of its own.
  if (Number(minor) >= 28) return ok("with a key that AWS owns, as EKS does by default");
  return wrong("secrets lie in etcd without a key around them", advice, command);
}

function auditLog({ name, logs }: EksCluster, { region }: ClusterPlace): Finding {
  const { ok, wrong } = about("audit-log", subjectOf(name), "weakens");
  if (logs.includes("audit")) return ok("the API server's audit log is on");
  const logging = { clusterLogging: [{ types: ["audit"], enabled: true }] };
  return wrong(
    "the API server's audit log is off: what an attacker asked of it leaves no trace",
    "Turn it on; CloudWatch charges for what is ingested.",
    awsIn(region)(`eks update-cluster-config --name ${name} --logging ${json(logging)}`),
  );
}
