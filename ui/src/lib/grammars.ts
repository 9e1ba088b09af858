// The languages that are coloured: a file of its own, loaded with the first code that is shown.
import type { Root } from "hast";
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import csharp from "highlight.js/lib/languages/csharp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import kotlin from "highlight.js/lib/languages/kotlin";
import markdown from "highlight.js/lib/languages/markdown";
import php from "highlight.js/lib/languages/php";
import python from "highlight.js/lib/languages/python";
import ruby from "highlight.js/lib/languages/ruby";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import swift from "highlight.js/lib/languages/swift";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";
import { inSlices } from "./slices";

const GRAMMARS = {
  bash,
  c,
  cpp,
  csharp,
  css,
  diff,
  go,
  ini,
  java,
  javascript,
  json,
  kotlin,
  markdown,
  php,
  python,
  ruby,
  rust,
  sql,
  swift,
  typescript,
  xml,
  yaml,
};
const ALIASES = {
  bash: ["shell", "console", "shellsession", "fish", "bat", "powershell", "ps1"],
  css: ["scss", "less"],
  ini: ["conf", "cfg", "env", "properties"],
  json: ["jsonl", "ndjson", "json5", "jsonc"],
  javascript: ["mjs", "cjs", "jsx"],
  markdown: ["mdx"],
  typescript: ["tsx", "mts", "cts"],
  xml: ["vue", "svelte"],
};
const lowlight = createLowlight();

/** Makes the grammars, one after the other: all at once take longer than a frame. */
export function load(): Promise<typeof highlight> {
  return new Promise((done) => {
    function* steps() {
      for (const [name, grammar] of Object.entries(GRAMMARS)) {
        lowlight.register(name, grammar);
        yield;
      }
      lowlight.registerAlias(ALIASES);
      done(highlight);
    }
    inSlices(steps());
  });
}

/** The tree of a code; `null` for a language that is not here. */
function highlight(code: string, language: string): Root | null {
  return lowlight.registered(language) ? lowlight.highlight(language, code) : null;
}
