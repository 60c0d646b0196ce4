import { oneLine } from "./one-line.ts";

/**
 * A report as tables under headings, and its two forms. Whatever a cell holds may have come from an
 * attacker (a rule's text, a pod's name, a log line), so both forms escape all of it.
 */
export interface Report {
  readonly title: string;
  readonly sections: readonly Section[];
}

export interface Section {
  readonly title: string;
  readonly head?: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** Markdown with tables, as most viewers show it. */
export function toMarkdown({ title, sections }: Report): string {
  const row = (cells: readonly string[]) => `| ${cells.map(markdownText).join(" | ")} |`;
  return [
    `# ${markdownText(title)}`,
    ...sections.map(({ title, head, rows }) =>
      [
        `## ${markdownText(title)}`,
        "",
        row(headOf({ head, rows })),
        `|${" --- |".repeat(headOf({ head, rows }).length)}`,
        ...rows.map(row),
      ].join("\n"),
    ),
    "",
  ].join("\n\n");
}

/** One page of HTML that loads nothing and runs nothing. */
export function toHtml({ title, sections }: Report): string {
  const row = (tag: "td" | "th", cells: readonly string[]) =>
    `<tr>${cells.map((cell) => `<${tag}>${htmlText(cell)}</${tag}>`).join("")}</tr>`;
  const tables = sections.map(
    ({ title, head, rows }) =>
      `<h2>${htmlText(title)}</h2>\n<table>\n${[
        ...(head ? [row("th", head)] : []),
        ...rows.map((cells) => row("td", cells)),
      ].join("\n")}\n</table>`,
  );
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${htmlText(title)}</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 75em; margin: 2em auto; padding: 0 1em; }
table { border-collapse: collapse; width: 100%; }
td, th { border: 1px solid #bbb; padding: 0.25em 0.5em; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
</style>
</head>
<body>
<h1>${htmlText(title)}</h1>
${tables.join("\n")}
</body>
</html>
`;
}

/** Viewers of Markdown show a table only under a head, so one without names has empty ones. */
function headOf({ head, rows }: Pick<Section, "rows"> & { head?: readonly string[] | undefined }) {
  return head ?? (rows[0] ?? [""]).map(() => " ");
}

/**
 * On one line, and without a character that Markdown or HTML would take for its own. Many viewers
 * make a link of whatever looks like an address, so its colon, its `www.` and its `@` are hidden too.
 */
function markdownText(text: string): string {
  return htmlText(text)
    .replaceAll(/[\\`*_{}[\]()#+!|~@-]/g, "\\$&")
    .replaceAll("://", "\\://")
    .replaceAll(/www\./gi, (found) => `${found.slice(0, 3)}\\.`);
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function htmlText(text: string): string {
  return oneLine(text).replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
