/** The matrix as a table: on the terminal, and in docs/faults.md with what it means. */
import type { Job } from "./jobs.ts";
import type { Result, Results } from "./results.ts";

/** The order in which a cell's variants are written. */
const VARIANTS = ["briefly", "lasting", "from-the-first-write", "at-the-first-write", "unit"];

const SIGNS: readonly (readonly [RegExp, string])[] = [
  [/^(contained|drained|told)$/, "C"],
  [/^(contained|drained|told), \w+ missing$/, "M"],
  [/^failed, then (contained|drained|told) by redrive$/, "F"],
  [/^contained by the next look$/, "N"],
  [/^refused$/, "R"],
  [/^failed, then refused by redrive$/, "FR"],
];

/** What is in the cells, in the words of the ends. */
const LEGEND = [
  "C: `contained`; of the drain `drained`, of the message about a failure `told`",
  "M: the same without the state's part, as the manifest, the state's own artefact or the message says",
  "F: `failed`, then `contained`, `drained` or `told` by redrive",
  "N: `contained by the next look`: this one did not say that it is contained",
  "R: `refused`: nothing was changed, and the run says why",
  "FR: `failed, then refused by redrive`",
  "!: otherwise than the table says, which is a defect",
  "·: not run since it is in the table",
];

function signOf(result: Result | undefined): string {
  if (result === undefined) return "·";
  if (result.wrong.length > 0) return "!";
  return SIGNS.find(([end]) => end.test(result.end))?.[1] ?? "!";
}

/** One table for each family of faults: a row is a state, a column a fault. */
export function matrix(jobs: readonly Job[], results: Results): string {
  const parts = jobs.map(({ id }) => {
    const [state = "", column = "", variant = ""] = id.split("/");
    return { id, state, column, variant, family: familyOf(column) };
  });
  const families = [...new Set(parts.map(({ family }) => family))];
  return families
    .map((family) => {
      const cells = parts.filter((part) => part.family === family);
      const columns = [...new Set(cells.map(({ column }) => column))];
      const states = [...new Set(cells.map(({ state }) => state))];
      const rows = states.map((state) =>
        columns.map((column) =>
          cells
            .filter((cell) => cell.state === state && cell.column === column)
            .toSorted((a, b) => VARIANTS.indexOf(a.variant) - VARIANTS.indexOf(b.variant))
            .map(({ id }) => signOf(results[id]))
            .join(" "),
        ),
      );
      const heads = columns.map((column) => column.replace(`${family}-`, ""));
      return table([[family, ...heads], ...rows.map((row, at) => [states[at] ?? "", ...row])]);
    })
    .join("\n\n");
}

/** `kubernetes-503` is of `kubernetes`; what strikes a process or an alert is of its own. */
function familyOf(column: string): string {
  return /^(kubernetes|s3|ec2|eks|events|sts|crash)-/.exec(column)?.[1] ?? "others";
}

/** In Markdown, aligned so that it can be read as it is. */
function table([head = [], ...rows]: readonly (readonly string[])[]): string {
  const widths = head.map((_, at) =>
    Math.max(3, ...[head, ...rows].map((row) => (row[at] ?? "").length)),
  );
  const line = (cells: readonly string[]) =>
    `| ${widths.map((width, at) => (cells[at] ?? "").padEnd(width)).join(" | ")} |`;
  const rule = line(widths.map((width) => "-".repeat(width)));
  return [line(head), rule, ...rows.map(line)].join("\n");
}

/** docs/faults.md. */
export function page(jobs: readonly Job[], results: Results): string {
  const run = jobs.flatMap(({ id }) => results[id] ?? []);
  const days = [...new Set(run.map(({ day }) => day))].toSorted();
  const defects = jobs.filter(({ id }) => (results[id]?.wrong.length ?? 0) > 0);
  const exceptions = new Map<string, string[]>();
  for (const { id, end, because } of jobs) {
    if (because === null) continue;
    exceptions.set(`${end}: ${because}`, [...(exceptions.get(`${end}: ${because}`) ?? []), id]);
  }
  return `# The fault matrix

Written by \`npm run faults -- --write\`. Every state of every workflow of a stage that asks anything of
anybody, times everything that can go wrong there, on a local stage: the real API server and the
emulated AWS, with proxies between them and the functions. Which faults a state has is derived from what
it declares that it needs (\`functions/needs.ts\`), its expected end from the kind of the fault and from
whether the workflow catches the state (\`test/faults/table.ts\`).

A cell is one execution in a shop of its own: an alert that is contained, a contained pod whose policy
somebody deleted and that is looked at again, a contained pod whose node is drained, or a failure that is
told. The fault strikes one state of it: *briefly* (two requests, or one kill), *lasting* (until the cause
is removed, just before the redrive), or *from the first write on*, when reads have gone through; the
cells of a column are in this order. Afterwards the
cluster, EC2 and the bucket are looked at: the quarantine is there exactly once, one replacement was
started, no volume was snapshotted twice, the target's marker is the case's, and \`verify\` finds
nothing wrong with the evidence. A drain must have left the pod alone on its node, the failure must stand
in its case once, and a look that did not see the quarantine must not have said that it holds. A fault
that met no request fails the cell. After a 429 the state must stay away for as long as \`Retry-After\`
says.

${LEGEND.map((line) => `- ${line}`).join("\n")}

\`npm run faults -- --only ApplyPolicy/kubernetes-503/lasting\` runs one cell, \`--only '*/s3-503'\` a
column, \`--left\` those that have no good end yet, \`--list\` names all. STS knows no execution, and
ListOpenCases lists every case: their cells run alone. Out of memory is a process that gets no more of
it (\`prlimit\`) and a long answer. The unit layer kills a state before and after every call that it makes. Tasks that a workflow does itself
(the kill switch, the notifications, what it asks CloudTrail and GuardDuty) pass no proxy:
\`test/e2e/alone/missing-rights.test.ts\` refuses them.

## Last run

${run.length} of ${jobs.length} cells, run ${days.join(" to ") || "never"}; ${defects.length} not as they must be.

${matrix(jobs, results)}

## Ends that are not the usual ones

${[...exceptions].map(([why, ids]) => `- ${why} (${ids.join(", ")})`).join("\n") || "None."}
${defects.length === 0 ? "" : `\n## Not as they must be\n\n${defects.map(({ id }) => `- ${id}: ${results[id]?.wrong.join("; ")}`).join("\n")}\n`}`;
}
