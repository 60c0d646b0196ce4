import type { App } from "sst/constructs";
import { useAWSCredentialsProvider } from "sst/credentials.js";
import { VisibleError } from "sst/error.js";
import { awsAccount } from "../adapters/aws/account.ts";
import { deployedStage } from "../adapters/aws/deployed-stage.ts";
import type { AwsAccess } from "../adapters/aws/observe.ts";
import { examineDeployment } from "../core/readiness/examine.ts";
import { type Finding, findingLines, stopping } from "../core/readiness/finding.ts";
import { placeOf } from "../core/readiness/place.ts";
import { judgeRemoval, observeRemoval, REMOVE_ANYWAY } from "../core/readiness/removal.ts";
import type { ForensicSettings, StageSettings } from "../stage-settings.ts";
import { assertDeployable, forensicSettingsFor, settingsFor } from "../stages.ts";
import { INTERFACE_ENDPOINTS } from "./endpoints.ts";

type Say = (line: string) => void;

/**
 * What stands between a command and its changes: a deployment that could not work, and a removal
 * that would leave contained pods behind, end here, in one error that says what to do. `sst build`
 * and `sst diff` pass: they change nothing and need no account's cluster.
 */
export async function guard(app: App): Promise<void> {
  if (!changesSomething(app)) return;
  // SST sends the text of a failure to its makers, and ours names clusters, targets and cases.
  process.env.SST_TELEMETRY_DISABLED = "1";
  const forensic = forensicSettingsFor(app.stage);
  if (forensic) {
    guardForensic(app.stage, forensic, app.account);
    return;
  }
  const settings = readSettings(app.stage);
  const access = { region: app.region, credentials: useAWSCredentialsProvider() };
  if (app.mode === "remove") await guardRemoval(app.stage, access, { say: console.error });
  else await guardDeployment(app.stage, settings, { access, say: console.error });
}

/** The settings of a stage; what is wrong with them is shown to whoever deploys without a trace. */
function readSettings(stage: string): StageSettings {
  return visibly(() => settingsFor(stage));
}

/** The region of a stage of either kind. */
export function readRegion(stage: string): string {
  return visibly(() => forensicSettingsFor(stage) ?? settingsFor(stage)).region;
}

/** Throws where copies would come to lie in the account that they are to be safe from. */
export function guardForensic(stage: string, settings: ForensicSettings, account: string): void {
  visibly(() => assertDeployable(stage, settings));
  if (account === settings.accountId) return;
  throw new VisibleError(
    `Stage ${stage} belongs into account ${settings.accountId}, and these credentials are of ${account}.`,
  );
}

function visibly<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Error ? new VisibleError(error.message) : error;
  }
}

/** SST asks which stacks are meant when it deploys, and not when it builds. */
function changesSomething({ mode, isActiveStack }: App): boolean {
  return mode !== "deploy" || isActiveStack !== undefined;
}

/** Throws with every finding that stops a deployment; says those that only weaken containment. */
export async function guardDeployment(
  stage: string,
  settings: StageSettings,
  { access, say }: { readonly access: AwsAccess; readonly say: Say },
): Promise<void> {
  visibly(() => assertDeployable(stage, settings));
  const findings = await examineDeployment(placeOf(stage, settings, INTERFACE_ENDPOINTS), {
    account: awsAccount(access),
    deployed: deployedStage(stage, access),
  });
  const stops = stopping(findings);
  if (stops.length > 0) {
    throw new VisibleError(
      `Stage ${stage} cannot be deployed as things are; nothing of it was changed.`,
      ...linesOf(stops),
      `All checks: npx containment doctor --stage ${stage}`,
    );
  }
  for (const line of linesOf(findings.filter(({ outcome }) => outcome !== "ok"))) say(line);
}

/** Throws while a case is open or nobody can tell, unless the environment says to go on. */
export async function guardRemoval(
  stage: string,
  access: AwsAccess,
  { say, anyway = process.env[REMOVE_ANYWAY] === "yes" }: { say: Say; anyway?: boolean },
): Promise<void> {
  const deployed = deployedStage(stage, access);
  const observed = await observeRemoval(await deployed.stacks(), deployed.openCases);
  const { allowed, message } = judgeRemoval(stage, observed, anyway);
  if (!allowed) throw new VisibleError(message);
  if (message !== "") say(message);
}

function linesOf(findings: readonly Finding[]): readonly string[] {
  return findings.flatMap(findingLines);
}
