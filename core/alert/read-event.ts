import * as z from "zod";
import { readFalco } from "./falco.ts";
import { readGuardDuty } from "./guardduty.ts";
import { MANUAL_SOURCE, readManual } from "./manual.ts";
import { type ClusterIdentity, quote, type Reading, unreadable } from "./reading.ts";

const BusEvent = z.object({
  id: z.string().min(1),
  source: z.string(),
  "detail-type": z.string(),
  time: z.string(),
  detail: z.unknown(),
});

/** An SQS record as a pipe puts it on the bus: the body is still the exact text that was sent. */
const SqsRecord = z.object({ messageId: z.string(), body: z.string() });

/**
 * Reads one event in any of the shapes that reach us: the event of a bus (Falco's message inside an
 * SQS record, a GuardDuty finding, a request by hand), or, for the command line, a bare Falco body
 * or finding.
 */
export function readEvent(event: unknown, cluster: ClusterIdentity): Reading {
  const onBus = BusEvent.safeParse(event);
  if (onBus.success) {
    const { id, source, detail, time } = onBus.data;
    if (source === "falco") return readFalcoDetail(detail, cluster);
    if (source === "aws.guardduty") return readGuardDuty(detail, cluster);
    if (source === MANUAL_SOURCE) {
      return readManual({ id, time, detailType: onBus.data["detail-type"] }, detail, cluster);
    }
    return unreadable(`no reader for events of source ${quote(source)}`);
  }
  if (typeof event !== "object" || event === null) return unreadable("not a JSON object");
  if ("output_fields" in event) return readFalco(event, cluster);
  if ("service" in event && "resource" in event) return readGuardDuty(event, cluster);
  return unreadable("neither a Falco alert, nor a GuardDuty finding, nor a request by hand");
}

/** Reads an event from text, as it lies in a queue or a file. */
export function readText(text: string, cluster: ClusterIdentity): Reading {
  return readJson(text, (event) => readEvent(event, cluster));
}

/**
 * Whoever may send to the alert queue is believed to be Falco and nobody else: a request by hand or
 * a finding inside a queue message would bypass the stage's mode.
 */
function readFalcoDetail(detail: unknown, cluster: ClusterIdentity): Reading {
  const record = SqsRecord.safeParse(detail);
  if (!record.success) return readFalco(detail, cluster);
  return readJson(record.data.body, (body) => readFalco(body, cluster));
}

function readJson(text: string, read: (value: unknown) => Reading): Reading {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return unreadable(`not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  return read(value);
}
