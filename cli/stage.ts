import { type Deployment, readDeployment } from "../adapters/aws/deployment.ts";
import { findRunningStage } from "../local/announcement.ts";
import { awsEnvironment, emulatedCredentials } from "../local/environment.ts";
import { settingsFor } from "../stages.ts";

/** What every AWS client of a command is made with. */
export interface AwsConfig {
  readonly region: string;
  readonly endpoint?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

/**
 * How to reach a stage: the operator's own credentials and region on AWS, or the local stage that is
 * up on this machine. AWS_ENDPOINT_URL, where set, leads to another local stage.
 */
export async function reach(stage: string): Promise<AwsConfig> {
  const { region } = settingsFor(stage);
  if (stage !== "local" || process.env.AWS_ENDPOINT_URL) return { region };
  const running = await findRunningStage();
  if (!running) {
    throw new Error(
      "no local stage is up; start one with `npm start` or `npm run local`, or name a --stage",
    );
  }
  return { region, endpoint: running.awsEndpoint, credentials: emulatedCredentials };
}

/** The environment in which a program of others reaches the same, as the same person. */
export function environmentOf({ region, endpoint }: AwsConfig): Record<string, string> {
  const inherited: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined) inherited[name] = value;
  }
  const own = endpoint ? awsEnvironment(endpoint, region) : { AWS_REGION: region };
  return { ...inherited, ...own };
}

export async function deployed(
  stage: string,
): Promise<{ readonly aws: AwsConfig; readonly deployment: Deployment }> {
  const aws = await reach(stage);
  return { aws, deployment: await readDeployment(stage, aws) };
}
