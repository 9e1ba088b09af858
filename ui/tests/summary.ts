// One line for each failure, after everything else: a log that is cut to its end still says what failed, where and why.
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";
import type { FullResult, Reporter, TestCase, TestResult } from "@playwright/test/reporter";

/** What the page said about itself may be long. */
const LONGEST = 600;

export default class Summary implements Reporter {
  private readonly failures: string[] = [];

  onTestEnd(test: TestCase, result: TestResult): void {
    if (result.status === "passed" || result.status === "skipped") return;
    const text = stripVTControlCharacters(result.error?.message ?? result.status);
    const cause = text.split(/\s*\n\s*/).join(" | ");
    const at = result.error?.location ?? test.location;
    const place = `${relative(process.cwd(), at.file)}:${at.line}`;
    this.failures.push(`${test.title} (${place}, ${Math.round(result.duration / 1000)} s): ${cause.slice(0, LONGEST)}`);
  }

  onEnd({ status }: FullResult): void {
    for (const failure of this.failures) console.log(`FAILED ${failure}`);
    if (status !== "passed") console.log(`The browser tests ended as ${status}.`);
  }

  printsToStdio(): boolean {
    return false;
  }
}
