import type { Absorbed } from "../evidence/schemas/case.ts";
import { describeTarget } from "../target/target.ts";

/** Another case that this one took up, with how many alerts lie with that one and not with this. */
export interface AbsorbedCase extends Absorbed {
  readonly alerts: number;
}

const WHY: Readonly<Record<Absorbed["why"], string>> = {
  sameTarget: "proven to be the same target; this case acts for it",
  inNamespace: "a pod of this namespace; what its own case had done stays until that is released",
};

/** `pod shop/cart-1: proven to be the same target; this case acts for it; alerts that lie with it: 3`. */
export function absorbedLine({ target, why, alerts }: AbsorbedCase): string {
  const more = alerts === 0 ? "" : `; alerts that lie with it: ${alerts}`;
  return `${describeTarget(target)}: ${WHY[why]}${more}`;
}
