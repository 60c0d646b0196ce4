#!/usr/bin/env node
import { Command } from "commander";
import { STAGE_NAMES } from "../stages.ts";
import { contain } from "./commands/contain.ts";
import { plan } from "./commands/plan.ts";
import { run, runs } from "./commands/runs.ts";
import { triage } from "./commands/triage.ts";
import { verify } from "./commands/verify.ts";

/*
 * Exit codes: 0 done and as it should be; 1 done, and the answer is no (a run that does not verify, a
 * cluster that is not ready); 2 it could not be done (bad arguments, nothing deployed, no such run).
 */
const program = new Command("containment")
  .description("Contain a compromised pod or namespace of an EKS cluster, and prove it")
  .showHelpAfterError("(containment --help shows what there is)")
  .exitOverride();

const stageOption = ["--stage <name>", `one of stages.ts: ${STAGE_NAMES.join(", ")}`] as const;
const jsonOption = ["--json", "print one JSON document and nothing else"] as const;

program
  .command("triage")
  .description("say, offline, what the product would do with an alert")
  .argument("<file>", "an SQS body, a bus event or a GuardDuty finding; - reads standard input")
  .option(stageOption[0], `${stageOption[1]} (default: the first that would act)`)
  .option(...jsonOption)
  .action(triage);

program
  .command("reach")
  .description("say, offline, who can reach a pod and whom it can reach")
  .requiredOption("--manifests <path>", "a file or folder of YAML or JSON; - reads standard input")
  .requiredOption("--pod <ns/name>", "the pod")
  .option("--cni <name>", "which CNI enforces: vpc, cilium or calico (default: not known)")
  .option(...jsonOption)
  .action(async (options) => {
    const { reach } = await import("./commands/reach.ts");
    await reach(options);
  });

program
  .command("contain")
  .description("ask for a containment by hand")
  .argument("<target>", "a namespace, or namespace/pod")
  .requiredOption("--reason <text>", "why; it is kept as evidence")
  .option("--uid <uid>", "act only on the object with this UID")
  .option("--audit", "make the plan and change nothing")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(contain);

program
  .command("plan")
  .description("show what a containment would write, and change nothing")
  .argument("<target>", "a namespace, or namespace/pod")
  .option("--severity <severity>", "as the alert's: it decides the order of writes", "high")
  .option("--uid <uid>", "plan only for the object with this UID")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(plan);

program
  .command("doctor")
  .description("check account, network, cluster and stage, say what to do, and change nothing")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(async (options) => {
    const { doctor } = await import("./commands/doctor.ts");
    await doctor(options);
  });

program
  .command("runs")
  .description("list the runs of a stage, newest first")
  .option("--limit <number>", "how many", "20")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(runs);

program
  .command("run")
  .description("show one run: what was seen, done and proven")
  .argument("<id>", "the run's id, as `containment runs` prints it")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(run);

program
  .command("verify")
  .description("recompute a run from its bytes and compare it with its manifest")
  .argument("<where>", "a downloaded folder, or s3://bucket/runs/<id>/")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(verify);

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = exitCodeOf(error);
}

/** Commander has already printed what it says; help that was asked for is no failure. */
function exitCodeOf(error: unknown): number {
  if (error instanceof Error && "exitCode" in error && "code" in error) {
    return error.exitCode === 0 ? 0 : 2;
  }
  console.error(`containment: ${error instanceof Error ? error.message : String(error)}`);
  return 2;
}
