import { type Observed, seen, unseen } from "../../core/readiness/finding.ts";
import type { AwsCredentials } from "../kubernetes/token.ts";
import { kindOf } from "./errors.ts";

/** As whom and where to look. */
export interface AwsAccess {
  readonly region: string;
  /** Only where it is not AWS's own. */
  readonly endpoint?: string;
  /** Default: those that the SDK finds by itself. */
  readonly credentials?: AwsCredentials | (() => Promise<AwsCredentials>);
}

/** Errors by which AWS says that something is not there. */
const ABSENT =
  /^(ResourceNotFoundException|ParameterNotFound|ObjectLockConfigurationNotFoundError)$/;

/**
 * Settings of clients that only look, for a person who waits: an endpoint that cannot be reached is
 * given up soon.
 */
export const LOOKING = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 3_000, requestTimeout: 20_000, throwOnRequestTimeout: true },
};

/**
 * One read. What is denied or gives no answer is unseen, so that the other reads go on; `action` is
 * the IAM action that the read needs.
 */
export async function look<T>(action: string, read: () => Promise<T>): Promise<Observed<T>> {
  try {
    return seen(await read());
  } catch (error) {
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return unseen(
      kindOf(error) === "denied"
        ? `not allowed to look: needs ${action} (${message})`
        : `no answer to ${action} (${message})`,
    );
  }
}

/** Null for what AWS says is not there. */
export async function unlessAbsent<T>(read: Promise<T>): Promise<T | null> {
  try {
    return await read;
  } catch (error) {
    if (error instanceof Error && ABSENT.test(error.name)) return null;
    throw error;
  }
}

/** Every item of a paginated answer. */
export async function all<Page, Item>(
  pages: AsyncIterable<Page>,
  itemsOf: (page: Page) => readonly Item[] | undefined,
): Promise<Item[]> {
  const items: Item[] = [];
  for await (const page of pages) items.push(...(itemsOf(page) ?? []));
  return items;
}
