/**
 * The environment of every process that the local stage starts. What a developer's shell holds for
 * their real cloud must never reach one: a profile, a region or an endpoint that slips through would
 * turn a try-out into a change of somebody's account.
 */
import { delimiter, join } from "node:path";
import { nodeModules } from "./project.ts";

const inheritedCloudAccess = /^(AWS_|KUBECONFIG$|SST_)/;

/**
 * The caller's environment without cloud or cluster access, with the pinned node (node_modules/.bin)
 * first on the PATH, and loopback excluded from any proxy.
 */
export function childEnvironment(): Record<string, string> {
  const environment: Record<string, string> = {};
  for (const [name, value] of Object.entries(process.env)) {
    if (value !== undefined && !inheritedCloudAccess.test(name)) environment[name] = value;
  }
  environment.PATH = [join(nodeModules, ".bin"), process.env.PATH ?? ""].join(delimiter);
  const noProxy = [process.env.NO_PROXY ?? process.env.no_proxy, "127.0.0.1", "localhost"];
  environment.NO_PROXY = noProxy.filter(Boolean).join(",");
  environment.no_proxy = environment.NO_PROXY;
  return environment;
}

/** The owner of the emulated account, who may do everything in it; these are no secret. */
export const emulatedCredentials = { accessKeyId: "test", secretAccessKey: "test" } as const;

/** The owner of a second emulated account, which a stage's forensic copies go to. */
export const forensicCredentials = {
  accessKeyId: "111111111111", // the emulator reads the account from it
  secretAccessKey: "test",
} as const;

/** What a process needs to speak to the emulated AWS, and only to it. */
export function awsEnvironment(endpoint: string, region: string): Record<string, string> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: emulatedCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: emulatedCredentials.secretAccessKey,
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EC2_METADATA_DISABLED: "true",
    // The user's own profiles are out of reach even for a tool that looks for them.
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
  };
}
