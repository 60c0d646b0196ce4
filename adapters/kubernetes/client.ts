import { type ApiAnswer, type ApiRequest, failureOf, type Transport } from "./transport.ts";

/** Objects of one answer of a list; longer lists are asked for page by page. */
const PAGE_SIZE = 500;
/** Asks for names and labels only, which are a small part of a pod. */
const METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

interface Page<T> {
  readonly metadata?: { readonly continue?: string; readonly remainingItemCount?: number };
  readonly items: readonly T[];
}

/** The verbs of the Kubernetes API on a transport, with answers of 400 and above as errors. */
export function apiClient(transport: Transport) {
  async function send(apiRequest: ApiRequest, expected: readonly number[] = []) {
    const answer = await transport(apiRequest);
    if (answer.status >= 400 && !expected.includes(answer.status)) {
      throw failureOf(apiRequest, answer);
    }
    return answer;
  }

  /** Null for what is not there. */
  async function get<T>(path: string, accept?: string): Promise<T | null> {
    const answer = await send({ method: "GET", path, ...(accept && { accept }) }, [404]);
    return answer.status === 404 ? null : (answer.body as T);
  }

  /** A kind that the API server does not serve has no objects. */
  async function* pages<T>(
    path: string,
    { metadataOnly = false, size = PAGE_SIZE, fields = "" } = {},
  ): AsyncGenerator<readonly T[]> {
    const accept = metadataOnly ? METADATA_ONLY : undefined;
    let next = "";
    do {
      const from = next === "" ? "" : `&continue=${encodeURIComponent(next)}`;
      const page = await get<Page<T>>(`${path}?limit=${size}${where(fields)}${from}`, accept);
      if (page) yield page.items;
      next = page?.metadata?.continue ?? "";
    } while (next !== "");
  }

  return {
    get,
    pages,

    async list<T>(path: string): Promise<readonly T[]> {
      const items: T[] = [];
      for await (const page of pages<T>(path)) items.push(...page);
      return items;
    },

    async firstPage<T>(path: string, { metadataOnly = false, fields = "" } = {}) {
      const accept = metadataOnly ? METADATA_ONLY : undefined;
      const page = await get<Page<T>>(`${path}?limit=${PAGE_SIZE}${where(fields)}`, accept);
      const { continue: next, remainingItemCount } = page?.metadata ?? {};
      return { items: page?.items ?? [], remaining: remainingItemCount ?? (next ? 1 : 0) };
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
      { contentType = "application/json", expected = [] as readonly number[] } = {},
    ): Promise<ApiAnswer> {
      return send({ method, path, body: { contentType, content } }, expected);
    },
  };
}

/** A field selector, as `spec.nodeName=node-1`. */
function where(fields: string): string {
  return fields === "" ? "" : `&fieldSelector=${encodeURIComponent(fields)}`;
}

export type ApiClient = ReturnType<typeof apiClient>;
