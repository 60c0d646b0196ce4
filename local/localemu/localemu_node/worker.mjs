// A minimal Lambda runtime for Node: `node worker.mjs REQUESTS_FD OUTCOMES_FD`. It speaks one JSON
// object per line: invocations come in on the first file descriptor, outcomes go out on the second.
// Errors have the shape of aws-lambda-ric, so that Retry and Catch of a state machine match the
// same names as on AWS. The process ends when the first descriptor is closed.
import { existsSync, readFileSync, statSync, writeSync } from "node:fs";
import { createRequire, registerHooks } from "node:module";
import { Socket } from "node:net";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [REQUESTS_FD, OUTCOMES_FD] = process.argv.slice(2).map(Number);
const { LAMBDA_TASK_ROOT, LAMBDA_SDK_NODE_MODULES, _HANDLER } = process.env;

// Lambda's Node runtime ships the AWS SDK; a function that brings its own copy keeps it.
const RUNTIME_PACKAGES = /^(@aws-sdk|@smithy|@aws-crypto)\//;

const MODULE_NOT_FOUND_CODES = ["MODULE_NOT_FOUND", "ERR_MODULE_NOT_FOUND"];

class RuntimeError extends Error {
  constructor(name, message) {
    super(message);
    this.name = name;
  }
}

function send(message) {
  const bytes = Buffer.from(`${JSON.stringify(message)}\n`);
  for (let sent = 0; sent < bytes.length; ) sent += writeSync(OUTCOMES_FD, bytes, sent);
}

function describeError(error) {
  const isErrorLike = error instanceof Error || (error?.message && error?.stack);
  if (!isErrorLike) return { errorType: typeof error, errorMessage: String(error), trace: [] };
  return {
    errorType: error.name,
    errorMessage: error.message,
    trace: String(error.stack ?? "").split("\n"),
  };
}

function offerRuntimePackages(nodeModules) {
  const runtime = pathToFileURL(resolve(nodeModules, "runtime.js")).href;
  const requireFromRuntime = createRequire(runtime);
  registerHooks({
    resolve(specifier, context, nextResolve) {
      try {
        return nextResolve(specifier, context);
      } catch (error) {
        if (!RUNTIME_PACKAGES.test(specifier)) throw error;
        return context.conditions.includes("require")
          ? nextResolve(requireFromRuntime.resolve(specifier), context)
          : nextResolve(specifier, { ...context, parentURL: runtime });
      }
    },
  });
}

function isFile(path) {
  return existsSync(path) && statSync(path).isFile();
}

async function loadHandler(taskRoot, handlerName) {
  const dot = handlerName.lastIndexOf(".");
  const [modulePath, exportName] = [handlerName.slice(0, dot), handlerName.slice(dot + 1)];
  const candidates = ["", ".js", ".mjs", ".cjs"].map((end) => resolve(taskRoot, modulePath + end));
  const file = candidates.find(isFile);
  if (!file) {
    throw new RuntimeError(
      "Runtime.ImportModuleError",
      `Error: Cannot find module '${modulePath}'`,
    );
  }
  const loaded = file.endsWith(".cjs")
    ? createRequire(file)(file)
    : await import(pathToFileURL(file).href);
  const handler = loaded[exportName] ?? loaded.default?.[exportName];
  if (typeof handler !== "function") {
    const message = `${handlerName} is undefined or not exported`;
    throw new RuntimeError("Runtime.HandlerNotFound", message);
  }
  return handler;
}

function initErrorType(error) {
  if (error instanceof SyntaxError) return "Runtime.UserCodeSyntaxError";
  if (MODULE_NOT_FOUND_CODES.includes(error?.code)) return "Runtime.ImportModuleError";
  return describeError(error).errorType;
}

async function initialize() {
  try {
    if (LAMBDA_SDK_NODE_MODULES) offerRuntimePackages(LAMBDA_SDK_NODE_MODULES);
    const handler = await loadHandler(LAMBDA_TASK_ROOT, _HANDLER);
    send({ ready: true });
    return handler;
  } catch (error) {
    console.error(error);
    send({ initError: { ...describeError(error), errorType: initErrorType(error) } });
  }
}

function contextOf(invocation) {
  const deadline = Date.now() + invocation.timeoutMs;
  return {
    awsRequestId: invocation.id,
    invokedFunctionArn: invocation.arn,
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(0, deadline - Date.now()),
  };
}

/** Call an async handler, a handler with a callback, or one that just returns. */
function callHandler(handler, event, context) {
  return new Promise((succeed, fail) => {
    const returned = handler(event, context, (error, value) =>
      error ? fail(error) : succeed(value),
    );
    if (typeof returned?.then === "function") returned.then(succeed, fail);
    else if (handler.length < 3) succeed(returned);
  });
}

/** The most that this process has had, in MB. `resourceUsage` would tell what its parent had too. */
function peakMemory() {
  const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync("/proc/self/status", "utf8"));
  return Math.round(Number(kilobytes) / 1024);
}

function reportLine(invocation, context, durationMs, initDurationMs) {
  const fields = [
    `REPORT RequestId: ${invocation.id}`,
    `Duration: ${durationMs.toFixed(2)} ms`,
    `Billed Duration: ${Math.ceil(durationMs)} ms`,
    `Memory Size: ${context.memoryLimitInMB} MB`,
    `Max Memory Used: ${peakMemory()} MB`,
  ];
  if (initDurationMs !== undefined) fields.push(`Init Duration: ${initDurationMs.toFixed(2)} ms`);
  return `${fields.join("\t")}\n`;
}

async function run(handler, invocation) {
  try {
    const event = JSON.parse(invocation.payload);
    const result = await callHandler(handler, event, invocation.context);
    return { id: invocation.id, ok: JSON.stringify(result === undefined ? null : result) };
  } catch (error) {
    console.error(error);
    return { id: invocation.id, error: describeError(error) };
  }
}

const handler = await initialize();
// Time since the process started: like AWS, only the first invocation reports it.
let initDurationMs = performance.now();

const requests = createInterface({
  input: new Socket({ fd: REQUESTS_FD, readable: true, writable: false }),
});
requests.on("close", () => process.exit(0));

for await (const line of requests) {
  const invocation = JSON.parse(line);
  invocation.context = contextOf(invocation);
  process.env._X_AMZN_TRACE_ID = invocation.traceId ?? "";
  const { functionVersion } = invocation.context;
  process.stdout.write(`START RequestId: ${invocation.id} Version: ${functionVersion}\n`);
  const startMs = performance.now();
  const outcome = await run(handler, invocation);
  const durationMs = performance.now() - startMs;
  process.stdout.write(`END RequestId: ${invocation.id}\n`);
  process.stdout.write(reportLine(invocation, invocation.context, durationMs, initDurationMs));
  initDurationMs = undefined;
  send(outcome);
}
