// Work that may wait: one piece after the other, each in a task of its own, so that drawing never waits for more than one.
// What is asked for last comes first: it is in sight now.

type Work = () => void;

const waiting: Work[] = [];
let isRunning = false;

/** Does `work` soon. The returned function gives it up. */
export function inTurn(work: Work): () => void {
  waiting.push(work);
  if (!isRunning) setTimeout(next, 0);
  isRunning = true;
  return () => {
    const at = waiting.indexOf(work);
    if (at >= 0) waiting.splice(at, 1);
  };
}

function next(): void {
  const work = waiting.pop();
  isRunning = waiting.length > 0;
  if (isRunning) setTimeout(next, 0);
  work?.();
}
