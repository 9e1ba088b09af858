// Loads the bundle of @cursor/sdk, and gives access to the modules inside of it by their names.
const fs = require("fs");
const path = require("path");
const Module = require("module");

const KV = "../agent-kv/dist/index.js";

// {sdk: what the package exports, inner: the bundle's own `require`}
function load(dist) {
  const bundle = path.join(dist, "cjs", "index.js");
  const factory = new RegExp(`${JSON.stringify(KV).replace(/[.]/g, "\\.")}\\((\\w+),(\\w+),(\\w+)\\)\\{`);
  const text = fs.readFileSync(bundle, "utf8");
  if (!factory.test(text)) throw new Error(`${bundle} has no module ${KV}`);
  const module = new Module(bundle, null);
  module.filename = bundle;
  module.paths = Module._nodeModulePaths(path.dirname(bundle));
  module._compile(text.replace(factory, (all, _m, _e, inner) => `${all}globalThis.labRequire=${inner};`), bundle);
  return { sdk: module.exports, inner: globalThis.labRequire };
}

module.exports = { KV, load };
