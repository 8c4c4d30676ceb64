// Reads a line of JSON for each scenario, [module, function, ...arguments], and prints a line of JSON for its end:
// {"result": …} or {"error": …}. Its clients live on, so that a scenario can go on in another one.
import { createInterface } from "node:readline";
import "./quick.mjs";

console.log = console.error; // libraries also write
process.on("unhandledRejection", (error) => console.error("unhandled", error));

for await (const line of createInterface({ input: process.stdin })) {
  const [module, name, ...given] = JSON.parse(line);
  let answer;
  try {
    answer = { result: (await (await import(`./${module}.mjs`))[name](...given)) ?? null };
  } catch (error) {
    answer = { error: `${error.stack}${error.cause ? `\ncaused by ${error.cause.stack}` : ""}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
process.exit();
