import type { DeployedPlace } from "./deployed.ts";
import type { ExistingPlace } from "./existing.ts";
import type { NewPlace } from "./new.ts";

/** An interface endpoint that somebody in the VPC calls AWS through. */
export interface NeededEndpoint {
  /** As in `com.amazonaws.<region>.<service>`. */
  readonly service: string;
  readonly callers: readonly string[];
  readonly why: string;
}

/** The name of a service as EC2's endpoints have it. */
export function serviceName(region: string, service: string): string {
  return `com.amazonaws.${region}.${service}`;
}

/** A stage as its settings describe it, and where its cluster comes from. */
export type StagePlace = DeployedPlace &
  (
    | { readonly kind: "existing"; readonly cluster: ExistingPlace }
    | { readonly kind: "create"; readonly cluster: NewPlace }
  );

/** The part of a stage's settings that says where it is. */
interface Settings extends Pick<DeployedPlace, "region" | "evidence" | "response"> {
  readonly cluster:
    | ({ readonly kind: "existing" } & Omit<ExistingPlace, "region" | "endpoints">)
    | ({
        readonly kind: "create";
        readonly nodes: { readonly instanceType: string };
      } & Omit<NewPlace, "stage" | "region" | "instanceType" | "endpoints"> & {
          readonly bastion: boolean;
        });
}

/**
 * Where a stage is, with those of all endpoints that it needs: in a network of others only those of
 * the functions.
 */
export function placeOf(
  stage: string,
  { region, evidence, response, cluster }: Settings,
  all: readonly NeededEndpoint[],
): StagePlace {
  const common = { stage, region, evidence, response };
  const endpointsFor = (...callers: readonly string[]) =>
    all.filter((each) => each.callers.some((caller) => callers.includes(caller)));
  if (cluster.kind === "existing") {
    const endpoints = endpointsFor("functions");
    return { ...common, kind: "existing", cluster: { ...cluster, region, endpoints } };
  }
  const endpoints = endpointsFor("functions", "nodes", ...(cluster.bastion ? ["bastion"] : []));
  const { instanceType } = cluster.nodes;
  const made = { ...cluster, stage, region, instanceType, endpoints };
  return { ...common, kind: "create", cluster: made };
}
