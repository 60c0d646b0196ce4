import type { App } from "sst/constructs";
import { settingsFor } from "../stages.ts";
import { analysis } from "./analysis.ts";
import { bastion } from "./bastion.ts";
import { BUNDLING } from "./bundling.ts";
import { cluster } from "./cluster.ts";
import { detection } from "./detection.ts";
import { evidence } from "./evidence.ts";
import { forensic } from "./forensic.ts";
import { forensicCopy } from "./forensic-copy.ts";
import { foundation } from "./foundation.ts";
import { images } from "./images.ts";
import { monitoring } from "./monitoring.ts";
import { network } from "./network.ts";
import { operations } from "./operations.ts";
import { playbook } from "./playbook.ts";

const FUNCTIONS = { runtime: "nodejs24.x", architecture: "arm_64", nodejs: BUNDLING } as const;

/** What is deployed in a forensic account. */
export function composeForensicStacks(app: App): void {
  app.setDefaultFunctionProps(FUNCTIONS);
  app.stack(forensic);
  dropIdleHandlers(app);
}

/** All stacks of a stage, each after those that it stands on. */
export function composeStacks(app: App): void {
  knowZones(app);
  app.setDefaultFunctionProps(FUNCTIONS);
  app
    .stack(foundation)
    .stack(network)
    .stack(cluster)
    .stack(evidence)
    .stack(analysis)
    .stack(operations)
    .stack(playbook);
  const { cluster: settings, preservation } = settingsFor(app.stage);
  if (preservation.forensicCopy) app.stack(forensicCopy);
  app.stack(detection).stack(monitoring);
  if (settings.kind === "create") {
    if (settings.bastion) app.stack(bastion);
    if (Object.keys(settings.images).length > 0) app.stack(images);
  }
  dropIdleHandlers(app);
}

/**
 * CDK would ask AWS which zones there are, and write the answer down in a file, to check those that
 * the settings name. The checks before a deployment do that; a build needs no account.
 */
function knowZones(app: App): void {
  const { cluster } = settingsFor(app.stage);
  if (cluster.kind !== "create") return;
  const key = `availability-zones:account=${app.account}:region=${app.region}`;
  app.node.setContext(key, [...cluster.availabilityZones]);
}

/**
 * SST gives every stack a function for custom resources of its own, on the public network. Nothing
 * here uses them: source maps are off, and secrets are not prefetched.
 */
function dropIdleHandlers(app: App): void {
  for (const stack of app.node.children) stack.node.tryRemoveChild("CustomResourceHandler");
}
