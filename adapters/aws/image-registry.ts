import { ECRClient, type ECRClientConfig, GetAuthorizationTokenCommand } from "@aws-sdk/client-ecr";

/** A login for the account's registry, base64 of `user:password`; ECR gives it for twelve hours. */
export async function registryAuthorization(config: ECRClientConfig): Promise<string> {
  const { authorizationData: [first] = [] } = await new ECRClient(config).send(
    new GetAuthorizationTokenCommand({}),
  );
  if (!first?.authorizationToken) throw new Error("ECR gave no authorization token");
  return first.authorizationToken;
}
