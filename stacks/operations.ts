import * as ssm from "aws-cdk-lib/aws-ssm";
import { type StackContext, use } from "sst/constructs";
import { KILL_SWITCH } from "../core/brakes/kill-switch.ts";
import { settingsFor } from "../stages.ts";
import { foundation } from "./foundation.ts";
import { notifications } from "./notifications.ts";

/** How the people on call are told, and how they stop the stage. */
export function operations({ stack, app }: StackContext) {
  const { emails } = settingsFor(app.stage).operations;
  const { key } = use(foundation);
  const { released, engaged } = KILL_SWITCH;

  const topic = notifications(stack, { displayName: "EKS containment", key, emails });
  const killSwitch = new ssm.StringParameter(stack, "KillSwitch", {
    parameterName: `/${app.name}/${app.stage}/kill-switch`,
    description: `"${released}": the stage acts as its settings say. "${engaged}": every run is an audit`,
    stringValue: released, // a deployment does not put it back: only a change here would
    allowedPattern: `^(${released}|${engaged})$`,
  });

  stack.addOutputs({ Notifications: topic.topicArn, KillSwitch: killSwitch.parameterName });
  return { topic, killSwitch };
}
