/**
 * Settings that every AWS client of the functions shares. The workflow owns retries that wait; one
 * quick second attempt inside a function covers a dropped connection.
 */
export const CLIENT_SETTINGS = {
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 5_000, throwOnRequestTimeout: true },
};
