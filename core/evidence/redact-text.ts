import { sha256 } from "./manifest.ts";

/*
 * Text that somebody else wrote (log lines, messages, arguments) without the secrets that can be told
 * by their shape. Who writes a log may be the attacker: no pattern may take long on any text, so
 * every repetition before a literal is bounded, and none may swallow the lines around a secret.
 */

/** Long random values: a few digits of their hash tell whether two are the same, and not what it is. */
const RANDOM_VALUES: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["EKS token", /k8s-aws-v1\.[\w-]+/g],
  ["JSON web token", /\beyJ[\w-]{8,}(?:\.[\w-]*){0,2}/g],
  ["AWS access key", /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g],
  ["token", /\b(?:gh[opusr]_|github_pat_|glpat-|xox[abeprs]-|sk_live_|npm_)[\w-]{16,}/g],
];

/** Words whose value is a secret, wherever they stand: `DB_PASSWORD=…`, `"apiKey": "…"`. */
const SECRET_NAME =
  "(?:passwd|password|passphrase|pwd|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?|authorization)";

/** A value in quotes, escaped ones too, or up to the next space or separator. */
const VALUE = String.raw`(?:\\"[^"\\\n]{0,4096}\\"|"(?:[^"\\\n]|\\.){0,4096}"|'[^'\n]{0,4096}'|[\\"']{0,2}[^\s"'\\;&]+)`;

const REDACTED = "[redacted]";

const NAMED_VALUES: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/\b(Bearer|Basic|Negotiate)([ \t]{1,8}|%20)[\w.~+/=-]{8,}/gi, `$1$2${REDACTED}`],
  [
    /(X-Amz-(?:Security-Token|Signature|Credential)(?:=|%3D|["']?:[ \t]{0,8}))[^\s&"']+/gi,
    `$1${REDACTED}`,
  ],
  // The password of a URL, and a user name that is long enough to be a token.
  [/(:\/\/[^\s:/@"']{0,256}:)[^\s/"']{1,512}@/g, `$1${REDACTED}@`],
  [/(:\/\/)[^\s:/@"']{20,512}@/g, `$1${REDACTED}@`],
  [/((?:^|\s)(?:-u|--user)[ =])[^\s:]{1,256}:\S+/g, `$1${REDACTED}`],
  [
    new RegExp(
      String.raw`(${SECRET_NAME}[\w.-]{0,40}\\?["']?[ \t]{0,8}(?:[:=]|%3D)[ \t]{0,8})${VALUE}`,
      "gi",
    ),
    `$1${REDACTED}`,
  ],
  [
    new RegExp(String.raw`(--?[\w-]{0,40}${SECRET_NAME}[\w-]{0,40}[ \t]{1,8})${VALUE}`, "gi"),
    `$1${REDACTED}`,
  ],
];

/** Only lines that hold nothing but base64 belong to it: others may be what an attacker would hide. */
const KEY_BLOCK = new RegExp(
  [
    "-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY-----",
    String.raw`(?:[\w+/=\r]|\\[nr])*(?:\n[\w+/=]{16,}\r?(?=\n|$))*`,
    String.raw`(?:(?:\n[\w+/=]{0,80}\r?)?\n?-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----)?`,
  ].join(""),
  "g",
);
const END_OF_KEY = /^[\w+/=]*-----END [A-Z0-9 ]{0,30}PRIVATE KEY-----/;
/** A line that holds nothing but base64, as those of a key do. */
const KEY_LINE = /^[\w+/=]{16,}\r?$/;

/** The same text, line by line, with `[redacted]` for every secret that was recognised. */
export function redactText(text: string): string {
  let redacted = withoutKeys(text);
  for (const [what, pattern] of RANDOM_VALUES) {
    redacted = redacted.replace(
      pattern,
      (value) => `[redacted ${what} ${sha256(value).slice(0, 8)}]`,
    );
  }
  for (const [pattern, replacement] of NAMED_VALUES) {
    redacted = redacted.replace(pattern, replacement);
  }
  return redacted;
}

/** True for an argument whose next one is a secret: `--password hunter2`. */
export function announcesSecret(argument: string): boolean {
  return /^(-u|--user)$/.test(argument) || SECRET_FLAG.test(argument);
}

const SECRET_FLAG = new RegExp(`^--?[\\w-]{0,40}${SECRET_NAME}[\\w-]{0,40}$`, "i");

/** True for a field whose text is a secret by its name: `password`, `clientSecret`. */
export function namesSecret(field: string): boolean {
  return /(passwd|password|passphrase|secret|token|apikey|secretaccesskey|authorization)$/i.test(
    field.replaceAll(/[-_]/g, ""),
  );
}

/** Private keys, whole or cut at either end: the last lines of a log may begin within one. */
function withoutKeys(text: string): string {
  if (!text.includes("PRIVATE KEY-----")) return text;
  const whole = text.replace(
    KEY_BLOCK,
    (block) => `[redacted private key]${"\n".repeat(block.split("\n").length - 1)}`,
  );
  const lines = whole.split("\n");
  for (let end = 0; end < lines.length; end++) {
    if (!END_OF_KEY.test(lines[end] ?? "")) continue;
    lines[end] = (lines[end] ?? "").replace(END_OF_KEY, "[redacted private key]");
    for (let at = end - 1; at >= 0 && KEY_LINE.test(lines[at] ?? ""); at--) lines[at] = REDACTED;
  }
  return lines.join("\n");
}
