import type { Addon, EksCluster } from "./account.ts";
import { type ClusterPlace, subjectOf } from "./cluster.ts";
import { awsIn, json } from "./commands.ts";
import { about, type Finding, type Observed } from "./finding.ts";

export const CNI_ADDON = "vpc-cni";

/** ClusterNetworkPolicy, which no other policy can undo, came with it (ADR 0010). */
const ADMIN_TIER_MINOR = 21;

/**
 * Whether the AWS VPC CNI enforces policies, as far as its add-on tells. Any other CNI is recognised
 * in the cluster, by the playbook, and is not known here.
 */
export function cniFindings(
  place: ClusterPlace,
  observedCluster: Observed<EksCluster | null>,
  observed: Observed<Addon | null>,
): readonly Finding[] {
  const policy = about("network-policy", subjectOf(place.name), "weakens");
  if (observedCluster.kind === "unseen") return [policy.hidden(observedCluster)];
  const cluster = observedCluster.value;
  if (cluster === null) return [];
  if (cluster.autoMode) {
    return [
      policy.unknown(
        "EKS Auto Mode runs the CNI itself, and says nothing of it here",
        "Look for enable-network-policy-controller: true in the cluster.",
        "kubectl --namespace kube-system get configmap amazon-vpc-cni --output yaml",
      ),
    ];
  }
  if (observed.kind === "unseen") return [policy.hidden(observed)];
  const addon = observed.value;
  if (addon === null) {
    return [
      policy.unknown(
        `the cluster has no add-on ${CNI_ADDON}: its CNI was installed in another way`,
        "Cilium and Calico are used as they are found. A VPC CNI of your own must run with network policy on: ENABLE_NETWORK_POLICY in its DaemonSet, and a container aws-network-policy-agent.",
        "kubectl --namespace kube-system get daemonset aws-node cilium calico-node --ignore-not-found --output wide",
      ),
    ];
  }
  return [networkPolicy(place, addon), adminTier(place, cluster, addon)];
}

function networkPolicy({ name, region }: ClusterPlace, addon: Addon): Finding {
  const { ok, wrong } = about("network-policy", subjectOf(name), "weakens");
  const aws = awsIn(region);
  if (addon.status !== "ACTIVE") {
    return wrong(
      `the add-on ${CNI_ADDON} is ${addon.status}, not ACTIVE`,
      "What it enforces is not certain until it is. Its health says why:",
      aws(
        `eks describe-addon --cluster-name ${name} --addon-name ${CNI_ADDON} --query addon.health`,
      ),
    );
  }
  const on = addon.configuration?.enableNetworkPolicy;
  if (on === "true" || on === true) return ok(`on, by the add-on ${CNI_ADDON} ${addon.version}`);
  return wrong(
    `off in the add-on ${CNI_ADDON}: policies are stored and nothing enforces them, every verdict will be notEnforceable`,
    "Turn it on; the nodes' agents restart one by one. Policies that were without effect until now take effect, so look at them first.",
    "kubectl get networkpolicies --all-namespaces",
    aws(updateAddon(name, addon)),
  );
}

function adminTier(place: ClusterPlace, cluster: EksCluster, addon: Addon): Finding {
  const { name, region } = place;
  const { ok, wrong, unknown } = about("admin-tier", subjectOf(name), "weakens");
  const [, major, minor] = /^v(\d+)\.(\d+)\./.exec(addon.version ?? "") ?? [];
  if (major === undefined || minor === undefined) {
    return unknown(
      `the add-on ${CNI_ADDON} gives its version as ${addon.version}`,
      `ClusterNetworkPolicy is in 1.${ADMIN_TIER_MINOR} and newer.`,
    );
  }
  if (Number(major) > 1 || Number(minor) >= ADMIN_TIER_MINOR) {
    return ok(`${addon.version} has ClusterNetworkPolicy`);
  }
  const newest = `aws eks describe-addon-versions --addon-name ${CNI_ADDON} --kubernetes-version ${cluster.version} --query 'addons[0].addonVersions[0].addonVersion' --output text --region ${region}`;
  return wrong(
    `${addon.version} has no ClusterNetworkPolicy: a policy that allows the pod anything opens its quarantine`,
    `Update the add-on to 1.${ADMIN_TIER_MINOR} or newer.`,
    awsIn(region)(`${updateAddon(name, addon)} --addon-version "$(${newest})"`),
  );
}

/** The configuration replaces the one there is, so it is written out whole. */
function updateAddon(clusterName: string, { configuration }: Addon): string {
  const values = json({ ...configuration, enableNetworkPolicy: "true" });
  return `eks update-addon --cluster-name ${clusterName} --addon-name ${CNI_ADDON} --resolve-conflicts PRESERVE --configuration-values ${values}`;
}
