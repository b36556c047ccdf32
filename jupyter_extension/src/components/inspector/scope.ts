/** Scopes of long-term memory in words. */

const KEEPS: Record<string, string> = {
  session: "what is said in this session",
  conversational: "what you and it say",
  all: "what anybody says to it",
  summaries_only: "summaries of your sessions",
};
const NAMES: Record<string, string> = {
  session: "this session",
  conversational: "yours",
  all: "everybody’s",
  summaries_only: "yours",
};

/** What an agent keeps. */
export const keeps = (scope: string): string => KEEPS[scope] ?? "what is said";

/** Whose a memory is. */
export const scopeName = (scope: string): string => NAMES[scope] ?? scope;

/** What turns long-term memory on. */
export const turnsOn = (agent: string): string =>
  ["agents:", `  ${agent}:`, "    memory:", "      longterm:", "        storage_scope: conversational"].join("\n");
