import { both, EVERY_POD, type LabelExpression, UNCLEAR_PODS } from "./label-expression.ts";

/** What a Calico selector says of pods; `global()` is for what has no namespace, so for no pod. */
const NO_POD: LabelExpression = { is: "not", of: EVERY_POD };

/**
 * Calico's selector language: `has(k)`, `k == 'v'`, `k != 'v'`, `k in {'a', 'b'}`, `k not in {…}`,
 * `k contains 'v'`, `k starts with 'v'`, `k ends with 'v'`, `all()`, `global()`, `!`, `&&`, `||` and
 * parentheses; empty selects everything. Source: "Selectors" of the NetworkPolicy resource's
 * reference. Null when it cannot be parsed.
 */
export function parseCalicoSelector(
  text: string,
  keyOf: (key: string) => string | null,
): LabelExpression | null {
  const tokens = tokensOf(text);
  // The parser descends by token: a selector of absurd length is not worth a stack overflow.
  if (tokens === null || tokens.length > 2_000) return null;
  if (tokens.length === 0) return EVERY_POD;
  const parser = new Parser(tokens, keyOf);
  try {
    const expression = parser.or();
    return parser.ended() ? expression : null;
  } catch (error) {
    if (error instanceof NotASelector) return null;
    throw error;
  }
}

class NotASelector extends Error {
  override readonly name = "NotASelector";
}

interface Token {
  readonly is: "word" | "text" | "sign";
  readonly value: string;
}

const TOKEN =
  /\s*(?:(?<sign>&&|\|\||==|!=|[!(){},])|'(?<single>[^']*)'|"(?<double>[^"]*)"|(?<word>[A-Za-z0-9_./-]+))/y;

function tokensOf(text: string): readonly Token[] | null {
  const tokens: Token[] = [];
  const source = text.trimEnd();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const groups = TOKEN.exec(source)?.groups;
    if (!groups) return null;
    const { sign, single, double, word } = groups;
    if (sign !== undefined) tokens.push({ is: "sign", value: sign });
    else if (word !== undefined) tokens.push({ is: "word", value: word });
    else tokens.push({ is: "text", value: single ?? double ?? "" });
  }
  return tokens;
}

/** Recursive descent: `||` binds least, then `&&`, then `!`. */
class Parser {
  #at = 0;
  readonly #tokens: readonly Token[];
  readonly #keyOf: (key: string) => string | null;

  constructor(tokens: readonly Token[], keyOf: (key: string) => string | null) {
    this.#tokens = tokens;
    this.#keyOf = keyOf;
  }

  ended(): boolean {
    return this.#at === this.#tokens.length;
  }

  or(): LabelExpression {
    const of = [this.#and()];
    while (this.#sign("||")) of.push(this.#and());
    return of.length === 1 && of[0] ? of[0] : { is: "or", of };
  }

  #and(): LabelExpression {
    const of = [this.#not()];
    while (this.#sign("&&")) of.push(this.#not());
    return both(...of);
  }

  #not(): LabelExpression {
    if (this.#sign("!")) return { is: "not", of: this.#not() };
    if (this.#sign("(")) {
      const inner = this.or();
      this.#expect(")");
      return inner;
    }
    return this.#term();
  }

  #term(): LabelExpression {
    const word = this.#word();
    if (["all", "global", "has"].includes(word) && this.#sign("(")) {
      if (word === "has") {
        const key = this.#keyOf(this.#word());
        this.#expect(")");
        return key === null ? UNCLEAR_PODS : { is: "has", key };
      }
      this.#expect(")");
      return word === "all" ? EVERY_POD : NO_POD;
    }
    const key = this.#keyOf(word);
    const comparison = this.#comparison(key ?? "");
    return key === null ? UNCLEAR_PODS : comparison;
  }

  #comparison(key: string): LabelExpression {
    if (this.#sign("==")) return { is: "in", key, values: [this.#text()] };
    if (this.#sign("!=")) return { is: "not", of: { is: "in", key, values: [this.#text()] } };
    const word = this.#word();
    if (word === "in") return { is: "in", key, values: this.#set() };
    if (word === "contains") return { is: "contains", key, value: this.#text() };
    const second = this.#word();
    if (word === "not" && second === "in") {
      return { is: "not", of: { is: "in", key, values: this.#set() } };
    }
    if (second === "with" && (word === "starts" || word === "ends")) {
      return { is: word, key, value: this.#text() };
    }
    throw new NotASelector(`${word} ${second}`);
  }

  #set(): readonly string[] {
    this.#expect("{");
    const values: string[] = [];
    if (this.#sign("}")) return values;
    do values.push(this.#text());
    while (this.#sign(","));
    this.#expect("}");
    return values;
  }

  #sign(value: string): boolean {
    const token = this.#tokens[this.#at];
    const found = token?.is === "sign" && token.value === value;
    if (found) this.#at += 1;
    return found;
  }

  #expect(value: string): void {
    if (!this.#sign(value)) throw new NotASelector(`no ${value}`);
  }

  #word(): string {
    return this.#next("word");
  }

  #text(): string {
    return this.#next("text");
  }

  #next(is: Token["is"]): string {
    const token = this.#tokens[this.#at];
    if (token?.is !== is) throw new NotASelector(`no ${is}`);
    this.#at += 1;
    return token.value;
  }
}
