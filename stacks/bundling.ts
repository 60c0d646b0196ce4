import type { FunctionProps } from "sst/constructs";

type NodeSettings = NonNullable<FunctionProps["nodejs"]>;
type Plugin = NonNullable<NonNullable<NodeSettings["esbuild"]>["plugins"]>[number];

/**
 * Node's http modules by `require`. Imported as ES modules they hand out every export, among them
 * the getters that load undici, which nothing here uses: about 20 ms of every cold start.
 */
const requireHttp: Plugin = {
  name: "require-http",
  setup(build) {
    const namespace = "required-builtin";
    build.onResolve({ filter: /^(node:)?https?$/ }, ({ path, namespace: importer }) =>
      importer === namespace ? { path, external: true } : { path, namespace },
    );
    build.onLoad({ filter: /.*/, namespace }, ({ path }) => ({
      contents: `module.exports = require(${JSON.stringify(path)});`,
    }));
  },
};

/** How every function is bundled: small and quick to load, because a cold start is time to contain. */
export const BUNDLING: NodeSettings = {
  format: "esm",
  minify: true,
  sourcemap: false,
  esbuild: {
    keepNames: false, // error names are set explicitly (core/errors.ts)
    plugins: [requireHttp],
  },
};
