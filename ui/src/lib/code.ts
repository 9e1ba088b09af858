// Colours for code. The highlighter is loaded with the first code that is shown; until then, and in
// languages it does not know, code is plain.
import type { Element, Root, RootContent } from "hast";

export interface Token {
  /** What a grammar calls it: `keyword`, `string`; empty for plain text. */
  kind: string;
  text: string;
}

type Highlight = (code: string, language: string) => Root | null;

/** Longer blocks stay plain: a grammar's time is not linear for every text. */
const LONGEST = 40_000;
/** A line longer than this is no source that anybody wrote. */
const LONGEST_LINE = 4_000;

let highlight: Highlight | undefined;
let loading: Promise<void> | undefined;

/** Loads the highlighter; returns at once if it is there. */
export function loadHighlighter(): Promise<void> {
  loading ??= import("./grammars")
    .then(({ load }) => load())
    .then((loaded) => {
      highlight = loaded;
    });
  return loading;
}

export function isHighlighterLoaded(): boolean {
  return highlight !== undefined;
}

export function tokens(code: string, language: string): Token[] {
  if (!highlight || !language || code.length > LONGEST || longestLine(code) > LONGEST_LINE) return [plain(code)];
  try {
    const root = highlight(code, language.toLowerCase());
    return root ? flat(root.children, "") : [plain(code)];
  } catch {
    // A grammar that gives up costs the colours only.
    return [plain(code)];
  }
}

/** Codes whose tokens are kept: what comes back into sight has its colours at once. */
const MOST_KEPT = 200;
/** The last tokens found, the latest last. */
const kept = new Map<string, Token[]>();

/** The tokens of a code that was asked for before. */
export function knownTokens(code: string, language: string): Token[] | undefined {
  return kept.get(keyOf(code, language));
}

/** Finds the tokens and keeps them. */
export function keptTokens(code: string, language: string): Token[] {
  const key = keyOf(code, language);
  const found = kept.get(key) ?? tokens(code, language);
  kept.delete(key);
  if (isHighlighterLoaded()) kept.set(key, found);
  const [oldest] = kept.keys();
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
  return found;
}

/** Without a grammar there is nothing to find: the tokens are one piece of plain text. */
export function plainTokens(code: string): Token[] {
  return [plain(code)];
}

function keyOf(code: string, language: string): string {
  return `${language.toLowerCase()}\n${code}`;
}

/** Tokens by lines, for views with a column of numbers. */
export function byLines(all: readonly Token[]): Token[][] {
  const lines: Token[][] = [[]];
  for (const { kind, text } of all) {
    for (const [at, piece] of text.split("\n").entries()) {
      if (at > 0) lines.push([]);
      if (piece) lines.at(-1)!.push({ kind, text: piece });
    }
  }
  return lines;
}

/** The language of a file, by its name. */
export function languageOfPath(path: string): string {
  const name = path.split(/[\\/]/).at(-1)!.toLowerCase();
  if (/^(dockerfile|containerfile)/.test(name)) return "bash";
  if (/^(makefile|justfile)$/.test(name)) return "bash";
  return /\.([a-z0-9+#]{1,12})$/.exec(name)?.[1] ?? "";
}

function flat(nodes: RootContent[], outer: string): Token[] {
  return nodes.flatMap((node) => {
    if (node.type === "text") return [{ kind: outer, text: node.value }];
    return node.type === "element" ? flat(node.children, kindOf(node) || outer) : [];
  });
}

/** `hljs-title function_` is the kind `title`. */
function kindOf(element: Element): string {
  const names = element.properties.className;
  const name = Array.isArray(names) ? String(names[0] ?? "") : "";
  return name.replace(/^hljs-/, "");
}

function longestLine(code: string): number {
  let longest = 0;
  for (let from = 0; from < code.length; ) {
    const end = code.indexOf("\n", from);
    const to = end < 0 ? code.length : end;
    longest = Math.max(longest, to - from);
    from = to + 1;
  }
  return longest;
}

function plain(text: string): Token {
  return { kind: "", text };
}
