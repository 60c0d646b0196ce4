import * as iam from "aws-cdk-lib/aws-iam";
import * as sns from "aws-cdk-lib/aws-sns";
import * as subscriptions from "aws-cdk-lib/aws-sns-subscriptions";
import * as ssm from "aws-cdk-lib/aws-ssm";
import { type StackContext, use } from "sst/constructs";
import { KILL_SWITCH } from "../core/brakes/kill-switch.ts";
import { settingsFor } from "../stages.ts";
import { foundation } from "./foundation.ts";

/** How the people on call are told, and how they stop the stage. */
export function operations({ stack, app }: StackContext) {
  const { emails } = settingsFor(app.stage).operations;
  const { key } = use(foundation);
  const { released, engaged } = KILL_SWITCH;

  const topic = new sns.Topic(stack, "Notifications", {
    displayName: "EKS containment", // the sender of the mails
    masterKey: key,
    enforceSSL: true,
  });
  for (const email of emails) topic.addSubscription(new subscriptions.EmailSubscription(email));
  const { account } = stack;
  topic.addToResourcePolicy(
    new iam.PolicyStatement({
      sid: "AlarmsAndEventsOfThisAccount",
      principals: ["cloudwatch", "events"].map(
        (service) => new iam.ServicePrincipal(`${service}.amazonaws.com`),
      ),
      actions: ["sns:Publish"],
      resources: [topic.topicArn],
      conditions: { StringEquals: { "aws:SourceAccount": account } },
    }),
  );

  const killSwitch = new ssm.StringParameter(stack, "KillSwitch", {
    parameterName: `/${app.name}/${app.stage}/kill-switch`,
    description: `"${released}": the stage acts as its settings say. "${engaged}": every run is an audit`,
    stringValue: released, // a deployment does not put it back: only a change here would
    allowedPattern: `^(${released}|${engaged})$`,
  });

  stack.addOutputs({ Notifications: topic.topicArn, KillSwitch: killSwitch.parameterName });
  return { topic, killSwitch };
}
