// What the programs share: the generated client, the pages of a list, and checks that end a program with an error.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

declare const process: { argv: string[] };

export type Schemas = components["schemas"];
export type ListQuery = NonNullable<paths[typeof tasks]["get"]["parameters"]["query"]>;
type Failure = Schemas["ApiError"] | Schemas["ValidationError"];
type Answer<Data, Failure> = { data?: Data; error?: Failure; response: Response };

export const [address = "", unavailable = "", user_id = "", token = "", expired = "", forgotten = ""] =
  process.argv.slice(2);

export function check(condition: unknown, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

export function equal(found: unknown, wanted: unknown): void {
  check(JSON.stringify(found) === JSON.stringify(wanted), `${JSON.stringify(found)} is not ${JSON.stringify(wanted)}`);
}

export function answered<Data>({ data, error, response }: Answer<Data, unknown>): Data {
  check(data !== undefined, `${response.status} ${JSON.stringify(error)}`);
  return data;
}

export function refused(answer: Answer<unknown, Failure>, status: number, detail: string): void {
  const { error, response } = answer;
  check(error && "status_code" in error, `no error: ${response.status}`);
  equal([response.status, error.status_code, error.detail], [status, status, detail]);
}

export function invalid(answer: Answer<unknown, Failure>, ...problems: [string, Schemas["Problem"]["type"]][]): void {
  const { error, response } = answer;
  check(error && "errors" in error, `no failed validation: ${response.status}`);
  equal([response.status, ...error.errors.map(({ field, type }) => [field, type])], [422, ...problems]);
}

export function client(baseUrl: string, bearer?: string) {
  return createClient<paths>({ baseUrl, headers: bearer ? { Authorization: `Bearer ${bearer}` } : {} });
}

export const api = client(address, token);
export const tasks = "/api/{user_id}/tasks";
export const task = "/api/{user_id}/tasks/{task_id}";
export const mine = { params: { path: { user_id } } };
export const listPath = `/api/${encodeURIComponent(user_id)}/tasks`;

// The pages of a list: each `Link` leads to the next.
export async function pages(query: ListQuery): Promise<Schemas["Task"][][]> {
  const answer = await api.GET(tasks, { params: { path: { user_id }, query } });
  const page = answered(answer);
  const next = /^<([^>]+)>; rel="next"$/.exec(answer.response.headers.get("Link") ?? "")?.[1];
  if (next === undefined) return [page];
  const cursor = new URL(next, answer.response.url).searchParams.get("cursor");
  check(cursor, next);
  return [page, ...(await pages({ ...query, cursor }))];
}
