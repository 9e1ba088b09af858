// VS Code's own SQLite binding on one database: node state.cjs FILE. Each line of standard input is {sql, values}, and
// is answered by one line: {rows} or {error}. The database stays open until the input ends, as it does in VS Code.
const { createRequire } = require("node:module");
const { join } = require("node:path");
const { createInterface } = require("node:readline");

const code = join(process.env.EDITORS, "node_modules/code-server/lib/vscode/package.json");
const { Database } = createRequire(code)("@vscode/sqlite3");
const database = new Database(process.argv[2]);

const run = ({ sql, values }) =>
  new Promise((resolve) => {
    database.all(sql, values, (error, rows) => resolve(error ? { error: String(error) } : { rows }));
  });

(async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    console.log(JSON.stringify(await run(JSON.parse(line))));
  }
  database.close((error) => {
    if (error) throw error;
  });
})();
