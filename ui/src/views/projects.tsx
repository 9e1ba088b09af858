// Where each project is on this device, and whether its sessions sync.
import { useState } from "preact/hooks";
import type { ProjectRow } from "../backend/types";
import { plural, projectName } from "../lib/format";
import { Button, Empty, Failed, FirstFocus, Refused, Skeleton, Submit, Switch } from "../parts/common";
import { Icon } from "../parts/icon";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";

export function ProjectsView() {
  const { revision } = useShared();
  const asked = useAnswer({ cmd: "projects" }, revision);
  const [text, setText] = useState("");
  const say = words.projects;
  const all = asked.answer ?? [];
  const wanted = text.trim().toLowerCase();
  const rows = all.filter((row) =>
    `${row.key} ${row.names.join(" ")} ${row.places.join(" ")}`.toLowerCase().includes(wanted),
  );
  // Projects without a directory on this device need an answer and come first.
  rows.sort(
    (one, other) => Number(one.places.length > 0) - Number(other.places.length > 0) || other.sessions - one.sessions,
  );
  return (
    <div class="page">
      <h1>{words.views.projects}</h1>
      <p class="intro">{say.intro}</p>
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {asked.phase === "loading" && <Skeleton rows={5} label={say.loading} tall />}
      {asked.answer && all.length === 0 && <Empty icon="projects" title={say.none} why={say.noneWhy} />}
      {all.length > 8 && (
        <input
          class="field"
          type="search"
          aria-label={say.search}
          placeholder={say.search}
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      )}
      {all.length > 0 && rows.length === 0 && <Empty icon="search" title={say.noneFound} why={say.noneFoundWhy} />}
      <ul class="cards">
        {rows.map((row) => (
          <Project key={row.key} row={row} changed={asked.again} />
        ))}
      </ul>
    </div>
  );
}

/** Only a repository has commits on which changes are made. */
function isRepository(row: ProjectRow): boolean {
  return row.key.startsWith("git:") || row.key.startsWith("root:");
}

function Project({ row, changed }: { row: ProjectRow; changed: () => void }) {
  const { backend, tools, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [asking, setAsking] = useState(false);
  const [switchedOff, setSwitchedOff] = useState(false);
  const say = words.projects;
  const name = projectName(row.key);
  const exclude = async (excluded: boolean) => {
    await act(() => backend.roam({ cmd: "project_exclude", key: row.key, excluded }));
    changed();
  };
  const switchCode = async (on: boolean) => {
    const project = row.key.split("#")[0]!;
    const done = await act(() => backend.roam({ cmd: "code_switch", project, on }));
    setSwitchedOff(!on && done !== undefined);
    changed();
  };
  const forgetCode = async () => {
    const project = row.key.split("#")[0]!;
    const done = await act(() => backend.roam({ cmd: "code_forget", project }));
    if (!done) return;
    setSwitchedOff(false);
    tell(done.message);
  };
  const choose = async () => {
    const done = await act(async () => {
      const dir = await backend.roam({ cmd: "choose_directory", title: say.whereName(name) });
      return dir ? backend.roam({ cmd: "project_map", key: row.key, dir }) : undefined;
    });
    if (!done) return;
    tell(done.message || say.set_done);
    changed();
  };
  return (
    <li class="card">
      <Icon name={row.key.startsWith("git:") ? "projects" : "folder"} size={20} />
      <div class="card-body">
        <h2 dir="auto">{name}</h2>
        <p class="dim">
          {plural(row.sessions, "session", "sessions")} ·{" "}
          {row.tools.map((tool) => tools.get(tool)?.name ?? tool).join(", ")} · <code dir="ltr">{row.key}</code>
        </p>
        {row.places.length > 0 ? (
          <ul class="plain-list places">
            {row.places.map((place) => (
              <li key={place}>
                <code dir="ltr">{place}</code>
              </li>
            ))}
          </ul>
        ) : (
          <p class="warned">
            <Icon name="warning" size={14} /> {say.noPlace}. <span class="dim">{say.noPlaceWhy}</span>
          </p>
        )}
        {row.excluded_by && <p class="dim">{say.excludedBy(row.excluded_by)}</p>}
        {isRepository(row) && row.places.length > 0 && (
          <div class="goes-along">
            <Switch
              on={row.code}
              busy={busy}
              name={words.code.projectName(name)}
              words={[words.code.goesAlong, words.code.staysHere]}
              onChange={(on) => void switchCode(on)}
            />
            {row.code && <span class="dim">{words.code.projectWhy}</span>}
            {switchedOff && !row.code && (
              <Button kind="quiet" busy={busy} name={`${words.code.forget}: ${name}`} onClick={() => void forgetCode()}>
                {words.code.forget}
              </Button>
            )}
          </div>
        )}
        {asking ? (
          <Place row={row} close={() => setAsking(false)} changed={changed} />
        ) : (
          <div class="row-of-buttons">
            <Button
              kind={row.places.length > 0 ? "quiet" : "plain"}
              icon="folder"
              busy={busy}
              name={say.whereName(name)}
              onClick={() => void choose()}
            >
              {row.places.length > 0 ? say.elsewhere : say.where}
            </Button>
            <Button kind="quiet" icon="pencil" name={say.typeName(name)} onClick={() => setAsking(true)}>
              {say.type}
            </Button>
          </div>
        )}
        <Refused refusal={refusal} clear={clear} />
      </div>
      <Switch
        on={!row.excluded}
        busy={busy}
        name={say.switchName(name)}
        words={[say.roams, say.stays]}
        onChange={(on) => void exclude(!on)}
      />
    </li>
  );
}

function Place({ row, close, changed }: { row: ProjectRow; close: () => void; changed: () => void }) {
  const { backend, tell } = useShared();
  const { busy, refusal, act } = useDoing();
  const [dir, setDir] = useState(row.places[0] ?? "");
  const say = words.projects;
  const title = say.whereName(projectName(row.key));
  const choose = async () => {
    const chosen = await act(() => backend.roam({ cmd: "choose_directory", title }));
    if (chosen) setDir(chosen);
  };
  const set = async () => {
    const done = await act(() => backend.roam({ cmd: "project_map", key: row.key, dir: dir.trim() }));
    if (!done) return;
    tell(done.message || say.set_done);
    changed();
    close();
  };
  return (
    <FirstFocus>
      <form
        class="inline-form"
        aria-label={title}
        onSubmit={(event) => {
          event.preventDefault();
          void set();
        }}
      >
        <input
          class="field mono"
          aria-label={say.path}
          placeholder={say.path}
          value={dir}
          dir="ltr"
          spellcheck={false}
          onInput={(event) => setDir(event.currentTarget.value)}
          onKeyDown={(event) => event.key === "Escape" && close()}
        />
        <Button icon="folder" busy={busy} onClick={() => void choose()}>
          {say.choose}
        </Button>
        <Submit busy={busy} blocked={dir.trim() === "" ? say.pathFirst : undefined}>
          {say.set}
        </Submit>
        <Button kind="quiet" onClick={close}>
          {say.cancel}
        </Button>
        <Refused refusal={refusal} />
      </form>
    </FirstFocus>
  );
}
