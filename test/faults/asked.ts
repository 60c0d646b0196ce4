/** What a function asks of the world, as the proxies see it: who asks, of which service, what for. */
import type { IncomingHttpHeaders } from "node:http";
import type { StateName } from "../../functions/contract.ts";

export type Service = "kubernetes" | "s3" | "ec2" | "eks" | "events" | "sts";

/** One request. */
export interface Asked {
  readonly state: StateName;
  /** Name of the execution for which the function works. */
  readonly execution: string;
  readonly service: Service;
  /** True when it changes something. */
  readonly write: boolean;
  /** The same in every run: `s3 PUT policy.json`, `kubernetes PATCH pods`, `ec2 CreateSnapshots`. */
  readonly label: string;
}

interface Received {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** `eks-containment/<version> (<state>; <execution>)`, at the end of the product's user agent. */
const PRODUCT = /eks-containment\/\S+ \((?<state>\w+); (?<execution>[^)]+)\)$/;
/** Services whose answers fail alike are one. */
const SERVICE_OF: Readonly<Record<string, Service>> = {
  ...{ s3: "s3", ec2: "ec2", autoscaling: "ec2", eks: "eks", events: "events" },
};

/** Null when it is not one of the product's functions that asks, or a service without faults. */
export function askedBy(to: "kubernetes" | "aws", received: Received): Asked | null {
  const { state, execution } = PRODUCT.exec(received.headers["user-agent"] ?? "")?.groups ?? {};
  if (state === undefined || execution === undefined) return null;
  const who = { state: state as StateName, execution: decodeURIComponent(execution) };
  if (to === "kubernetes") return { ...who, ...ofKubernetes(received) };
  const scope = /Credential=[^/]+\/\d+\/[^/]+\/(?<service>[^/]+)\//;
  const signedFor = scope.exec(received.headers.authorization ?? "")?.groups?.service ?? "";
  const service = SERVICE_OF[signedFor];
  if (service === undefined) return null;
  return { ...who, service, ...(service === "s3" ? ofS3(received) : ofApi(service, received)) };
}

type What = Pick<Asked, "write" | "label">;

function ofKubernetes({ method, url }: Received): What & { readonly service: "kubernetes" } {
  const path = new URL(url, "https://cluster").pathname;
  const [, resource = path] =
    /^\/apis?\/(?:[^/]+\/)?v\w+\/(?:namespaces\/[^/]+\/)?([^/]+)/.exec(path) ?? [];
  const onlyAsks = /^selfsubject/.test(resource);
  const label = `kubernetes ${method} ${resource}`;
  return { service: "kubernetes", write: method !== "GET" && !onlyAsks, label };
}

function ofS3({ method, url }: Received): What {
  const { pathname, searchParams } = new URL(url, "http://s3");
  const key = decodeURIComponent(pathname.split("/").slice(2).join("/"));
  const name = key.startsWith("runs/") ? key.slice(key.lastIndexOf("/") + 1) : key.split("/")[0];
  const what = searchParams.has("versions") ? "versions" : name;
  return { write: method === "PUT" || method === "DELETE", label: `s3 ${method} ${what}` };
}

/** EC2 and Auto Scaling say the action in the form, EventBridge in a header, EKS in the path. */
function ofApi(service: Service, { method, url, headers, body }: Received): What {
  const target = String(headers["x-amz-target"] ?? "")
    .split(".")
    .at(-1);
  const action = target || new URLSearchParams(body.toString("utf8")).get("Action");
  const reads = action === null ? method === "GET" : /^Describe/.test(action);
  return { write: !reads, label: `${service} ${action ?? `${method} ${url.split("/")[1]}`}` };
}
