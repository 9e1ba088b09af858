// What was said in the sessions, found as the user types: the engine searches the messages, and each
// line leads to its message.
import { useEffect, useRef } from "preact/hooks";
import type { Answer, Marked, SearchHit } from "../backend/types";
import { useDeferred } from "../lib/deferred";
import { exact, projectName } from "../lib/format";
import type { Filter } from "../lib/search";
import { link } from "../route";
import { useAnswer, useShared } from "../state";
import { words } from "../words";
import { Time } from "./common";

const MOST = 20;
/** Long enough that a word in the making is not searched letter by letter. */
const WAIT_MS = 120;

/** The words with the filters in the engine's language. */
export function asked(filter: Filter): string {
  const quoted = (value: string) => (/\s/.test(value) ? `"${value}"` : value);
  const fields = [
    filter.tool && `tool:${quoted(filter.tool)}`,
    filter.project && `project:${quoted(projectName(filter.project))}`,
    filter.device && `device:${quoted(filter.device)}`,
  ];
  return [filter.text.trimStart(), ...fields].filter(Boolean).join(" ");
}

interface Fits {
  /** Whether a session is among those that the list's other filters leave. */
  fits?: ((session: string) => boolean) | undefined;
}

export function FoundInMessages({ filter, fits }: { filter: Filter } & Fits) {
  const wanted = useDeferred(filter, WAIT_MS);
  if (wanted.text.trim().length < 2) return null;
  return <Found words={asked(wanted)} fits={fits} />;
}

function Found({ words: text, fits }: { words: string } & Fits) {
  const say = words.found;
  const { phase, answer, refusal } = useAnswer({ cmd: "search", words: text, limit: MOST });
  // The lines stay in their place until the next ones are there.
  const last = useRef<Answer<"search"> | undefined>(undefined);
  useEffect(() => {
    if (answer) last.current = answer;
  }, [answer]);
  const shown = answer ?? (phase === "loading" ? last.current : undefined);
  const hits = shown?.hits.filter((hit) => hit.snippets.length > 0 && (fits?.(hit.session) ?? true)) ?? [];
  const notes = [...(shown?.notices ?? []), ...(shown?.indexing ? [say.indexing(shown.indexing)] : [])];
  if (refusal && refusal.code !== "bad_search") return null;
  if (!refusal && hits.length === 0 && notes.length === 0) return null;
  return (
    <section class="found" aria-label={say.title}>
      <h2>{say.title}</h2>
      {refusal && <p class="dim">{refusal.message}</p>}
      {notes.map((note) => (
        <p class="dim" key={note}>
          {note}
        </p>
      ))}
      <ul>
        {hits.map((hit) => (
          <Hit key={hit.session} hit={hit} />
        ))}
      </ul>
    </section>
  );
}

function Hit({ hit }: { hit: SearchHit }) {
  const { tools } = useShared();
  const say = words.found;
  const about = `${tools.get(hit.tool)?.name ?? hit.tool} · ${projectName(hit.project)}`;
  return (
    <li>
      <p class="found-session">
        <span class="found-title" dir="auto" title={about}>
          {hit.title ? <Pieces pieces={hit.marked_title} /> : words.session.untitled}
        </span>
        <span class="session-age">
          <Time at={hit.updated} />
        </span>
      </p>
      {hit.snippets.map((line) => (
        <a
          key={`${line.message} ${line.other_version}`}
          class="found-line"
          dir="auto"
          href={line.other_version ? link("splits", hit.session) : link("sessions", hit.session, line.message)}
          title={line.at ? exact(line.at) : undefined}
        >
          <span class="found-who">{say.who(line.role, line.device)}</span> <Pieces pieces={line.text} />
        </a>
      ))}
    </li>
  );
}

function Pieces({ pieces }: { pieces: Marked[] }) {
  return <>{pieces.map((piece, at) => (piece.hit ? <mark key={at}>{piece.text}</mark> : piece.text))}</>;
}
