/** A cluster's private API endpoint, as people reach it through the bastion. */
export interface TunnelledCluster {
  readonly name: string;
  readonly region: string;
  /** The private endpoint, `https://….eks.amazonaws.com`. */
  readonly endpoint: string;
  /** PEM, in base64 as EKS gives it. */
  readonly certificateAuthority: string;
}

/**
 * The kubeconfig that leads to the cluster through a port of this machine. The server proves itself
 * by the name of its own endpoint; the person is who their AWS credentials say. It holds no secret.
 */
export function kubeconfigFor(cluster: TunnelledCluster, port: number): string {
  const { name, region, endpoint, certificateAuthority } = cluster;
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name,
        cluster: {
          server: `https://127.0.0.1:${port}`,
          "tls-server-name": new URL(endpoint).hostname,
          "certificate-authority-data": certificateAuthority,
        },
      },
    ],
    users: [
      {
        name: "operator",
        user: {
          exec: {
            apiVersion: "client.authentication.k8s.io/v1beta1",
            command: "aws",
            args: ["eks", "get-token", "--cluster-name", name, "--region", region],
            // A token counts only when it was signed for STS's own host.
            env: [{ name: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", value: "true" }],
            interactiveMode: "IfAvailable",
          },
        },
      },
    ],
    contexts: [{ name, context: { cluster: name, user: "operator" } }],
    "current-context": name,
  });
}
