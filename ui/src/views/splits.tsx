// Split sessions without a decision.
import type { SplitRow } from "../backend/types";
import { projectName } from "../lib/format";
import { Button, Empty, Refused, Skeleton, Time, ToolSign } from "../parts/common";
import { Icon } from "../parts/icon";
import { Trouble } from "../parts/trouble";
import { useUndo } from "../parts/undo";
import { link } from "../route";
import { useAnswer, useShared } from "../state";
import { words } from "../words";

export function SplitsView() {
  const { revision, status, tell } = useShared();
  const turn = revision * 10_000 + (status?.splits ?? 0);
  const asked = useAnswer({ cmd: "splits" }, turn);
  const { label, busy, refusal, clear, undo } = useUndo(null, turn);
  const say = words.splits;
  const takeBack = async () => {
    const done = await undo();
    if (!done) return;
    tell(done.message);
    asked.again();
  };
  return (
    <div class="page">
      <header class="headline">
        <div>
          <h1>{say.title}</h1>
          <p class="intro">
            {asked.answer && asked.answer.length > 0 ? `${say.intros(asked.answer.length)} ${say.intro}` : " "}
          </p>
        </div>
        {label && (
          <Button kind="quiet" icon="undo" busy={busy} onClick={() => void takeBack()}>
            {label}
          </Button>
        )}
      </header>
      <Refused refusal={refusal} clear={clear} />
      {asked.phase === "failed" && <Trouble title={say.failed} refusal={asked.refusal} again={asked.again} />}
      {asked.phase === "loading" && <Skeleton rows={3} label={say.loading} tall />}
      {asked.answer?.length === 0 && <Empty icon="done" title={say.none} why={say.noneWhy} />}
      <ul class="cards">
        {asked.answer?.map((row) => (
          <Split key={row.session} row={row} />
        ))}
      </ul>
    </div>
  );
}

function Split({ row }: { row: SplitRow }) {
  const { tools } = useShared();
  const title = row.title || words.session.untitled;
  return (
    <li class="card">
      <ToolSign name={tools.get(row.tool)?.name ?? row.tool} />
      <div class="card-body">
        <h2 dir="auto">
          <a href={link("splits", row.session)}>{title}</a>
        </h2>
        <p class="dim" dir="auto">
          {projectName(row.project)} ·{" "}
          {row.branches.length > 2
            ? words.splits.continuedOnMany(row.branches.map((branch) => branch.device))
            : words.splits.continuedOn(row.branches.map((branch) => branch.device))}
        </p>
        <ul class="branches">
          {row.branches.map((branch) => (
            <li key={branch.branch}>
              <Icon name="laptop" size={14} />{" "}
              <span class="strong" dir="auto">
                {branch.device}
              </span>
              <Time at={branch.updated} />
            </li>
          ))}
        </ul>
      </div>
      <a class="button main" href={link("splits", row.session)} aria-label={`${words.splits.compare}: ${title}`}>
        {words.splits.compare}
      </a>
    </li>
  );
}
