/** The largest payload that the branch of the context can come to, against what a state may hold. */
import jsonata from "jsonata";
import { expect, test } from "vitest";
import * as z from "zod";
import { workflowNamed } from "./definition.ts";

const LIMIT_BYTES = 256 * 1024;

const Task = z.object({ Output: z.string(), Arguments: z.unknown() });
const { states } = workflowNamed("contain");

function stateNamed(name: string) {
  return Task.parse(states.get(name));
}

/** What the state's Output makes of an answer. */
function outputOf(name: string, input: object, result: object): Promise<unknown> {
  const expression = jsonata(stateNamed(name).Output.replace(/^\{%|%\}$/g, ""));
  expression.registerFunction("parse", (json: string) => JSON.parse(json));
  return expression.evaluate({}, { states: { input, result } });
}

const LONG = "x".repeat(20_000);
const bytes = (value: unknown) => Buffer.byteLength(JSON.stringify(value));

const maxResults = (name: string) =>
  z.object({ MaxResults: z.number() }).parse(stateNamed(name).Arguments).MaxResults;

const EVENT = {
  ...{ EventId: "e".repeat(36), EventName: "n".repeat(100), EventTime: "t".repeat(32) },
  ...{
    EventSource: "s".repeat(60),
    Username: LONG,
    ReadOnly: "false",
    AccessKeyId: "a".repeat(20),
  },
  CloudTrailEvent: JSON.stringify({
    userIdentity: { arn: LONG, sessionContext: LONG },
    ...{ sourceIPAddress: LONG, userAgent: LONG, errorCode: "c".repeat(100) },
    requestParameters: LONG,
  }),
};
const FINDING = {
  ...{ Id: "i".repeat(32), Type: "t".repeat(100), Severity: 8.5, Title: LONG, Description: LONG },
  ...{ CreatedAt: "c".repeat(24), UpdatedAt: "u".repeat(24) },
  Resource: {
    ResourceType: "EKSCluster",
    KubernetesDetails: {
      KubernetesWorkloadDetails: {
        ...{ Name: "n".repeat(253), Namespace: "n".repeat(63), Type: "pods" },
      },
    },
    Rest: LONG,
  },
  Service: { Archived: false, Count: 1, AdditionalInfo: LONG },
};
const CELL = { Field: "responseStatus.code", Value: LONG };

test("what is kept of AWS's answers is a fraction of what a state may hold", async () => {
  const item = { about: "cluster", value: "c".repeat(100) };
  const events = { Events: Array.from({ length: maxResults("LookUpEvents") }, () => EVENT) };
  const findings = { Findings: Array.from({ length: maxResults("ListFindings") }, () => FINDING) };
  const row = Array.from({ length: 8 }, (_, at) => ({ ...CELL, Field: `${CELL.Field}${at}` }));
  const lines = { Status: "Complete", Results: Array.from({ length: 30 }, () => row) };
  const started = { aws: { auditLog: { queryId: "q".repeat(36), asked: 9 } } };

  const trail = await outputOf("LookUpEvents", item, events);
  const found = await outputOf("GetFindings", item, findings);
  const audit = await outputOf("GetAuditLines", started, lines);

  // Of cluster, node and role.
  const kept = 3 * bytes(trail) + 3 * bytes(found) + bytes(audit);
  expect(bytes(trail)).toBeGreaterThan(5_000); // it did evaluate
  expect(bytes(found)).toBeGreaterThan(2_000);
  expect(bytes(audit)).toBeGreaterThan(20_000);
  expect(kept).toBeLessThan(LIMIT_BYTES / 2);
});
