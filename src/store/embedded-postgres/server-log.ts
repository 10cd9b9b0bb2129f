import { copyFile, open, stat, truncate } from "node:fs/promises";

const maximumBytes = 8 * 1024 * 1024;
const tailBytes = 4096;
const tailLines = 12;

/** The size of the log in bytes, 0 before it exists. */
export async function logSize(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}

/** Keeps the log bounded: past 8 MiB it becomes `.old`. Postgres appends, so it writes on at the new end. */
export async function boundLog(path: string): Promise<void> {
  if ((await logSize(path)) < maximumBytes) return;
  await copyFile(path, `${path}.old`);
  await truncate(path, 0);
}

/** The last lines that were written since the log had the size `since`. */
export async function readLogTail(path: string, since: number): Promise<string> {
  const size = await logSize(path);
  const start = Math.max(size >= since ? since : 0, size - tailBytes);
  const handle = await open(path, "r");
  try {
    const { buffer, bytesRead } = await handle.read({ buffer: Buffer.alloc(tailBytes), position: start });
    return buffer.toString("utf8", 0, bytesRead).trimEnd().split("\n").slice(-tailLines).join("\n");
  } finally {
    await handle.close();
  }
}
