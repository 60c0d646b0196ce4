/** What the bastion is to have, and where it finds it. */
export interface KubectlInstallation {
  readonly region: string;
  readonly clusterName: string;
  readonly bucket: string;
  readonly key: string;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** What a shell takes as one word as it stands. */
const PLAIN = /^[A-Za-z0-9._/-]+$/;

/**
 * The shell script that brings kubectl onto the bastion: from the tools bucket, through the S3
 * gateway endpoint, installed only with the right checksum. A wrapper finds the kubeconfig in every
 * kind of session. May run again. `root` is where the file system begins, for a trial elsewhere.
 */
export function installScript(installation: KubectlInstallation, root = ""): string {
  const { region, clusterName, bucket, key, sha256 } = installation;
  for (const value of [region, clusterName, bucket, key, sha256]) {
    if (!PLAIN.test(value)) throw new Error(`${JSON.stringify(value)} has no place in a script`);
  }
  const program = `${root}/usr/local/lib/containment/kubectl`;
  const kubeconfig = `${root}/etc/containment/kubeconfig`;
  const wrapper = `${root}/usr/local/bin/kubectl`;
  return `set -eu
umask 022
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
aws s3api get-object --region ${region} --bucket ${bucket} --key ${key} "$work/kubectl" >/dev/null
echo "${sha256}  $work/kubectl" | sha256sum --check --quiet -
mkdir -p "$(dirname ${program})" "$(dirname ${kubeconfig})" "$(dirname ${wrapper})"
install -m 0755 "$work/kubectl" ${program}
aws eks update-kubeconfig --region ${region} --name ${clusterName} --kubeconfig ${kubeconfig} >/dev/null
chmod 0644 ${kubeconfig}
cat >${wrapper} <<'END'
#!/bin/sh
export KUBECONFIG="\${KUBECONFIG:-${kubeconfig}}"
exec ${program} "$@"
END
chmod 0755 ${wrapper}
${wrapper} version --client
`;
}
