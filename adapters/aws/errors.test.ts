import { expect, test } from "vitest";
import { translate } from "./errors.ts";

function sdkError(name: string, httpStatusCode?: number): Error {
  const error = new Error(`${name} happened`);
  error.name = name;
  return Object.assign(
    error,
    httpStatusCode === undefined ? {} : { $metadata: { httpStatusCode } },
  );
}

test.each([
  [sdkError("ThrottlingException", 400), "AwsThrottled"],
  [sdkError("SnapshotCreationPerVolumeRateExceeded", 400), "AwsThrottled"],
  [sdkError("ConcurrentSnapshotLimitExceeded", 400), "AwsThrottled"],
  [sdkError("RequestLimitExceeded", 503), "AwsThrottled"],
  [sdkError("InternalError", 500), "AwsUnavailable"],
  [sdkError("TimeoutError"), "AwsUnavailable"],
  [sdkError("UnauthorizedOperation", 403), "AwsDenied"],
  [sdkError("AccessDeniedException", 400), "AwsDenied"],
])("%s is %s, and the cause is kept", (error, name) => {
  expect(translate(error, "describe cluster c")).toMatchObject({
    name,
    cause: error,
    message: expect.stringContaining("describe cluster c"),
  });
});

test("what is of no known kind is passed on as it is", () => {
  const error = sdkError("InvalidVolume.NotFound", 400);

  expect(translate(error, "snapshot")).toBe(error);
});
