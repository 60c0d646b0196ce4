import { isNamespaceName, isPodName } from "../core/target/target.ts";

/** `payments` or `payments/checkout-1`, as it is typed; throws at anything else. */
export function targetOf(text: string): {
  readonly namespace: string;
  readonly pod: string | null;
} {
  const [namespace = "", pod = null, ...rest] = text.split("/");
  if (!isNamespaceName(namespace) || rest.length > 0 || (pod !== null && !isPodName(pod))) {
    throw new Error(`"${text}" is neither a namespace nor namespace/pod`);
  }
  return { namespace, pod };
}
