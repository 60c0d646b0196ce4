import type { ManifestEntry, Warning } from "./manifest.ts";

/**
 * How far a writer's clock and S3's may lie apart. A write is tried twice with six seconds for each
 * attempt (`adapters/aws/client.ts`), S3 tells whole seconds, and two seconds are for the clocks.
 */
export const SKEW_TOLERANCE_MS = 15_000;

/**
 * How far back a later state's time may lie. One second because S3 tells whole seconds, one for the
 * clocks of two functions' hosts, which AWS keeps within milliseconds.
 */
export const ORDER_TOLERANCE_MS = 2_000;

/**
 * In which order states write, by the playbook: one comes after all of a lower number. States of the
 * same number run beside each other. Of a state that is not listed only its clock is compared.
 */
export const STATE_ORDER: Readonly<Record<string, number>> = {
  OpenCase: 1,
  Authenticate: 2,
  SnapshotBefore: 3,
  ApplyPolicy: 4,
  CompletePolicy: 5,
  PreserveNode: 5,
  SnapshotNodeEbs: 5,
  CaptureContext: 5,
  PreviewCredentials: 5,
  RecordContext: 5,
  FollowSnapshots: 5,
  SnapshotAfter: 6,
  RecordRun: 7,
  // A drain is a run of its own.
  DrainNode: 1,
  RecordDrain: 2,
};

/** What the times of a run's artefacts say against each other, pure: at sealing, and to a verifier. */
export function clockWarnings(
  artefacts: readonly Pick<ManifestEntry, "name" | "state" | "capturedAt" | "storedAt">[],
  run: { readonly startedAt: string; readonly sealedAt: string },
): readonly Warning[] {
  return artefacts.flatMap((artefact): readonly Warning[] => [
    ...skew(artefact),
    ...outside(artefact, run),
    ...backwards(artefact, artefacts),
  ]);
}

type Timed = Parameters<typeof clockWarnings>[0][number];

function skew({ name, capturedAt, storedAt }: Timed): readonly Warning[] {
  if (capturedAt === null) return [];
  const apart = Math.abs(Date.parse(storedAt) - Date.parse(capturedAt));
  if (apart <= SKEW_TOLERANCE_MS) return [];
  const message = `${name}: its writer's clock said ${capturedAt}, S3's ${storedAt}`;
  return [{ code: "clockSkewed", artefact: name, message }];
}

/** Before the execution began, or after it was sealed. */
function outside(
  { name, capturedAt, storedAt }: Timed,
  { startedAt, sealedAt }: { readonly startedAt: string; readonly sealedAt: string },
): readonly Warning[] {
  const [begin, end] = [Date.parse(startedAt), Date.parse(sealedAt)];
  return [capturedAt ?? storedAt, storedAt]
    .filter((time, index, both) => both.indexOf(time) === index)
    .filter(
      (time) =>
        Date.parse(time) < begin - ORDER_TOLERANCE_MS ||
        Date.parse(time) > end + ORDER_TOLERANCE_MS,
    )
    .map((time) => ({
      code: "clockBackwards",
      artefact: name,
      message: `${name}: ${time} is not between the run's begin (${startedAt}) and its sealing (${sealedAt})`,
    }));
}

/** Written before something that an earlier state wrote, by the writers' clocks or by S3's. */
function backwards(artefact: Timed, all: readonly Timed[]): readonly Warning[] {
  const order = (state: string | null) => STATE_ORDER[state ?? ""] ?? Number.NaN;
  const clocks = [
    { clock: "its writer's clock", of: ({ capturedAt }: Timed) => capturedAt },
    { clock: "S3's clock", of: ({ storedAt }: Timed) => storedAt },
  ];
  return clocks.flatMap(({ clock, of }) => {
    const own = Date.parse(of(artefact) ?? "");
    const later = all.find(
      (other) =>
        order(other.state) < order(artefact.state) &&
        Date.parse(of(other) ?? "") > own + ORDER_TOLERANCE_MS,
    );
    if (!later) return [];
    const message =
      `${artefact.name} of ${artefact.state} was written at ${of(artefact)} by ${clock}, ` +
      `${later.name} of ${later.state}, which comes before it, at ${of(later)}`;
    return [{ code: "clockBackwards" as const, artefact: artefact.name, message }];
  });
}
