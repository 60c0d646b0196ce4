/** Cells whose end is not the usual one, each with the reason why that end is right. */
import type { End } from "./table.ts";

interface Exception {
  /** Of the cells' ids. */
  readonly cells: RegExp;
  readonly end: End;
  readonly because: string;
}

export const EXCEPTIONS: readonly Exception[] = [
  {
    cells: /^ApplyPolicy\/kubernetes-404\/lasting$/,
    end: "refused",
    because: "to whom the API server denies the pod, it does not exist: no target is guessed",
  },
];
