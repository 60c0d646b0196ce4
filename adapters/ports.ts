import { setTimeout } from "node:timers/promises";
import type { ClusterAccess, Clusters } from "../core/cluster/authenticate.ts";
import type { Identities } from "../core/credentials/preview-credentials.ts";
import type { Announcements } from "../core/evidence/record-run.ts";
import type { EvidenceStore } from "../core/evidence/store.ts";
import type { Kubernetes } from "../core/kubernetes.ts";
import type { Copies } from "../core/node/copy-snapshot.ts";
import type { Instances } from "../core/node/instances.ts";
import type { Volumes } from "../core/node/volumes.ts";
import { CLIENT_SETTINGS } from "./aws/client.ts";
import { ec2Instances } from "./aws/ec2-instances.ts";
import { ec2Volumes } from "./aws/ec2-volumes.ts";
import { eksClusters } from "./aws/eks-clusters.ts";
import { eventBus } from "./aws/event-bus.ts";
import { evidenceBucket } from "./aws/evidence-bucket.ts";
import { awsIdentities } from "./aws/identities.ts";
import { snapshotCopies as copiesIn } from "./aws/snapshot-copies.ts";
import * as environment from "./environment.ts";
import { msLeft, writer } from "./invocation.ts";
import { kubernetesApi } from "./kubernetes/api.ts";
import { patientTransport } from "./kubernetes/patience.ts";
import { lambdaCredentials, tokenSource } from "./kubernetes/token.ts";
import { httpsTransport } from "./kubernetes/transport.ts";

/*
 * The ports of core/ on real parts, configured from a function's environment. A function calls only
 * those that it needs, so that its bundle carries no other client.
 */

export const now = (): Date => new Date();

export function evidenceStore(): EvidenceStore {
  return evidenceBucket(environment.evidenceBucket(), CLIENT_SETTINGS, writer);
}

export function clusters(): Clusters {
  return eksClusters(CLIENT_SETTINGS);
}

export function volumes(): Volumes {
  return ec2Volumes(CLIENT_SETTINGS);
}

export function snapshotCopies(): Copies {
  return copiesIn(CLIENT_SETTINGS, environment.copyKeyArn());
}

export function identities(): Identities {
  // No workflow tries again what is missing of these; throttled they come a little later.
  return awsIdentities({ ...CLIENT_SETTINGS, maxAttempts: 4 });
}

export function instances(): Instances {
  return ec2Instances(CLIENT_SETTINGS);
}

export function announcements(): Announcements {
  return eventBus(environment.eventBus(), CLIENT_SETTINGS);
}

const connections = new Map<string, Kubernetes>();

/** The API of a cluster; one connection pool and one token per cold start, not per invocation. */
export function connect(cluster: ClusterAccess): Kubernetes {
  const id = `${cluster.endpoint} ${cluster.certificateAuthority}`;
  const known = connections.get(id);
  if (known) return known;
  const token = tokenSource(cluster.name, {
    region: environment.region(),
    credentials: lambdaCredentials,
    now,
  });
  const made = kubernetesApi(
    patientTransport(httpsTransport(cluster, token), { msLeft, wait: setTimeout, now: Date.now }),
  );
  connections.set(id, made);
  return made;
}
