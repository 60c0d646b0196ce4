/** `npm run schemas`: docs/evidence.md and docs/schemas/, from the schemas of the artefacts. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { evidencePage, schemaFiles } from "./evidence-page.ts";

const schemas = join(import.meta.dirname, "schemas");
rmSync(schemas, { recursive: true, force: true });
mkdirSync(schemas);
for (const [file, text] of schemaFiles()) writeFileSync(join(schemas, file), text);
writeFileSync(join(import.meta.dirname, "evidence.md"), evidencePage());
