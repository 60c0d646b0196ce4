/**
 * What the AWS VPC CNI's network policy agent keys its state by, within a namespace: the pod's name
 * less its last segment. `checkout-6d8f-x2lqz` and every other replica of its ReplicaSet are
 * `checkout-6d8f`; `db-0`, `db-1` and an unrelated `db-other` are all `db`; a name without a hyphen
 * is its own. Source: `GetPodIdentifier` of aws-network-policy-agent 1.4.1; seen with packets.
 */
export function podIdentifier(name: string): string {
  const cut = name.lastIndexOf("-");
  return cut < 0 ? name : name.slice(0, cut);
}
