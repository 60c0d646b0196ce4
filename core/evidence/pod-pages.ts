import type { Pod } from "../kubernetes.ts";
import { artefactKey } from "./keys.ts";
import { redactPod } from "./redact.ts";
import type { Artefact, EvidenceStore } from "./store.ts";

/**
 * Writes down pods as they come, an artefact a page, so that a namespace of any size passes through
 * a small function. `look` sees each pod as it was read. The answer belongs into the document that
 * the pages are part of: it holds their hashes, and the workflow's state only that document's.
 *
 * A state that runs again may find other pods in a page that it has written already; what was
 * written first stands.
 */
export async function keepPods(
  pages: AsyncIterable<readonly Pod[]>,
  { runId, when }: { readonly runId: string; readonly when: "before" | "after" },
  store: Pick<EvidenceStore, "putOnce">,
  look: (pod: Pod) => void,
): Promise<readonly Artefact[]> {
  const artefacts: Artefact[] = [];
  for await (const page of pages) {
    for (const pod of page) look(pod);
    const key = artefactKey(runId, `${when}-pods-${artefacts.length + 1}.json`);
    const { artefact } = await store.putOnce(key, page.map(redactPod));
    artefacts.push(artefact);
  }
  return artefacts;
}
