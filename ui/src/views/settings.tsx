// Network, start, transport, folders, about.
import { useState } from "preact/hooks";
import type { About, SwitchName } from "../backend/types";
import { CheckUp } from "../parts/checkup";
import { Button, Failed, Refused, Section, Skeleton, Submit, Switch } from "../parts/common";
import { Forgotten } from "../parts/forgotten";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";

export function SettingsView() {
  const { backend, revision, status } = useShared();
  const asked = useAnswer({ cmd: "about" }, revision);
  const { busy, refusal, act, clear } = useDoing();
  const say = words.settings;
  const turn = async (name: SwitchName, on: boolean) => {
    await act(() => backend.roam({ cmd: "switch", name, on }));
    asked.again();
  };
  const row = (about: About, name: SwitchName) => {
    const [title, why] = say.switches[name]!;
    const on = about[name];
    return (
      <li class="setting" key={name}>
        <div>
          <h3>{title}</h3>
          <p class="dim">{on === null ? say.noAutostart : why}</p>
        </div>
        {on !== null && (
          <Switch
            on={on}
            busy={busy}
            name={title}
            words={[say.on, say.off]}
            onChange={(next) => void turn(name, next)}
          />
        )}
      </li>
    );
  };
  const isPaused = status?.engine === "paused";
  return (
    <div class="page">
      <h1>{words.views.settings}</h1>
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {asked.phase === "loading" && <Skeleton rows={8} label={say.loading} tall />}
      <Refused refusal={refusal} clear={clear} />
      {asked.answer && (
        <>
          <Section title={say.general}>
            <ul class="settings-list">
              <OwnName />
              {row(asked.answer, "autostart")}
              <li class="setting">
                <div>
                  <h3>{say.pause}</h3>
                  <p class="dim">{say.pauseWhy}</p>
                </div>
                <Button
                  icon={isPaused ? "play" : "pause"}
                  busy={busy}
                  onClick={() => void act(() => backend.roam({ cmd: isPaused ? "continue" : "pause" }))}
                >
                  {isPaused ? words.overview.continue : words.overview.pause}
                </Button>
              </li>
            </ul>
          </Section>
          <Section title={say.network}>
            <p class="dim">{say.networkIntro}</p>
            <ul class="settings-list">
              {row(asked.answer, "local_discovery")}
              {row(asked.answer, "global_discovery")}
              {row(asked.answer, "relays")}
            </ul>
          </Section>
          <Section title={words.forget.list}>
            <Forgotten />
          </Section>
          <Section title={words.checkup.title}>
            <CheckUp />
          </Section>
          <Section title={say.transport}>
            <ul class="settings-list">
              <li class="setting">
                <div>
                  <h3>{say.syncthing}</h3>
                  <p class="dim">
                    <code dir="ltr">{asked.answer.syncthing}</code>
                  </p>
                  <p class="dim">
                    {status ? say.transportStates[status.syncthing.state] : " "}
                    {status?.syncthing.message ? `. ${status.syncthing.message}` : ""}
                  </p>
                </div>
              </li>
              <Folder title={say.data} path={asked.answer.home} />
              <Folder title={say.logs} path={asked.answer.logs} />
              <Folder title={say.file} path={asked.answer.settings} />
            </ul>
          </Section>
          <Section title={say.about}>
            <p>{say.version(asked.answer.version)}</p>
            <p class="dim">{say.aboutText}</p>
            {asked.answer.no_tray && <p class="dim">{asked.answer.no_tray}</p>}
          </Section>
        </>
      )}
    </div>
  );
}

function Folder({ title, path }: { title: string; path: string }) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  return (
    <li class="setting">
      <div>
        <h3>{title}</h3>
        <p class="dim">
          <code dir="ltr">{path}</code>
        </p>
        <Refused refusal={refusal} clear={clear} />
      </div>
      <Button
        icon="folder"
        busy={busy}
        name={words.settings.openName(title)}
        onClick={() => void act(() => backend.roam({ cmd: "open_path", path }))}
      >
        {words.settings.open}
      </Button>
    </li>
  );
}

function OwnName() {
  const { backend, revision } = useShared();
  const asked = useAnswer({ cmd: "device" }, revision);
  const { busy, refusal, act, clear } = useDoing();
  const [name, setName] = useState<string | null>(null);
  const say = words.settings;
  const shown = name ?? asked.answer?.name ?? "";
  const save = async () => {
    const done = await act(() => backend.roam({ cmd: "rename", id: null, name: shown.trim() }));
    if (done) {
      setName(null);
      asked.again();
    }
  };
  return (
    <li class="setting">
      <form
        class="inline-form"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <label for="own-name">
          <h3>{say.name}</h3>
        </label>
        <input id="own-name" class="field" value={shown} onInput={(event) => setName(event.currentTarget.value)} />
        {name !== null && name !== asked.answer?.name && (
          <Submit busy={busy} blocked={shown.trim() === "" ? words.devices.nameFirst : undefined}>
            {say.saveName}
          </Submit>
        )}
        <Refused refusal={refusal ?? asked.refusal ?? null} clear={clear} />
      </form>
    </li>
  );
}
