import type { Announcements } from "../../core/evidence/record-run.ts";
import type { ForensicCopyRequest } from "../../core/node/forensic-copy.ts";

/** The stage's bus, for unit tests: what was said on it. */
export interface MemoryAnnouncements extends Announcements {
  readonly completed: Parameters<Announcements["containmentCompleted"]>[0][];
  readonly copiesRequested: ForensicCopyRequest[];
}

export function memoryAnnouncements(): MemoryAnnouncements {
  const completed: MemoryAnnouncements["completed"] = [];
  const copiesRequested: ForensicCopyRequest[] = [];
  return {
    ...{ completed, copiesRequested },
    async containmentCompleted(result) {
      completed.push(result);
    },
    async forensicCopiesRequested(requests) {
      copiesRequested.push(...requests);
    },
  };
}
