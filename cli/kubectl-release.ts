import type { NewClusterSettings } from "../stage-settings.ts";

/** The kubectl that belongs on a stage's bastion. */
export interface KubectlRelease {
  /** `v1.35.4` */
  readonly version: string;
  readonly url: string;
  /** 64 hex digits. */
  readonly sha256: string;
  /** Whether the checksum is the operator's own, and not only the publisher's. */
  readonly pinned: boolean;
}

const limitMs = 30_000;

/**
 * The release that the settings pin, or the newest patch of the cluster's version, with the checksum
 * that is published beside it. Throws when that is not the checksum of the settings.
 */
export async function kubectlRelease(
  { version, kubectl }: Pick<NewClusterSettings, "version" | "kubectl">,
  from: string,
  signal?: AbortSignal,
): Promise<KubectlRelease> {
  const release = kubectl
    ? `v${kubectl.version}`
    : await published(`${from}/stable-${version}.txt`, /^v1\.\d+\.\d+$/, signal);
  const url = `${from}/${release}/bin/linux/arm64/kubectl`;
  const sha256 = await published(`${url}.sha256`, /^[0-9a-f]{64}$/, signal);
  if (kubectl && kubectl.sha256 !== sha256) {
    throw new Error(
      `the settings say that kubectl ${kubectl.version} has SHA-256 ${kubectl.sha256}, and ${url}.sha256 says ${sha256}: one of them is wrong, and nothing was fetched`,
    );
  }
  return { version: release, url, sha256, pinned: kubectl !== undefined };
}

/** One word that is published as a file. */
async function published(url: string, form: RegExp, signal?: AbortSignal): Promise<string> {
  const timeout = AbortSignal.timeout(limitMs);
  const answer = await fetch(url, {
    signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
  });
  const word = (await answer.text()).trim();
  if (!answer.ok || !form.test(word)) {
    throw new Error(`${url} answered ${answer.status}: ${JSON.stringify(word.slice(0, 80))}`);
  }
  return word;
}
