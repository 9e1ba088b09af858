// The uncommitted changes that another device recorded, beside the checkout here: which files, what
// differs in each, and whether to take them over.
import { useState } from "preact/hooks";
import { Refusal } from "../backend/backend";
import type { CodeFile, CodeOffer } from "../backend/types";
import { ofPatch } from "../lib/changes";
import { useAnswer, useShared } from "../state";
import { words } from "../words";
import { Failed, Skeleton, Switch } from "./common";
import { Fold } from "./fold";
import { ChangedLines } from "./lines";

/** Whether the user can take the files over. */
export function isOffered(offer: CodeOffer): boolean {
  return offer.state === "in_place" || offer.state === "worktree";
}

/** Whether the user should hear of it at all. */
function isTold(offer: CodeOffer, isFork: boolean): boolean {
  return offer.state !== "none" && offer.state !== "same" && (isFork || offer.is_last);
}

/** How long the message offers to take the files back; the session's history does so for good. */
const UNDO_MS = 60_000;

interface AskedProps {
  session: string;
  asked: ReturnType<typeof useAnswer<"code_offer">>;
  wanted: boolean;
  want: (wanted: boolean) => void;
  isFork?: boolean;
}

/** The offer, once it is known whether there is one. */
export function CodeAsked({ asked, ...rest }: AskedProps) {
  const say = words.code;
  if (asked.phase === "loading") return <Skeleton rows={2} label={say.asking} />;
  return (
    <>
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} title={say.failed} />}
      {asked.answer && <CodeOffered offer={asked.answer} {...rest} />}
    </>
  );
}

/** Takes the files over, and says so with a way back. */
export function useTakingOver() {
  const { backend, tell } = useShared();
  return async (session: string, snapshot: string, stay: boolean) => {
    const applied = await backend.roam({ cmd: "code_apply", session, snapshot, stay });
    const act = async () => {
      const last = await backend.roam({ cmd: "undoable", session });
      if (last?.kind !== "code") throw new Refusal({ code: "undo_changed", ...words.code.undoChanged });
      return backend.roam({ cmd: "undo", session });
    };
    const undo = { act, until: Date.now() + UNDO_MS };
    return { ...applied, told: (more: string) => tell(`${applied.message} ${more}`.trim(), undo) };
  };
}

interface CodeOfferedProps {
  session: string;
  offer: CodeOffer;
  wanted: boolean;
  want: (wanted: boolean) => void;
  /** The code of a moment, for a new session. */
  isFork?: boolean;
}

function CodeOffered({ session, offer, wanted, want, isFork = false }: CodeOfferedProps) {
  const say = words.code;
  if (!isTold(offer, isFork)) return null;
  if (!isOffered(offer))
    return (
      <p class="dim">
        {say.impossible(offer.device)} <span dir="auto">{offer.why}</span>
      </p>
    );
  const more = offer.n_files - offer.files.length;
  return (
    <section class="code-offer">
      <h3>{say.files(offer.n_files, offer.device)}</h3>
      <ul class="plain-list">
        {offer.files.map((file) => (
          <li key={file.path}>
            <File session={session} snapshot={offer.snapshot} file={file} />
          </li>
        ))}
      </ul>
      {more > 0 && <p class="dim">{say.more(more)}</p>}
      {offer.since > 0 && <p class="warned">{say.since(offer.since, offer.device)}</p>}
      {offer.commits > 0 && <p class="warned">{say.commits(offer.commits, offer.device)}</p>}
      {offer.left_out.length > 0 && (
        <details class="left-out">
          <summary>{say.stayed(offer.left_out.length, offer.device)}</summary>
          <ul class="plain-list dim">
            {offer.left_out.map(({ path, why }) => (
              <li key={path}>{say.stayedFile(path, why)}</li>
            ))}
          </ul>
        </details>
      )}
      <p class="dim">
        {offer.state === "worktree" ? (
          <>
            <span dir="auto">{offer.why}</span> {say.worktree}{" "}
          </>
        ) : (
          <>{say.inPlace} </>
        )}
        <code dir="ltr">{offer.dir}</code>
      </p>
      <Switch on={wanted} name={say.switchName(offer.device)} words={[say.takes, say.leaves]} onChange={want} />
    </section>
  );
}

function File({ session, snapshot, file }: { session: string; snapshot: string; file: CodeFile }) {
  const [isOpen, setOpen] = useState(false);
  const say = words.code;
  return (
    <Fold
      icon="file"
      name={say.changes[file.change]}
      note={file.shown}
      code="file"
      aside={file.obeyed ? <span class="warned">{say.obeyed}</span> : undefined}
      opened={() => setOpen(true)}
    >
      {isOpen && <Difference session={session} snapshot={snapshot} path={file.path} />}
    </Fold>
  );
}

function Difference({ session, snapshot, path }: { session: string; snapshot: string; path: string }) {
  const asked = useAnswer({ cmd: "code_diff", session, snapshot, path });
  const say = words.code;
  if (asked.phase === "failed") return <Failed refusal={asked.refusal} again={asked.again} />;
  if (asked.phase === "loading") return <Skeleton rows={3} label={say.loading} />;
  const changes = ofPatch(asked.answer.text, path);
  if (changes.every((change) => change.lines.length === 0)) return <p class="dim">{say.noText}</p>;
  return (
    <>
      {changes.map((change) => (
        <ChangedLines key={change.path} change={change} />
      ))}
      {asked.answer.cut && <p class="dim">{say.cut}</p>}
    </>
  );
}
