// Markdown of transcripts as a tree of plain values: the lexer is a library, the tree is our own.
// The tree cannot contain HTML: text that looks like HTML stays text.
import { Lexer, type MarkedToken, type Token, type Tokens } from "marked";

export type Inline =
  | { kind: "text" | "code"; text: string }
  | { kind: "strong" | "emphasis" | "strike"; inside: Inline[] }
  /** Without `address` it points into the project, and nothing is opened. */
  | { kind: "link"; address: string | null; target: string; inside: Inline[] }
  | { kind: "break" };

export type Align = "center" | "left" | "right" | null;

export interface Item {
  /** `null`: the item is no task. */
  checked: boolean | null;
  blocks: Block[];
}

export type Block =
  | { kind: "paragraph"; inside: Inline[] }
  | { kind: "heading"; level: number; inside: Inline[] }
  | { kind: "code"; language: string; text: string }
  | { kind: "quote"; blocks: Block[] }
  | { kind: "list"; ordered: boolean; start: number; items: Item[] }
  | { kind: "table"; align: Align[]; head: Inline[][]; rows: Inline[][][] }
  | { kind: "rule" };

/** Longer texts are plain: the lexer's time is not linear for every text. */
const LONGEST = 60_000;
/** Blocks within blocks are followed this far, by the lexer and by the drawing. */
const DEEPEST = 12;
/** A text becomes at most this many nodes; the rest of it is plain. */
const MOST_NODES = 6_000;
const MOST_CELLS = 2_000;

/** More nested markers at the start of a line than any text has. */
const TOO_DEEP = new RegExp(`^(?:[ \\t]{0,4}(?:>|[-*+][ \\t]|\\d{1,9}[.)][ \\t])){${DEEPEST * 2},}`, "m");

/** The last texts: rows that come back into sight are not read anew. */
const read = new Map<string, Block[]>();
const MOST_READ = 120;

export function markdown(text: string): Block[] {
  const known = read.get(text);
  if (known) return known;
  const blocks = parse(text);
  if (read.size >= MOST_READ) for (const oldest of read.keys()) if (read.delete(oldest)) break;
  read.set(text, blocks);
  return blocks;
}

function parse(text: string): Block[] {
  const source = text.replace(/\r\n?/g, "\n");
  if (source.length > LONGEST || TOO_DEEP.test(source)) return plain(source);
  try {
    return new Tree().blocks(new Lexer({ gfm: true }).lex(source), 0);
  } catch {
    // Deeper than the lexer can follow.
    return plain(source);
  }
}

/** Text of one line: code and emphasis, no blocks. */
export function inline(text: string): Inline[] {
  if (text.length > LONGEST) return [{ kind: "text", text }];
  try {
    return new Tree().inlines(new Lexer({ gfm: true }).inlineTokens(text, []), 0);
  } catch {
    return [{ kind: "text", text }];
  }
}

function plain(text: string): Block[] {
  return text.trim() === "" ? [] : [{ kind: "paragraph", inside: [{ kind: "text", text }] }];
}

class Tree {
  private left = MOST_NODES;

  blocks(tokens: Token[], depth: number): Block[] {
    return tokens.flatMap((token) => this.block(token as MarkedToken, depth));
  }

  private block(token: MarkedToken, depth: number): Block[] {
    this.left -= 1;
    if (this.left < 0 || depth > DEEPEST) return plain(token.raw);
    switch (token.type) {
      case "space":
      case "checkbox":
        return [];
      case "heading":
        return [{ kind: "heading", level: token.depth, inside: this.inlines(token.tokens, depth) }];
      case "code":
        return [{ kind: "code", language: languageOf(token.lang), text: token.text }];
      case "blockquote":
        return [{ kind: "quote", blocks: this.blocks(token.tokens, depth + 1) }];
      case "hr":
        return [{ kind: "rule" }];
      case "list":
        return [this.list(token, depth)];
      case "table":
        return [this.table(token, depth)];
      case "paragraph":
        return [{ kind: "paragraph", inside: this.inlines(token.tokens, depth) }];
      case "text":
        return [{ kind: "paragraph", inside: token.tokens ? this.inlines(token.tokens, depth) : textOf(token.text) }];
      default:
        // HTML and definitions of links are text too.
        return plain(token.raw.trimEnd());
    }
  }

  private list(token: Tokens.List, depth: number): Block {
    const items = token.items.map((item) => ({
      checked: item.task ? item.checked === true : null,
      blocks: this.blocks(item.tokens, depth + 1),
    }));
    const start = typeof token.start === "number" ? token.start : 1;
    return { kind: "list", ordered: token.ordered, start, items };
  }

  private table(token: Tokens.Table, depth: number): Block {
    if (token.header.length * (token.rows.length + 1) > MOST_CELLS) {
      return { kind: "code", language: "", text: token.raw.trimEnd() };
    }
    const row = (cells: Tokens.TableCell[]) => cells.map((cell) => this.inlines(cell.tokens, depth));
    return { kind: "table", align: token.align, head: row(token.header), rows: token.rows.map(row) };
  }

  inlines(tokens: Token[], depth: number): Inline[] {
    const found: Inline[] = [];
    for (const token of tokens) {
      for (const piece of this.inline(token as MarkedToken, depth)) {
        const last = found.at(-1);
        if (piece.kind === "text" && last?.kind === "text") last.text += piece.text;
        else found.push(piece);
      }
    }
    return found;
  }

  private inline(token: MarkedToken, depth: number): Inline[] {
    this.left -= 1;
    if (this.left < 0 || depth > DEEPEST) return [{ kind: "text", text: token.raw }];
    const inside = (tokens: Token[]) => this.inlines(tokens, depth + 1);
    switch (token.type) {
      case "strong":
        return [{ kind: "strong", inside: inside(token.tokens) }];
      case "em":
        return [{ kind: "emphasis", inside: inside(token.tokens) }];
      case "del":
        return [{ kind: "strike", inside: inside(token.tokens) }];
      case "codespan":
        return [{ kind: "code", text: token.text }];
      case "br":
        return [{ kind: "break" }];
      case "escape":
        return [{ kind: "text", text: token.text }];
      case "link":
        return linked(token.href, inside(token.tokens), token.raw);
      case "image":
        // A picture elsewhere is never fetched.
        return linked(token.href, textOf(token.text || token.href), token.raw);
      case "text":
        return token.tokens ? inside(token.tokens) : textOf(token.text);
      case "checkbox":
        return [];
      default:
        return [{ kind: "text", text: token.raw }];
    }
  }
}

function linked(target: string, inside: Inline[], raw: string): Inline[] {
  const address = safeAddress(target);
  if (address) return [{ kind: "link", address, target, inside }];
  return isRelative(target) ? [{ kind: "link", address: null, target, inside }] : [{ kind: "text", text: raw }];
}

/** Only addresses that a browser may be asked to open. */
export function safeAddress(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === "https:" || url.protocol === "http:" || url.protocol === "mailto:" ? url.href : null;
  } catch {
    return null;
  }
}

/** A file of the project or a place in a page: no scheme, no other host. */
function isRelative(target: string): boolean {
  return /^(?!\/\/)[^\s:\\]+(?::\d+(?:[-:]\d+)?)?(?:#[^\s]*)?$/.test(target);
}

const ENTITIES: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#39": "'", apos: "'", nbsp: " " };

function textOf(text: string): Inline[] {
  const decoded = text.replace(/&(amp|lt|gt|quot|#39|apos|nbsp);/g, (_, name: string) => ENTITIES[name]!);
  return [{ kind: "text", text: decoded }];
}

function languageOf(info: string | undefined): string {
  return /^[\w+#.-]{1,30}/.exec(info ?? "")?.[0] ?? "";
}
