import { defineConfig } from "vitest/config";

const everywhere = ["**/node_modules/**", ".sst/**", ".cache/**"];

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
          // Each stage is bundled and synthesized once, which takes most of the time.
          fileParallelism: false,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          exclude: everywhere,
          globalSetup: "test/e2e/setup.ts",
          // One stage serves all files, and one of them takes its API server away.
          fileParallelism: false,
          testTimeout: 120_000,
          hookTimeout: 120_000,
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
