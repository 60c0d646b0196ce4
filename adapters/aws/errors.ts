import { PermanentError, TransientError } from "../../core/errors.ts";

const THROTTLED = /Throttl|TooManyRequests|LimitExceeded|SlowDown|PerVolumeRateExceeded/;
const DENIED = /AccessDenied|UnauthorizedOperation|Forbidden|NotAuthorized|InvalidClientTokenId/;

interface SdkError extends Error {
  readonly $metadata?: { readonly httpStatusCode?: number };
}

/** What kind of failure an error of the AWS SDK is, judged by its name and HTTP status. */
export function kindOf(error: unknown): "throttled" | "denied" | "unavailable" | "other" {
  if (!(error instanceof Error)) return "other";
  const status = (error as SdkError).$metadata?.httpStatusCode;
  if (THROTTLED.test(error.name) || status === 429) return "throttled";
  if (DENIED.test(error.name) || status === 403) return "denied";
  if (status === undefined || status >= 500) return "unavailable";
  return "other";
}

/**
 * Turns an error of the AWS SDK into one of ours. `what` says what was attempted on what, as in
 * `describe cluster prod-eks-1`. An error of no known kind is passed on as it is.
 */
export function translate(error: unknown, what: string): unknown {
  const cause = error instanceof Error ? error.message : String(error);
  switch (kindOf(error)) {
    case "throttled":
      return new TransientError("AwsThrottled", `${what}: throttled: ${cause}`, { cause: error });
    case "unavailable":
      return new TransientError("AwsUnavailable", `${what}: no answer: ${cause}`, { cause: error });
    case "denied":
      return new PermanentError(
        "AwsDenied",
        `${what}: denied: ${cause}. Check the role of this function, then redrive.`,
        { cause: error },
      );
    case "other":
      return error;
  }
}
