// General, look, network, notifications, programs, space, diagnostics, folders, about.
import { useState } from "preact/hooks";
import type { About, Doctor, Status } from "../backend/types";
import { countWaits } from "../lib/actions";
import { CheckUp } from "../parts/checkup";
import { Button, CopyButton, Failed, Refused, Section, Skeleton, Submit } from "../parts/common";
import { Forgotten } from "../parts/forgotten";
import { IdentityQuestion } from "../parts/identity-question";
import { Autostart, Look, Notifications, Programs, SpaceUsed, usePreferences } from "../parts/preferences";
import { ReachChoice } from "../parts/reach";
import { Updates } from "../parts/updates";
import type { SettingsPart } from "../route";
import { useAnswer, useDoing, useShared } from "../state";
import { words } from "../words";

interface ViewProps {
  /** The part to which a link led, and how often. */
  part: string | null;
  visit: number;
}

export function SettingsView({ part, visit }: ViewProps) {
  const led = (to: SettingsPart) => (part === to ? visit + 1 : 0);
  const { revision, status } = useShared();
  const asked = useAnswer({ cmd: "about" }, revision);
  const preferences = usePreferences();
  const say = words.settings;
  const about = asked.answer;
  return (
    <div class="page">
      <h1>{words.views.settings}</h1>
      {asked.phase === "failed" && <Failed refusal={asked.refusal} again={asked.again} />}
      {asked.phase === "loading" && <Skeleton rows={8} label={say.loading} tall />}
      {about && (
        <>
          <Section title={say.general}>
            <ul class="settings-list">
              <OwnName />
              <Autostart about={about} changed={asked.again} />
              <Pause />
            </ul>
          </Section>
          <Section title={say.network}>
            <ReachChoice details />
          </Section>
          <Section title={say.look}>
            <Look />
          </Section>
          <Section title={say.notify}>
            <Notifications kept={preferences} />
          </Section>
          <Section title={say.open}>
            <Programs kept={preferences} />
          </Section>
          <Section title={say.space}>
            <SpaceUsed />
          </Section>
          <Section title={words.forget.list} led={led("forgotten")}>
            <Forgotten />
          </Section>
          <Section title={words.checkup.title} led={led("diagnostics")}>
            <CheckUp />
            <Diagnostics about={about} status={status} />
          </Section>
          <Section title={say.transport}>
            <ul class="settings-list">
              <li class="setting">
                <div>
                  <h3>{say.syncthing}</h3>
                  <p class="dim">
                    <code dir="ltr">{about.syncthing}</code>
                  </p>
                  <p class="dim">
                    {status ? say.transportStates[status.syncthing.state] : " "}
                    {status?.syncthing.message ? `. ${status.syncthing.message}` : ""}
                  </p>
                </div>
              </li>
              <Identity />
              <Folder title={say.data} path={about.home} />
              <Folder title={say.logs} path={about.logs} />
              <Folder title={say.file} path={about.settings} />
            </ul>
          </Section>
          <Section title={say.about}>
            <p>{say.version(about.version)}</p>
            <p class="dim">{say.aboutText}</p>
            <Updates releases={about.releases} />
            {about.no_tray && <p class="dim">{about.no_tray}</p>}
          </Section>
        </>
      )}
    </div>
  );
}

function Pause() {
  const { backend, status } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.settings;
  const isPaused = status?.engine === "paused";
  return (
    <li class="setting">
      <div>
        <h3>{say.pause}</h3>
        <p class="dim">{say.pauseWhy}</p>
        <Refused refusal={refusal} clear={clear} />
      </div>
      <Button
        icon={isPaused ? "play" : "pause"}
        busy={busy}
        onClick={() => void act(() => backend.roam({ cmd: isPaused ? "continue" : "pause" }))}
      >
        {isPaused ? words.overview.continue : words.overview.pause}
      </Button>
    </li>
  );
}

/** A text for a report: versions and states. It names no session, no project and no device. */
function Diagnostics({ about, status }: { about: About; status: Status | null }) {
  const { backend } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const [text, setText] = useState<string | null>(null);
  const say = words.settings.diagnostics;
  const make = async () => {
    const doctor = await act(() => backend.roam({ cmd: "doctor" }));
    if (doctor) setText(diagnosticsOf(about, status, doctor));
  };
  return (
    <div class="diagnostics">
      <p class="dim">{say.why}</p>
      {text !== null && (
        <pre class="whole" tabIndex={0} role="group" aria-label={say.label}>
          {text}
        </pre>
      )}
      <div class="row-of-buttons">
        <Button icon="info" busy={busy} onClick={() => void make()}>
          {text === null ? say.make : say.again}
        </Button>
        {text !== null && (
          <CopyButton text={text} copied={words.transcript.copied}>
            {say.copy}
          </CopyButton>
        )}
      </div>
      <Refused refusal={refusal} clear={clear} />
    </div>
  );
}

function diagnosticsOf(about: About, status: Status | null, doctor: Doctor): string {
  const tools = doctor.tools
    .filter((row) => row.found)
    .map((row) => `${row.name} ${row.level}, ${row.sessions} sessions`);
  return [
    `session-roam ${about.version}`,
    `Syncthing: ${status?.syncthing.version ?? "none"}, ${status?.syncthing.state ?? "unknown"}`,
    `Engine: ${status?.engine ?? "no answer"}; ${status?.paired ?? 0} devices paired, ${status?.connected ?? 0} connected`,
    `Sessions: ${status?.sessions ?? 0}; ${status ? countWaits(status, () => true) : 0} waiting, ${status?.splits ?? 0} with two versions`,
    `Window: ${navigator.userAgent}`,
    "",
    ...doctor.checks.map((check) => `${check.name}: ${check.state}`),
    ...(status?.problems ?? []).map((problem) => `problem: ${problem.code}`),
    "",
    ...tools,
  ].join("\n");
}

function Identity() {
  const [asks, setAsks] = useState(false);
  return (
    <li class="setting">
      <div>
        <h3>{words.identity.name}</h3>
        <p class="dim">{words.identity.why}</p>
      </div>
      <Button onClick={() => setAsks(true)}>{words.identity.ask}</Button>
      {asks && <IdentityQuestion close={() => setAsks(false)} />}
    </li>
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
        {words.settings.openFolder}
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
