import { readFileSync } from "node:fs";

/** The text of a document in docs/. */
export function readDocument(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), "utf8");
}
