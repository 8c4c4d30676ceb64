// Everything in memory: a restart forgets users, sessions and signing keys.
import { memoryAdapter } from "better-auth/adapters/memory";

export const tables = { user: [], session: [], account: [], verification: [], jwks: [] };
export const database = memoryAdapter(tables);
