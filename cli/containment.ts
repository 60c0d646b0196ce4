#!/usr/bin/env node
import { Command } from "commander";
import { STAGE_NAMES } from "../stages.ts";
import { contain } from "./commands/contain.ts";
import { plan } from "./commands/plan.ts";
import { run, runs } from "./commands/runs.ts";
import { triage } from "./commands/triage.ts";
import { verify } from "./commands/verify.ts";
import { guardTerminal } from "./terminal.ts";

guardTerminal();

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
  .command("drain")
  .description("show which pods would leave the nodes of a contained target; --yes evicts them")
  .argument("<case|run>", "the id of the case, or of the run that contained")
  .option("--yes", "evict them, wait for it, and keep the result as a run of the case")
  .option("--reason <text>", "why; with --yes it is kept as evidence")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(async (id, options) => {
    const { drain } = await import("./commands/drain.ts");
    await drain(id, options);
  });

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
  .command("reverify")
  .description("look at an open case again now: does what its run made still stand?")
  .argument("<case>", "the case's id, as a notification and `containment run` print it")
  .option("--mend", "put the quarantine back if it has drifted and the stage's settings allow it")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(async (caseId, options) => {
    const { reverify } = await import("./commands/reverify.ts");
    await reverify(caseId, options);
  });

program
  .command("redrive")
  .description("say what failed, why and what will run again; redrive it, and follow to the end")
  .argument("<execution>", "its name or ARN, or the id of its run or case")
  .option("--yes", "do not ask")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(async (id, options) => {
    const { redrive } = await import("./commands/redrive.ts");
    await redrive(id, options);
  });

program
  .command("export")
  .description("pack everything known of a case, with a report for people, into one ZIP file")
  .argument("<case>", "the case's id, as a notification and `containment run` print it")
  .option("--to <file>", "where to (default: <case>.zip in this folder); nothing is overwritten")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(async (caseId, options) => {
    const { exportCase } = await import("./commands/export.ts");
    await exportCase(caseId, options);
  });

program
  .command("verify")
  .description("recompute a run from its bytes and compare it with its manifest")
  .argument("<where>", "a downloaded folder, or s3://bucket/runs/<id>/")
  .option("--explain", "print each check that was made, and those that could not be")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(verify);

const dlq = program
  .command("dlq")
  .description("the dead-letter queue: what nobody could act on, why, and sending it again");

dlq
  .command("list")
  .description("every message: where it came from, why, and how old it is")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(async (options) => {
    const { list } = await import("./commands/dlq.ts");
    await list(options);
  });

dlq
  .command("explain")
  .description("one message: why it is there, what is in it, and what would be done with it now")
  .argument("<id>", "the message's id, as `containment dlq list` prints it")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(async (id, options) => {
    const { explain } = await import("./commands/dlq.ts");
    await explain(id, options);
  });

dlq
  .command("resend")
  .description("send messages to where they belong, and delete each once it is sent")
  .argument("[id]", "the message's id; --all for every message")
  .option("--all", "every message")
  .option("--force", "send also what would still not be read")
  .option("--yes", "do not ask")
  .option(...stageOption, "local")
  .option(...jsonOption)
  .action(async (id, options) => {
    const { resend } = await import("./commands/dlq.ts");
    await resend(id, options);
  });

program
  .command("images")
  .description("copy the images of a stage's settings into its private registry")
  .option("--dry-run", "say what would be copied, and copy nothing")
  .option("--pin <image>", "print the settings' line for what this tag means today")
  .option(...stageOption, "new")
  .option(...jsonOption)
  .action(async (options) => {
    const { images } = await import("./commands/images.ts");
    await images(options);
  });

program
  .command("manifests")
  .description(
    "print a workload of the demo cluster with its private images, for kubectl apply -f -",
  )
  .argument("<workload>", "uptime-kuma or honey-pod")
  .option(...stageOption, "new")
  .action(async (workload, options) => {
    const { manifests } = await import("./commands/manifests.ts");
    await manifests(workload, options);
  });

program
  .command("tools")
  .description("bring kubectl onto the bastion, through the stage's tools bucket")
  .option("--from <url>", "where Kubernetes' releases are published", "https://dl.k8s.io/release")
  .option("--dry-run", "say what would be done, and change nothing")
  .option(...stageOption, "new")
  .action(async (options) => {
    const { tools } = await import("./commands/tools.ts");
    await tools(options);
  });

program
  .command("tunnel")
  .description("Uptime Kuma on localhost, or a command with the private cluster's kubeconfig")
  .argument("[command...]", "behind --, e.g. containment tunnel -- kubectl get pods")
  .option("--port <number>", "of Uptime Kuma on this machine", "3001")
  .option(...stageOption, "new")
  .action(async (command, options) => {
    const { tunnel } = await import("./commands/tunnel.ts");
    await tunnel(command, options);
  });

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
