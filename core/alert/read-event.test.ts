import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readEvent, readText } from "./read-event.ts";
import type { Reading } from "./reading.ts";

const CLUSTER = "prod-eks-1";
const ARN = `arn:aws:eks:us-east-1:111122223333:cluster/${CLUSTER}`;
const IDENTITY = { name: CLUSTER, arn: ARN };

/** Falcosidekick's body for a system call, with fields replaced. */
function falcoBody(fields: Record<string, unknown> = {}, top: Record<string, unknown> = {}) {
  return {
    uuid: "ee503cc9-57ed-420b-ae54-6c02d1b3744b",
    output: "13:44:05.478445995: Notice A shell was spawned",
    priority: "Notice",
    rule: "Terminal shell in container",
    time: "2026-09-29T13:44:05.478445995Z",
    output_fields: {
      "container.id": "5c0ab5e4f1d3",
      "k8s.ns.name": "payments",
      "k8s.pod.name": "checkout-6d8f7c9b5c-x2lqz",
      ...fields,
    },
    source: "syscall",
    hostname: "ip-10-0-13-27.ec2.internal",
    ...top,
  };
}

function auditBody(fields: Record<string, unknown> = {}) {
  return falcoBody(
    {
      "container.id": null,
      "k8s.ns.name": null,
      "k8s.pod.name": null,
      "ka.resp.name": "priv-shell",
      "ka.target.namespace": "payments",
      "ka.target.resource": "pods",
      ...fields,
    },
    { source: "k8s_audit", rule: "Create Privileged Pod", priority: "Warning" },
  );
}

function finding(change: {
  arn?: string;
  workload?: unknown;
  cluster?: string | null;
  additionalInfo?: unknown;
}) {
  return {
    id: "finding-1",
    type: "Execution:Kubernetes/ExecInKubeSystemPod",
    severity: 8,
    createdAt: "2026-09-29T13:44:05Z",
    resource: {
      eksClusterDetails:
        change.cluster === null
          ? null
          : { name: change.cluster ?? CLUSTER, arn: change.arn ?? ARN },
      kubernetesDetails: {
        kubernetesWorkloadDetails:
          "workload" in change
            ? change.workload
            : { name: "checkout-1", type: "pods", uid: "uid-1", namespace: "payments" },
      },
    },
    service: { eventLastSeen: "2026-09-29T13:44:00Z", additionalInfo: change.additionalInfo ?? {} },
  };
}

function request(detail: Record<string, unknown>, detailType = "NamespaceContainmentRequested") {
  return {
    id: "event-1",
    source: "demo.containment",
    "detail-type": detailType,
    time: "2026-09-29T13:44:05Z",
    detail,
  };
}

function nested(depth: number): unknown {
  let value: unknown = {};
  for (let level = 0; level < depth; level += 1) value = { value };
  return value;
}

const reasonOf = (reading: Reading) => (reading.kind === "detection" ? "" : reading.reason);

describe("a Falco alert", () => {
  test("names the pod, its container and the time that the sensor saw it", () => {
    const reading = readEvent(falcoBody(), IDENTITY);

    expect(reading).toEqual({
      kind: "detection",
      detection: {
        alert: {
          source: "falco",
          id: "ee503cc9-57ed-420b-ae54-6c02d1b3744b",
          rule: "Terminal shell in container",
          severity: "low",
          detectedAt: "2026-09-29T13:44:05.478Z",
        },
        target: {
          cluster: CLUSTER,
          namespace: "payments",
          kind: "pod",
          name: "checkout-6d8f7c9b5c-x2lqz",
          uid: null,
          containerId: "5c0ab5e4f1d3",
        },
      },
    });
  });

  test("of the audit plugin names the pod that was asked for, and no container", () => {
    const reading = readEvent(auditBody(), IDENTITY);

    expect(reading).toMatchObject({
      detection: { target: { namespace: "payments", name: "priv-shell", containerId: null } },
    });
  });

  test("inside the SQS record of a pipe is read from its exact text", () => {
    const body = JSON.stringify(falcoBody()).replace(
      '"source":"syscall"',
      '"source":"syscall","inode":18446744073670260079',
    );
    const event = {
      id: "event-1",
      source: "falco",
      "detail-type": "Falco Alert",
      time: "2026-09-29T13:44:05Z",
      detail: { messageId: "m-1", body },
    };

    expect(readEvent(event, IDENTITY).kind).toBe("detection");
  });

  test.each([
    ["a request by hand", request({ namespace: "payments", reason: "r", mode: "containment" })],
    ["a finding", finding({})],
  ])("is all that the queue may carry: %s in it is unreadable", (_, smuggled) => {
    const event = {
      id: "event-1",
      source: "falco",
      "detail-type": "Falco Alert",
      time: "2026-09-29T13:44:05Z",
      detail: { messageId: "m-1", body: JSON.stringify(smuggled) },
    };

    expect(readEvent(event, IDENTITY).kind).toBe("unreadable");
  });

  test("of 22 KB is read like any other", () => {
    expect(readEvent(falcoBody({ "proc.cmdline": "x".repeat(22_000) }), IDENTITY).kind).toBe(
      "detection",
    );
  });

  test.each([
    ["a null namespace", falcoBody({ "k8s.ns.name": null }), "k8s.ns.name is missing"],
    ["an <NA> pod", falcoBody({ "k8s.pod.name": "<NA>" }), "k8s.pod.name is missing"],
    ["a missing template", falcoBody({ "k8s.ns.name": "<no value>" }), "k8s.ns.name is missing"],
    ["a host process", falcoBody({ "container.id": "host" }), "of the host"],
    ["a test rule", falcoBody({}, { rule: "Test rule" }), "a test message"],
    ["an internal source", falcoBody({}, { source: "internal" }), "a test message"],
    ["another cluster", falcoBody({ cluster: "other" }), 'unknown cluster "other"'],
    ["a traversal", falcoBody({ "k8s.ns.name": "a/../kube-system" }), "is not a DNS label"],
    ["a pod with a slash", falcoBody({ "k8s.pod.name": "a/b" }), "is not a DNS subdomain"],
    ["an upper-case namespace", falcoBody({ "k8s.ns.name": "Payments" }), "is not a DNS label"],
    ["an array for a name", falcoBody({ "k8s.pod.name": ["a"] }), "k8s.pod.name is not text"],
    ["a number for a container", falcoBody({ "container.id": 123456789012 }), "is not text"],
    ["a list of clusters", falcoBody({ cluster: ["other"] }), "cluster is not text"],
    ["a container id that is none", falcoBody({ "container.id": "../x" }), "container id"],
    ["an audited secret", auditBody({ "ka.target.resource": "secrets" }), "only pods"],
    ["an audited nobody", auditBody({ "ka.resp.name": null }), "ka.resp.name is missing"],
  ])("with %s is refused with the reason", (_, body, reason) => {
    const reading = readEvent(body, IDENTITY);

    expect(reading.kind).toBe("refused");
    expect(reasonOf(reading)).toContain(reason);
  });

  test.each([
    ["an unknown priority", falcoBody({}, { priority: "Bad" }), "unknown Falco priority"],
    ["a priority of every object", falcoBody({}, { priority: "constructor" }), "unknown Falco"],
    ["a time that is half one", falcoBody({}, { time: "1" }), "is not a time"],
    ["a rule that is a novel", falcoBody({}, { rule: "x".repeat(501) }), "rule"],
    ["no time", falcoBody({}, { time: "yesterday" }), "is not a time"],
    ["no rule", falcoBody({}, { rule: undefined }), "rule"],
    ["fields that are no object", falcoBody({}, { output_fields: [] }), "output_fields"],
  ])("with %s is unreadable", (_, body, reason) => {
    const reading = readEvent(body, IDENTITY);

    expect(reading.kind).toBe("unreadable");
    expect(reasonOf(reading)).toContain(reason);
  });
});

describe("a GuardDuty finding", () => {
  test("names the pod with its UID, bare and as an event", () => {
    const bare = readEvent(finding({}), IDENTITY);
    const event = readEvent(
      {
        id: "e",
        source: "aws.guardduty",
        "detail-type": "GuardDuty Finding",
        time: "2026-09-29T13:44:05Z",
        detail: finding({}),
      },
      IDENTITY,
    );

    expect(bare).toMatchObject({
      detection: {
        alert: { source: "guardduty", severity: "high", detectedAt: "2026-09-29T13:44:00.000Z" },
        target: { namespace: "payments", name: "checkout-1", uid: "uid-1" },
      },
    });
    expect(event).toEqual(bare);
  });

  test.each([
    ["a sample", finding({ additionalInfo: { sample: true } }), "a sample finding"],
    ["a sample as text", finding({ additionalInfo: { value: '{"sample": true}' } }), "a sample"],
    ["no workload", finding({ workload: null }), "no target"],
    [
      "a Deployment",
      finding({ workload: { name: "c", type: "deployments", namespace: "p" } }),
      "only pods",
    ],
    [
      "no namespace",
      finding({ workload: { name: "c", type: "pods", namespace: null } }),
      "no target",
    ],
    ["another cluster", finding({ cluster: "other", arn: "arn:other" }), "unknown cluster"],
    [
      "another account's cluster of that name",
      finding({ arn: ARN.replace("111122223333", "999999999999") }),
      "unknown cluster",
    ],
    ["no cluster", finding({ cluster: null }), "names no EKS cluster"],
  ])("with %s is refused", (_, event, reason) => {
    const reading = readEvent(event, IDENTITY);

    expect(reading.kind).toBe("refused");
    expect(reasonOf(reading)).toContain(reason);
  });
});

describe("a request by hand", () => {
  const good = { namespace: "payments", reason: "drill", mode: "audit" };

  test("names its own mode", () => {
    expect(readEvent(request(good), IDENTITY)).toMatchObject({
      detection: { requestedMode: "audit", target: { kind: "namespace", name: "payments" } },
    });
    expect(
      readEvent(request({ ...good, pod: "checkout-1" }, "PodContainmentRequested"), IDENTITY),
    ).toMatchObject({ detection: { target: { kind: "pod", name: "checkout-1" } } });
  });

  test.each([
    ["a pod for a namespace", { ...good, pod: "checkout-1" }, "and a pod named"],
    ["a mode nested without end", { ...good, mode: nested(50_000) }, "unknown mode of type object"],
    ["a UID that is a path", { ...good, uid: "../x" }, "uid"],
    ["a misspelt mode", { ...good, mode: "Containment" }, 'unknown mode "Containment"'],
    ["no mode", { ...good, mode: undefined }, "unknown mode null"],
    ["no reason", { ...good, reason: " " }, "needs a reason"],
    ["no namespace", { ...good, namespace: undefined }, "namespace null"],
    ["a traversal", { ...good, namespace: "a/../kube-system" }, "is not a DNS label"],
    ["another cluster", { ...good, cluster: "other" }, "unknown cluster"],
  ])("with %s is refused", (_, detail, reason) => {
    const reading = readEvent(request(detail), IDENTITY);

    expect(reading.kind).toBe("refused");
    expect(reasonOf(reading)).toContain(reason);
  });

  test("for something unknown is refused", () => {
    expect(readEvent(request(good, "ClusterContainmentRequested"), IDENTITY).kind).toBe("refused");
  });
});

describe("anything else", () => {
  test.each(["hello", "", "{", "[]", "null", "42", '{"a":1}', "\u0000"])(
    "%j is unreadable, with a printable reason",
    (text) => {
      const reading = readText(text, IDENTITY);

      expect(reading.kind).toBe("unreadable");
      expect(reasonOf(reading)).toMatch(/^[\x20-\x7e]+$/);
    },
  );

  test("never throws, and never acts on a name or a cluster that was not said in plain text", () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(
        "payments",
        "kube-system",
        "__proto__",
        "constructor",
        "<NA>",
        "",
        "a/b",
        "a\n",
      ),
    );
    const fields = fc.dictionary(
      fc.constantFrom("cluster", "container.id", "k8s.ns.name", "k8s.pod.name", "other"),
      value,
    );
    const top = fc.dictionary(
      fc.constantFrom("uuid", "priority", "rule", "time", "source", "output_fields"),
      value,
    );
    fc.assert(
      fc.property(fields, fc.oneof(fc.constant({}), top), (changed, over) => {
        const reading = readText(JSON.stringify(falcoBody(changed, over)), IDENTITY);
        if (reading.kind !== "detection") return reasonOf(reading).length > 0;
        const { target } = reading.detection;
        const named = { ...falcoBody(changed).output_fields } as Record<string, unknown>;
        return (
          target.namespace === named["k8s.ns.name"] &&
          target.name === named["k8s.pod.name"] &&
          /^[a-z0-9][-a-z0-9.]*$/.test(target.name)
        );
      }),
      { numRuns: 2_000 },
    );
  });
});
