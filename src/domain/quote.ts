/** Text of a caller in quotes for a message: what cannot be seen is escaped, and 64 characters are shown at most. */
export function quote(text: string): string {
  const shown = text.length > 64 ? `${text.slice(0, 63)}…` : text;
  return JSON.stringify(shown.toWellFormed()).replaceAll(/[^\P{C}]|[^\P{Z} ]/gu, escapeInvisible);
}

function escapeInvisible(character: string): string {
  return [...character].map((part) => `\\u{${part.codePointAt(0)?.toString(16)}}`).join("");
}
