import type { Target } from "../target/target.ts";
import { type Brake, EVERY_WRITE } from "./brake.ts";

/** Holds for a namespace of the list, whoever asks. */
export function protectedNamespaceBrake(
  { namespace }: Target,
  protectedNamespaces: readonly string[],
): Brake | null {
  if (!protectedNamespaces.includes(namespace)) return null;
  return {
    brake: "protectedNamespace",
    withheld: EVERY_WRITE,
    why: `namespace ${namespace} is protected`,
    lift: `take ${namespace} out of response.protectedNamespaces in stages.ts and deploy; or act by hand, with kubectl`,
  };
}
