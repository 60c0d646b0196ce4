import type { Within } from "../core/within.ts";

/** With the timer of Node. */
export const within: Within = async (ms, work) => {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(outOfTime(ms)), Math.max(0, ms));
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
};

function outOfTime(ms: number): Error {
  const error = new Error(`not read within ${ms} ms`);
  error.name = "OutOfTime";
  return error;
}
