import type { EC2ClientConfig } from "@aws-sdk/client-ec2";
import { userAgent } from "../invocation.ts";

type Extension = NonNullable<EC2ClientConfig["extensions"]>[number];
/** A client that is being made; those of all services have this. */
type Making = Pick<Parameters<Extension["configure"]>[0], "httpHandler">;

/**
 * Adds who asks to the user agent, which CloudTrail keeps. Only at the moment of sending, as one
 * client serves many executions; no signature covers this header.
 */
function sayWhoAsks(client: Making): void {
  const handler = client.httpHandler();
  const send = handler.handle.bind(handler);
  handler.handle = (request, options) => {
    const { "user-agent": sdk = "" } = request.headers;
    request.headers["user-agent"] = `${sdk} ${userAgent()}`;
    return send(request, options);
  };
}

/**
 * Settings that every AWS client of the functions shares. The workflow owns retries that wait; one
 * quick second attempt inside a function covers a dropped connection.
 */
export const CLIENT_SETTINGS = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
  extensions: [{ configure: sayWhoAsks }],
};
