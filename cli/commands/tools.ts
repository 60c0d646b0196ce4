import { join } from "node:path";
import { readBastion } from "../../adapters/aws/deployment.ts";
import { instanceCommands } from "../../adapters/aws/instance-commands.ts";
import { TOOLS_PREFIX, toolsBucket } from "../../adapters/aws/tools-bucket.ts";
import { interrupted, listenForInterruption } from "../../local/interruption.ts";
import { cacheFolder } from "../../local/project.ts";
import { settingsFor } from "../../stages.ts";
import { download } from "../download.ts";
import { installScript } from "../install-kubectl.ts";
import { kubectlRelease } from "../kubectl-release.ts";
import { bastionOf } from "../new-cluster.ts";
import { reach } from "../stage.ts";

interface Options {
  readonly stage: string;
  readonly from: string;
  readonly dryRun?: boolean;
}

/** `containment tools`: brings kubectl onto the bastion, which has no way to the internet. */
export async function tools({ stage, from, dryRun }: Options): Promise<void> {
  const cluster = bastionOf(stage);
  const { region } = settingsFor(stage);
  const aws = await reach(stage);
  const bastion = await readBastion(stage, aws);
  listenForInterruption(() => console.error("Stopping; run it again to go on."));
  const signal = interrupted;

  const { version, url, sha256, pinned } = await kubectlRelease(cluster, from, signal);
  console.log(`kubectl ${version} for Linux on arm64, SHA-256 ${sha256}`);
  console.log(`  ${pinned ? "as the settings and the publisher say" : "as the publisher says"}`);
  const bucket = toolsBucket(bastion.toolsBucket, aws);
  const key = `${TOOLS_PREFIX}kubectl/${version}/linux-arm64/kubectl`;
  const object = `s3://${bastion.toolsBucket}/${key}`;
  const there = await bucket.has(key, sha256);
  if (dryRun) {
    console.log(there ? `is there: ${object}` : `would be uploaded to ${object}, from ${url}`);
    console.log(`would be installed on ${bastion.instanceId}`);
    return;
  }
  if (there) {
    console.log(`is there: ${object}`);
  } else {
    const file = join(cacheFolder, "tools", `kubectl-${version}-linux-arm64`);
    await download({ url, file, sha256, progress: console.log, signal });
    await bucket.put(key, file, sha256);
    console.log(`uploaded to ${object}, where S3 has verified it`);
  }
  const script = installScript({
    ...{ region, clusterName: cluster.name, bucket: bastion.toolsBucket, key, sha256 },
  });
  const printed = await instanceCommands(aws).run(bastion.instanceId, script, {
    progress: console.log,
    signal,
  });
  console.log(`installed on ${bastion.instanceId}:\n${printed.trim()}`);
}
