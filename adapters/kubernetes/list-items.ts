const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;

/** Where they begin: what may come before them, kind, version and metadata, holds no lists. */
const ITEMS = '"items":[';

/**
 * Takes a list of the Kubernetes API apart while it arrives. A page of a hundred pods is megabytes, as
 * bytes, as text and as objects; so only one item of it is held at a time.
 *
 * @param each is shown every object of `items`
 * @returns `write` for the chunks of the answer, and `end`, which returns the list without its items
 */
export function listItems(each: (item: unknown) => void): {
  write(chunk: Buffer): void;
  end(): Readonly<Record<string, unknown>>;
} {
  let place: "before" | "in" | "after" = "before";
  let head = "";
  /** What was not taken apart yet; within the items it begins with one, or between two. */
  let rest: Buffer = Buffer.alloc(0);

  function takeItems(): void {
    while (place === "in") {
      const from = rest.findIndex((byte) => byte === OPEN_OBJECT || byte === CLOSE_ARRAY);
      if (from < 0) return;
      if (rest[from] === CLOSE_ARRAY) {
        rest = rest.subarray(from);
        place = "after";
        return;
      }
      const end = endOfObject(rest, from);
      if (end === null) return;
      each(JSON.parse(rest.toString("utf8", from, end)));
      rest = rest.subarray(end);
    }
  }

  return {
    write(chunk) {
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      if (place === "before") {
        const begin = rest.indexOf(ITEMS);
        if (begin < 0) return;
        head = rest.toString("utf8", 0, begin + ITEMS.length);
        rest = rest.subarray(begin + ITEMS.length);
        place = "in";
      }
      takeItems();
    },
    end() {
      const { items, ...list } = JSON.parse(head + rest.toString("utf8"));
      for (const item of items ?? []) each(item); // `"items": [` is how a person would write it
      return list;
    },
  };
}

/** The index behind the object that begins there; null when its end has not come yet. */
function endOfObject(bytes: Buffer, from: number): number | null {
  let depth = 0;
  for (let at = from; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === OPEN_OBJECT) depth += 1;
    else if (byte === CLOSE_OBJECT) {
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (byte === QUOTE) {
      at = endOfString(bytes, at);
      if (at < 0) return null;
    }
  }
  return null;
}

/** The index of the quote that ends the string that begins there; -1 when it has not come yet. */
function endOfString(bytes: Buffer, from: number): number {
  let end = bytes.indexOf(QUOTE, from + 1);
  while (end >= 0 && isEscaped(bytes, end)) end = bytes.indexOf(QUOTE, end + 1);
  return end;
}

function isEscaped(bytes: Buffer, quote: number): boolean {
  let first = quote;
  while (bytes[first - 1] === BACKSLASH) first -= 1;
  return (quote - first) % 2 === 1;
}
