import { EventBridgeClient, PutEventsCommand } from "@aws-sdk/client-eventbridge";
import type { Mode } from "../../core/alert/alert.ts";
import { MANUAL_DETAIL_TYPES, MANUAL_SOURCE } from "../../core/alert/manual.ts";
import { deployed } from "../stage.ts";
import { targetOf } from "../target.ts";

interface Options {
  readonly reason: string;
  readonly uid?: string;
  readonly audit?: boolean;
  readonly stage: string;
  readonly json?: boolean;
}

/** `containment contain`: puts the request on the bus; from there on it is an alert like any other. */
export async function contain(target: string, options: Options): Promise<void> {
  const { reason, uid, stage, json } = options;
  const { namespace, pod } = targetOf(target);
  if (reason.trim() === "") throw new Error("--reason is empty; say why, it is kept as evidence");
  const mode: Mode = options.audit ? "audit" : "containment";
  const { aws, deployment } = await deployed(stage);
  const putting = new EventBridgeClient(aws).send(
    new PutEventsCommand({
      Entries: [
        {
          EventBusName: deployment.busName,
          Source: MANUAL_SOURCE,
          DetailType: MANUAL_DETAIL_TYPES[pod === null ? "namespace" : "pod"],
          Detail: JSON.stringify({ namespace, pod: pod ?? undefined, uid, reason, mode }),
        },
      ],
    }),
  );
  const { Entries = [] } = await putting.catch((error: Error) => {
    if (!error.name.startsWith("AccessDenied")) throw error;
    throw new Error(
      `the bus refuses you: your IAM role must be one of \`requesters\` in stages.ts, stage "${stage}", ` +
        `and be allowed events:PutEvents on ${deployment.busName} (${error.message})`,
      { cause: error },
    );
  });
  const { EventId: eventId, ErrorCode, ErrorMessage } = Entries[0] ?? {};
  if (!eventId) throw new Error(`the bus refused the request: ${ErrorCode}: ${ErrorMessage}`);
  if (json) {
    console.log(JSON.stringify({ eventId, mode, namespace, pod, reason }));
    return;
  }
  console.log(`Asked for ${mode} of ${target} (event ${eventId}).`);
  console.log(`Follow it with: npx containment runs --stage ${stage}`);
}
