import * as z from "zod";

/** npm's severities, least severe first. */
const SEVERITIES = ["info", "low", "moderate", "high", "critical"] as const;
type Severity = (typeof SEVERITIES)[number];

/** From here on a known vulnerability of what is deployed fails the audit. */
const FAILS_FROM: Severity = "high";

const Report = z.object({
  vulnerabilities: z.record(
    z.string(),
    z.object({
      name: z.string(),
      severity: z.enum(SEVERITIES),
      range: z.string(),
      via: z.array(z.unknown()),
    }),
  ),
  metadata: z.object({ dependencies: z.object({ total: z.number() }) }),
});

const Advisory = z.object({ title: z.string(), url: z.string() });

const Failure = z.object({ message: z.string() });

export type Audit =
  | { readonly answered: false; readonly why: string }
  | {
      readonly answered: true;
      readonly packages: number;
      /** One line each, most severe first. */
      readonly failing: readonly string[];
      readonly told: readonly string[];
    };

/** Reads what `npm audit --json` printed; a registry that keeps no advisories answers with an error. */
export function readAudit(printed: string): Audit {
  let value: unknown;
  try {
    value = JSON.parse(printed);
  } catch {
    return { answered: false, why: `npm printed no JSON: ${printed.slice(0, 200)}` };
  }
  const report = Report.safeParse(value);
  if (!report.success) {
    const why = Failure.safeParse(value).data?.message ?? "its answer is no report";
    return { answered: false, why: why.replaceAll(/ - \S+ \S+:\/\/\S+/g, "") };
  }
  const found = Object.values(report.data.vulnerabilities)
    .toSorted((a, b) => rank(b.severity) - rank(a.severity))
    .map(({ name, severity, range, via }) => ({
      fails: rank(severity) >= rank(FAILS_FROM),
      line: `${severity}: ${name} ${range}: ${via.map(reason).join("; ")}`,
    }));
  return {
    answered: true,
    packages: report.data.metadata.dependencies.total,
    failing: found.filter(({ fails }) => fails).map(({ line }) => line),
    told: found.filter(({ fails }) => !fails).map(({ line }) => line),
  };
}

function rank(severity: Severity): number {
  return SEVERITIES.indexOf(severity);
}

/** An advisory, or the name of a dependency that has one. */
function reason(via: unknown): string {
  const advisory = Advisory.safeParse(via).data;
  return advisory ? `${advisory.title} (${advisory.url})` : `through ${String(via)}`;
}
