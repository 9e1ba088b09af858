// Whether a project's uncommitted changes go along with its sessions: one line, asked once for each project.
import type { CodeQuestion as Asked } from "../backend/types";
import { projectName } from "../lib/format";
import { useDoing, useShared } from "../state";
import { words } from "../words";
import { Button, Refused, Section } from "./common";
import { Icon } from "./icon";

export function CodeQuestion({ asked }: { asked: Asked }) {
  const { backend, reload, tell } = useShared();
  const { busy, refusal, act, clear } = useDoing();
  const say = words.code;
  const name = projectName(asked.project);
  const answer = async (on: boolean) => {
    const done = await act(() => backend.roam({ cmd: "code_switch", project: asked.project, on }));
    if (!done) return;
    tell(done.message);
    reload();
  };
  return (
    <Section title={say.question}>
      <Refused refusal={refusal} clear={clear} />
      <ul class="lines">
        <li class="line acted">
          <Icon name="projects" />
          <p class="line-text" dir="auto">
            <span class="strong">{say.ask(name)}</span>{" "}
            <span class="dim">
              {say.askWhy(asked.files, asked.bytes)} {say.projectWhy}
            </span>
          </p>
          <div class="row-of-buttons">
            <Button busy={busy} name={`${say.takeAlong}: ${name}`} onClick={() => void answer(true)}>
              {say.takeAlong}
            </Button>
            <Button kind="quiet" busy={busy} name={`${say.leaveHere}: ${name}`} onClick={() => void answer(false)}>
              {say.leaveHere}
            </Button>
          </div>
        </li>
      </ul>
    </Section>
  );
}
