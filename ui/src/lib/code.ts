// Colours for code of any language: comments, strings, numbers and the words that most languages
// share. Coarse on purpose; a wrong guess costs a colour, never a letter.

export interface Token {
  kind: "plain" | "comment" | "string" | "number" | "word" | "added" | "removed";
  text: string;
}

const WORDS = new Set(
  `abstract as async await bool break case catch class const continue def default delete do elif else enum export
   extends extern false final finally fn for from func function if impl import in interface is let match mod module
   move mut namespace new nil none not null or and package pass private protected pub public raise return self static
   struct super switch this throw throws trait true try type typeof undefined union unsafe use var void where while
   with yield None True False Self echo fi done then esac end begin local`
    .split(/\s+/)
    .filter(Boolean),
);
const HASH = /^(py|python|sh|bash|zsh|shell|toml|ya?ml|ruby|rb|perl|r|make|makefile|dockerfile|ini|conf)$/i;
/** Longer blocks stay plain. */
const LONGEST = 40_000;

export function tokens(code: string, language: string): Token[] {
  if (code.length > LONGEST) return [{ kind: "plain", text: code }];
  if (/^(diff|patch)$/i.test(language)) return diffLines(code);
  const comment = HASH.test(language) ? "#[^\\n]*" : "\\/\\/[^\\n]*|\\/\\*[\\s\\S]*?(?:\\*\\/|$)";
  const shape = new RegExp(
    `(?<comment>${comment})|(?<string>"(?:\\\\.|[^"\\\\\\n])*"|'(?:\\\\.|[^'\\\\\\n]){2,}'|'(?:\\\\.|[^'\\\\\\n])'|\`[^\`\\n]*\`)` +
      "|(?<number>\\b\\d[\\d_.]*(?:[a-z]\\w*)?\\b)|(?<word>[A-Za-z_]\\w*)",
    "g",
  );
  const found: Token[] = [];
  let at = 0;
  for (const hit of code.matchAll(shape)) {
    const kind = kindOf(hit.groups!);
    if (kind === "plain") continue;
    if (hit.index > at) found.push({ kind: "plain", text: code.slice(at, hit.index) });
    found.push({ kind, text: hit[0] });
    at = hit.index + hit[0].length;
  }
  if (at < code.length) found.push({ kind: "plain", text: code.slice(at) });
  return found;
}

function kindOf(groups: Record<string, string | undefined>): Token["kind"] {
  if (groups.comment !== undefined) return "comment";
  if (groups.string !== undefined) return "string";
  if (groups.number !== undefined) return "number";
  return WORDS.has(groups.word ?? "") ? "word" : "plain";
}

function diffLines(code: string): Token[] {
  return code.split(/(?<=\n)/).map((text) => ({
    kind: text.startsWith("+") ? "added" : text.startsWith("-") ? "removed" : "plain",
    text,
  }));
}
