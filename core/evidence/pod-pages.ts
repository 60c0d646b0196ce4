import type { Pod } from "../kubernetes.ts";
import { artefactKey } from "./keys.ts";
import { redactPod } from "./redact.ts";
import { type Artefact, type EvidenceStore, JsonText } from "./store.ts";

/** The pages of a namespace's pods, of which it is held what `keep` makes of each. */
type PodPages = <Kept>(keep: (pod: Pod) => Kept) => AsyncIterable<readonly Kept[]>;

/**
 * Writes down pods as they come, an artefact a page, so that a namespace of any size passes through
 * a small function. `look` sees each pod as it was read. The answer belongs into the document that
 * the pages are part of: it holds their hashes, and the workflow's state only that document's.
 *
 * A state that runs again may find other pods in a page that it has written already; what was
 * written first stands.
 */
export async function keepPods(
  pages: PodPages,
  { runId, when }: { readonly runId: string; readonly when: "before" | "after" },
  store: Pick<EvidenceStore, "putOnce">,
  look: (pod: Pod) => void,
): Promise<readonly Artefact[]> {
  const artefacts: Artefact[] = [];
  const seen = (pod: Pod) => {
    look(pod);
    return JSON.stringify(redactPod(pod));
  };
  for await (const page of pages(seen)) {
    const key = artefactKey(runId, `${when}-pods-${artefacts.length + 1}.json`);
    const { artefact } = await store.putOnce(key, new JsonText(`[${page.join(",")}]`));
    artefacts.push(artefact);
  }
  return artefacts;
}
