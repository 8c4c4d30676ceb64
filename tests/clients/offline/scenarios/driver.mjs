// Reads a line of JSON for each scenario, {module, name, libraries, arguments}, runs it for all of these libraries at
// once, and prints a line of JSON for its end: {"results": {library: …}} or {"errors": {library: …}}.
import { createInterface } from "node:readline";
import "./quick.mjs";

console.log = console.error; // libraries also write
process.on("unhandledRejection", (error) => console.error("unhandled", error));

const describe = (error) => [error.stack, error.cause?.stack].filter(Boolean).join("\ncaused by ");

async function run({ module, name, libraries, given }) {
  const scenario = (await import(`./${module}.mjs`))[name];
  const [results, errors] = [{}, {}];
  const work = libraries.map((library) =>
    scenario(library, ...given).then(
      (result) => (results[library] = result ?? null),
      (error) => (errors[library] = describe(error)),
    ),
  );
  await Promise.all(work);
  return { results, errors };
}

for await (const line of createInterface({ input: process.stdin })) {
  const answer = await run(JSON.parse(line)).catch((error) => ({ errors: { driver: describe(error) } }));
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
