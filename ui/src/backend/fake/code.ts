// Uncommitted changes of another device, made up.
import type { CodeFile, CodeOffer, SessionRow } from "../types";
import type { World } from "./world";

export const CODE_DIFFS: Record<string, string> = {
  "src/session.rs": `diff --git a/src/session.rs b/src/session.rs
--- a/src/session.rs
+++ b/src/session.rs
@@ -12,7 +12,8 @@ impl Session {
     pub fn refresh(&mut self) -> Result<Token> {
-        let token = self.client.refresh()?;
+        let _turn = self.refreshing.lock();
+        let token = self.current().map_or_else(|| self.client.refresh(), Ok)?;
         self.token = token.clone();
         Ok(token)
     }
`,
  "tests/refresh.rs": `diff --git a/tests/refresh.rs b/tests/refresh.rs
new file mode 100644
--- /dev/null
+++ b/tests/refresh.rs
@@ -0,0 +1,4 @@
+#[test]
+fn two_requests_refresh_once() {
+    assert_eq!(refreshed(2), 1);
+}
`,
  "build.rs": `diff --git a/build.rs b/build.rs
--- a/build.rs
+++ b/build.rs
@@ -1,3 +1,3 @@
 fn main() {
-    println!("cargo:rerun-if-changed=proto/v1");
+    println!("cargo:rerun-if-changed=proto/v2");
 }
`,
};

const NONE: CodeOffer = {
  state: "none",
  snapshot: "",
  device: "",
  at: "",
  is_last: false,
  since: 0,
  why: "",
  files: [],
  n_files: 0,
  commits: 0,
  left_out: [],
};

/** The code of a session that another device continued. */
export function codeOffer(world: World, row: SessionRow): CodeOffer {
  const device = row.devices.find((name) => name !== world.own.name);
  if (!device || row.project !== world.projects[0]?.key) return NONE;
  const files = [
    { path: "build.rs", change: "changed", obeyed: true },
    { path: "docs/old-notes.md", change: "deleted", obeyed: false },
    { path: "src/session.rs", change: "changed", obeyed: false },
    { path: "tests/refresh.rs", change: "added", obeyed: false },
  ].map((file) => ({ ...file, shown: file.path }) as CodeFile);
  const isBeside = row.session !== world.sessions[0]?.session;
  return {
    state: world.applied.has(row.session) ? "same" : isBeside ? "worktree" : "in_place",
    snapshot: "3f2c1aa0000000000000000000000000000000aa",
    device,
    at: row.updated,
    is_last: true,
    since: 0,
    commit: "3f2c1aa0000000000000000000000000000000aa",
    branch: "fix/login",
    dir: isBeside ? "/home/mara/code/api-3f2c1aa0" : "/home/mara/code/api",
    why: isBeside ? "This checkout has changes of its own." : "",
    files,
    n_files: files.length,
    commits: isBeside ? 2 : 0,
    left_out: [{ path: ".env", why: "has the name of a file with credentials" }],
  };
}
