import { SSMClient, type SSMClientConfig, TerminateSessionCommand } from "@aws-sdk/client-ssm";

/** Ends a Session Manager session on AWS's side. */
export function sessionTerminator(config: SSMClientConfig): (sessionId: string) => Promise<void> {
  const ssm = new SSMClient(config);
  return async (SessionId) => {
    await ssm.send(new TerminateSessionCommand({ SessionId }));
  };
}
