import { type ApiAnswer, type ApiRequest, failureOf, type Transport } from "./transport.ts";

/** Objects of one answer of a list; longer lists are asked for page by page. */
const PAGE_SIZE = 500;
/** Asks for names and labels only, which are a small part of a pod. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

/**
 * What every API server serves: its lists may be empty, and are always there. Other kinds come with
 * a CNI, and a 404 says that there are none.
 */
const ALWAYS_SERVED =
  /^\/(api\/v1|apis\/(apps|autoscaling|discovery\.k8s\.io|networking\.k8s\.io|policy|rbac\.authorization\.k8s\.io)\/v\d+)\//;

interface List {
  readonly metadata?: { readonly continue?: string; readonly remainingItemCount?: number };
}

interface Listed {
  readonly metadataOnly?: boolean;
  readonly size?: number;
  /** A field selector, as `spec.nodeName=node-1`. */
  readonly fields?: string;
  /** Whoever looks at the items does more than keep them: none may be shown twice. */
  readonly once?: boolean;
}

/** Of each item all that there is: for kinds of which there are few, or which are small. */
export function whole<T>(item: T): T {
  return item;
}

/** The verbs of the Kubernetes API on a transport, with answers of 400 and above as errors. */
export function apiClient(transport: Transport) {
  async function send(apiRequest: ApiRequest, expected: readonly number[] = []) {
    const answer = await transport(apiRequest);
    const isFailure = answer.status >= 400 && !expected.includes(answer.status);
    if (isFailure && !apiRequest.takes?.(answer)) throw failureOf(apiRequest, answer);
    return answer;
  }

  /** Null for what is not there. */
  async function get<T>(path: string, accept?: string): Promise<T | null> {
    const answer = await send({ method: "GET", path, ...(accept && { accept }) }, [404]);
    return answer.status === 404 ? null : (answer.body as T);
  }

  /** A page of a list, or null for a kind that this API server does not serve. */
  async function page<T, Kept>(
    path: string,
    { metadataOnly = false, size = PAGE_SIZE, fields = "", once = false }: Listed,
    next: string,
    keep: (item: T) => Kept,
  ): Promise<{ readonly items: readonly Kept[]; readonly list: List } | null> {
    const query = [
      `limit=${size}`,
      ...(fields ? [`fieldSelector=${encodeURIComponent(fields)}`] : []),
      ...(next ? [`continue=${encodeURIComponent(next)}`] : []),
    ];
    const items: Kept[] = [];
    const { status, body } = await send(
      {
        method: "GET",
        path: `${path}?${query.join("&")}`,
        ...(metadataOnly && { accept: METADATA_ONLY }),
        each: (item) => void items.push(keep(item as T)),
        ...(!once && { forget: () => void items.splice(0) }),
      },
      ALWAYS_SERVED.test(path) ? [] : [404],
    );
    return status === 404 ? null : { items, list: body as List };
  }

  /**
   * A list page by page. Of each item only what `keep` makes of it is held.
   *
   * A kind that the API server does not serve has no objects.
   */
  async function* pages<T, Kept>(
    path: string,
    listed: Listed,
    keep: (item: T) => Kept,
  ): AsyncGenerator<readonly Kept[]> {
    let next = "";
    do {
      const found = await page(path, listed, next, keep);
      if (found) yield found.items;
      next = found?.list.metadata?.continue ?? "";
    } while (next !== "");
  }

  return {
    get,
    pages,

    async list<T>(path: string): Promise<readonly T[]> {
      const items: T[] = [];
      for await (const each of pages<T, T>(path, {}, whole)) items.push(...each);
      return items;
    },

    async firstPage<T, Kept>(path: string, listed: Listed, keep: (item: T) => Kept) {
      const found = await page(path, listed, "", keep);
      const { continue: next, remainingItemCount } = found?.list.metadata ?? {};
      return { items: found?.items ?? [], remaining: remainingItemCount ?? (next ? 1 : 0) };
    },

    /** An answer that is no JSON; `timeoutMs` instead of the usual time. */
    async text(path: string, timeoutMs: number): Promise<string> {
      const { body } = await send({ method: "GET", path, accept: "*/*", timeoutMs, text: true });
      return String(body);
    },

    /** Creates or changes; the caller says which failures it handles itself. */
    write(
      method: "POST" | "PUT" | "PATCH" | "DELETE",
      path: string,
      content: unknown,
      {
        contentType = "application/json",
        expected = [],
        takes,
      }: {
        readonly contentType?: string;
        readonly expected?: readonly number[];
        readonly takes?: ApiRequest["takes"];
      } = {},
    ): Promise<ApiAnswer> {
      return send({ method, path, body: { contentType, content }, takes }, expected);
    },
  };
}

export type ApiClient = ReturnType<typeof apiClient>;
