import { defineConfig } from "vitest/config";

const everywhere = ["**/node_modules/**", ".sst/**", ".cache/**"];

/** Most of a run of the playbook is waiting, which leaves time for others. */
const sideBySide = { maxWorkers: 3, sequence: { groupOrder: 1 } };

/** The first of its projects starts the one stage, which serves all of them. */
const onStage = {
  exclude: everywhere,
  globalSetup: "test/e2e/setup.ts",
  // Longer than all that a test waits for, which says what it waited for.
  testTimeout: 240_000,
  hookTimeout: 240_000,
  // On a crowded machine any server can be late. The report names each test that needed it.
  retry: 1,
};

export default defineConfig({
  test: {
    reporters: ["default", "./test/count-reporter.ts"],
    projects: [
      {
        test: {
          name: "unit",
          include: ["**/*.test.ts"],
          exclude: [...everywhere, "stacks/**", "test/e2e/**", "test/packets/**"],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: "stacks",
          include: ["stacks/**/*.test.ts"],
          exclude: everywhere,
          ...sideBySide,
          hookTimeout: 300_000, // each stage is bundled and synthesized once
        },
      },
      {
        test: {
          ...onStage,
          name: "e2e",
          include: ["test/e2e/*.test.ts"],
          ...sideBySide, // on one stage: each has namespaces of its own
        },
      },
      {
        test: {
          ...onStage,
          name: "e2e-alone",
          // What changes the stage itself: takes rights away, breaks a function, stops a server.
          include: ["test/e2e/alone/*.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: "packets",
          include: ["test/packets/**/*.test.ts"],
          exclude: everywhere,
          // Each file makes the one network that they all run in its own.
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
