import { type ApiAnswer, messageOf } from "./transport.ts";

/**
 * Of an answer to an eviction: null when the pod is on its way or gone, a text when it is refused for
 * now, undefined when the answer says nothing of the pod. A refusal and an API server in trouble have
 * the same status (403, 409, 429, 500), so what is said decides; read in `eviction.go` of Kubernetes 1.35.
 */
export function refusalOf(answer: ApiAnswer): string | null | undefined {
  const { status } = answer;
  if (status < 400 || status === 404 || isAnother(answer)) return null;
  // Its namespace is being deleted, and takes the pod with it.
  if (causesOf(answer).includes("NamespaceTerminating")) return null;
  return isRefusal(answer) ? messageOf(answer) : undefined;
}

/** Whether the name is another object's by now, and not only changed at that moment. */
export function isAnother(answer: ApiAnswer): boolean {
  return answer.status === 409 && /UID in (the )?precondition/.test(messageOf(answer));
}

/** What is said where two budgets select the pod, or where a budget's controller is behind. */
const BY_A_BUDGET =
  /more than one PodDisruptionBudget|DisruptedPods map too big|disruptions allowed/;
/** Of a webhook, as those of operators that move the pod themselves, or of an admission policy. */
const BY_ADMISSION = /denied (the )?request/;

/** A budget has nothing left, is not known yet or cannot be kept, or an admission says no. */
function isRefusal(answer: ApiAnswer): boolean {
  if (causesOf(answer).includes("DisruptionBudget")) return true;
  const message = messageOf(answer);
  return BY_A_BUDGET.test(message) || BY_ADMISSION.test(message);
}

function causesOf({ body }: ApiAnswer): readonly string[] {
  const { details } = (body ?? {}) as {
    readonly details?: { readonly causes?: readonly { readonly reason?: string }[] };
  };
  return (details?.causes ?? []).flatMap(({ reason }) => reason ?? []);
}
