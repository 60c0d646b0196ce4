/** The columns of the matrix: what can go wrong, in the words of the service that says so. */

import type { Service } from "./asked.ts";
import type { Deed } from "./laid-faults.ts";

/**
 * - `transient`: waiting helps; a state must outlast one that is brief.
 * - `permanent`: waiting does not help, a person must: the state must not wait.
 * - `untrue`: the service denies what is there.
 */
export type FaultKind = "transient" | "permanent" | "untrue";

export interface FaultColumn {
  readonly name: string;
  readonly kind: FaultKind;
  readonly service: Service;
  readonly does: Deed;
}

const JSON_TYPE = { "content-type": "application/json" };
const XML_TYPE = { "content-type": "application/xml" };
/** What the product must wait for, in seconds, before it asks again. */
export const RETRY_AFTER_SECONDS = 4;

function kubernetesStatus(code: number, reason: string, headers = {}): Deed {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" };
  const body = JSON.stringify({ ...status, message: `fault: ${reason}`, reason, code });
  return { kind: "answer", status: code, headers: { ...JSON_TYPE, ...headers }, body };
}

function s3Error(status: number, code: string): Deed {
  const body = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>fault</Message><RequestId>fault</RequestId></Error>`;
  return { kind: "answer", status, headers: XML_TYPE, body };
}

/** As EC2 and Auto Scaling both understand it. */
function ec2Error(status: number, code: string): Deed {
  const error = `<Error><Type>Sender</Type><Code>${code}</Code><Message>fault</Message></Error>`;
  const body = `<?xml version="1.0" encoding="UTF-8"?><Response><Errors>${error}</Errors>${error}<RequestID>fault</RequestID></Response>`;
  return { kind: "answer", status, headers: XML_TYPE, body };
}

function jsonError(status: number, code: string): Deed {
  const headers = { "content-type": "application/x-amz-json-1.1", "x-amzn-errortype": code };
  const body = JSON.stringify({ __type: code, message: "fault" });
  return { kind: "answer", status, headers, body };
}

const KUBERNETES: readonly (readonly [string, FaultKind, Deed])[] = [
  ["401", "transient", kubernetesStatus(401, "Unauthorized")],
  ["403", "permanent", kubernetesStatus(403, "Forbidden")],
  ["404", "untrue", kubernetesStatus(404, "NotFound")],
  ["409", "transient", kubernetesStatus(409, "Conflict")],
  ["410", "transient", kubernetesStatus(410, "Expired")],
  ["422", "permanent", kubernetesStatus(422, "Invalid")],
  [
    "429",
    "transient",
    kubernetesStatus(429, "TooManyRequests", { "retry-after": String(RETRY_AFTER_SECONDS) }),
  ],
  ["500", "transient", kubernetesStatus(500, "InternalError")],
  ["503", "transient", kubernetesStatus(503, "ServiceUnavailable")],
  ["reset", "transient", { kind: "reset" }],
  ["slow", "transient", { kind: "silence" }],
  ["half-an-answer", "transient", { kind: "half" }],
];

const S3: readonly (readonly [string, FaultKind, Deed])[] = [
  ["denied", "permanent", s3Error(403, "AccessDenied")],
  ["slow", "transient", { kind: "silence" }],
  ["412", "transient", s3Error(412, "PreconditionFailed")],
  ["409", "transient", s3Error(409, "ConditionalRequestConflict")],
  ["503", "transient", s3Error(503, "SlowDown")],
];

const EC2: readonly (readonly [string, FaultKind, Deed])[] = [
  ["throttled", "transient", ec2Error(503, "RequestLimitExceeded")],
  ["denied", "permanent", ec2Error(403, "UnauthorizedOperation")],
  ["not-found", "untrue", ec2Error(400, "InvalidInstanceID.NotFound")],
];

const EKS: readonly (readonly [string, FaultKind, Deed])[] = [
  ["throttled", "transient", jsonError(429, "TooManyRequestsException")],
  ["denied", "permanent", jsonError(403, "AccessDeniedException")],
  ["not-found", "untrue", jsonError(404, "ResourceNotFoundException")],
];

const EVENTS: readonly (readonly [string, FaultKind, Deed])[] = [
  ["throttled", "transient", jsonError(400, "ThrottlingException")],
  ["denied", "permanent", jsonError(400, "AccessDeniedException")],
];

/** API servers verify tokens with STS: without it nobody is known. */
const STS: readonly (readonly [string, FaultKind, Deed])[] = [
  ["unreachable", "transient", { kind: "reset" }],
];

export const COLUMNS: readonly FaultColumn[] = Object.entries({
  ...{ kubernetes: KUBERNETES, s3: S3, ec2: EC2, eks: EKS, events: EVENTS, sts: STS },
}).flatMap(([service, faults]) =>
  faults.map(([name, kind, does]) => ({
    ...{ name: `${service}-${name}`, kind, does, service: service as Service },
  })),
);
