/** `npm run rbac`: writes the manifest and the page of permissions from what the code declares. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { permissionsPage } from "../stacks/permissions.ts";
import { rbacManifest } from "./rbac.ts";

const root = join(import.meta.dirname, "..");
await writeFile(join(root, "kubernetes/rbac.yaml"), rbacManifest());
await writeFile(join(root, "docs/permissions.md"), permissionsPage());
