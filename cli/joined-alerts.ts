import type { caseObjects } from "../adapters/aws/case-objects.ts";
import { absorbedPrefix, joinedAlertsPrefix } from "../core/evidence/keys.ts";
import type { Absorbed } from "../core/evidence/schemas/case.ts";
import type { AbsorbedCase } from "../core/report/absorbed.ts";

type Objects = Pick<ReturnType<typeof caseObjects>, "keys" | "read">;

export interface Joined {
  /** Keys of the alerts that lie with the case, without the one that opened it. */
  readonly alerts: readonly string[];
  /** The cases that it took up, and the keys of the alerts that lie with those only. */
  readonly absorbed: readonly (AbsorbedCase & { readonly alertKeys: readonly string[] })[];
}

/**
 * What joined a case. An alert that joined a case which was taken up just then lies with both, under
 * the name of its execution, and counts once.
 */
export async function joinedAlerts(caseId: string, objects: Objects): Promise<Joined> {
  const [alerts, absorbedKeys] = await Promise.all([
    objects.keys(joinedAlertsPrefix(caseId)),
    objects.keys(absorbedPrefix(caseId)),
  ]);
  const known = new Set(alerts.map(executionOf));
  const absorbed = absorbedKeys.map(async (key) => {
    const document: Absorbed = JSON.parse(Buffer.from(await objects.read(key)).toString("utf8"));
    const theirs = await objects.keys(joinedAlertsPrefix(document.case.id));
    const alertKeys = theirs.filter((each) => !known.has(executionOf(each)));
    return { ...document, alerts: alertKeys.length, alertKeys };
  });
  return { alerts, absorbed: await Promise.all(absorbed) };
}

function executionOf(alertKey: string): string {
  return alertKey.slice(alertKey.lastIndexOf("/") + 1);
}
