import type { Reporter, TestCase, TestModule } from "vitest/node";

/** Files that took longer are named, with their time. */
const SLOW_MS = 30_000;

/**
 * Tells of a failure as soon as it is known, as the whole takes long, names what passed at its second
 * try only and what took longest, and ends the output with the line that CI reads: `N passed, N failed`.
 */
export default class CountReporter implements Reporter {
  onTestCaseResult(test: TestCase): void {
    const { state, errors = [] } = test.result();
    if (state !== "failed") return;
    console.log(`\nFAILED ${test.module.relativeModuleId}: ${test.fullName}`);
    for (const { message, stack = "" } of errors) {
      const at = stack.split("\n").find((line) => line.includes(test.module.relativeModuleId));
      console.log(`  ${message}\n  ${at?.trim() ?? ""}`);
    }
  }

  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const inState = (state: string) => tests.filter((test) => test.result().state === state).length;
    // A file that did not load, a hook that failed and an error outside of any test fail too.
    const suites = modules.flatMap((module) => [module, ...module.children.allSuites()]);
    const outside = suites.filter((suite) => suite.errors().length > 0).length;
    const failed = inState("failed") + outside + unhandledErrors.length;
    for (const test of tests) {
      if (test.diagnostic()?.flaky) {
        console.log(
          `\npassed at its second try: ${test.module.relativeModuleId}: ${test.fullName}`,
        );
        for (const { message } of test.result().errors ?? []) console.log(`  first: ${message}`);
      }
    }
    const slow = slowest(modules);
    if (slow.length > 0) console.log(`\nslow files\n${slow.join("\n")}`);
    console.log(`\n${inState("passed")} passed, ${failed} failed`);
  }
}

function slowest(modules: readonly TestModule[]): readonly string[] {
  return modules
    .map((module) => ({ file: module.relativeModuleId, ms: module.diagnostic().duration }))
    .filter(({ ms }) => ms > SLOW_MS)
    .toSorted((a, b) => b.ms - a.ms)
    .map(({ file, ms }) => `  ${String(Math.round(ms / 1_000)).padStart(4)} s  ${file}`);
}
