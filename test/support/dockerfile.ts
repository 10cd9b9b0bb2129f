// Reads a Dockerfile, strictly: what it does not know is an error, so that the steps that a test carries out by hand are
// all that there are.

/** A stage of a Dockerfile, from one FROM to the next. */
export interface Stage {
  readonly base: string;
  readonly name: string | undefined;
  readonly steps: readonly Step[];
}

/** What a stage does, in its order. */
export type Step =
  | { readonly kind: "WORKDIR"; readonly path: string }
  | { readonly kind: "COPY"; readonly from: string | undefined; readonly sources: string[]; readonly target: string }
  | { readonly kind: "RUN"; readonly command: string }
  | { readonly kind: "ENV"; readonly name: string; readonly value: string }
  | { readonly kind: "USER"; readonly uid: number; readonly gid: number }
  | { readonly kind: "EXPOSE"; readonly port: number }
  | { readonly kind: "HEALTHCHECK" | "ENTRYPOINT" | "CMD"; readonly command: string[] };

/**
 * The stages of a Dockerfile.
 *
 * @throws Error with the first line that this does not know.
 */
export function parseDockerfile(text: string): Stage[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  const stages: { base: string; name: string | undefined; steps: Step[] }[] = [];
  for (const line of lines) {
    const from = /^FROM (\S+)(?: AS (\S+))?$/.exec(line);
    if (from === null) stages.at(-1)?.steps.push(parseStep(line));
    else stages.push({ base: from[1] ?? "", name: from[2], steps: [] });
  }
  return stages;
}

const parsers: Readonly<Record<string, { pattern: RegExp; read: (...groups: string[]) => Step }>> = {
  WORKDIR: { pattern: /^(\/\S+)$/, read: (path = "") => ({ kind: "WORKDIR", path }) },
  COPY: { pattern: /^(?:--from=(\S+) )?([^-\s]\S*(?: \S+)*) (\S+\/)$/, read: readCopy },
  RUN: { pattern: /^([^[-].*[^\\])$/, read: (command = "") => ({ kind: "RUN", command }) },
  ENV: { pattern: /^([A-Z_]+)=([^\s"'\\$]+)$/, read: (name = "", value = "") => ({ kind: "ENV", name, value }) },
  USER: { pattern: /^(\d+):(\d+)$/, read: (uid, gid) => ({ kind: "USER", uid: Number(uid), gid: Number(gid) }) },
  EXPOSE: { pattern: /^(\d+)$/, read: (port) => ({ kind: "EXPOSE", port: Number(port) }) },
  HEALTHCHECK: {
    pattern: /^(?:--(?:interval|timeout|start-period)=\d+s )*CMD (\[.*\])$/,
    read: (command = "") => ({ kind: "HEALTHCHECK", command: JSON.parse(command) }),
  },
  ENTRYPOINT: { pattern: /^(\[.*\])$/, read: (command = "") => ({ kind: "ENTRYPOINT", command: JSON.parse(command) }) },
  CMD: { pattern: /^(\[.*\])$/, read: (command = "") => ({ kind: "CMD", command: JSON.parse(command) }) },
};

function parseStep(line: string): Step {
  const [instruction = ""] = line.split(" ", 1);
  const parser = parsers[instruction];
  const match = parser?.pattern.exec(line.slice(instruction.length + 1));
  if (!parser || !match) throw new Error(`the test does not know how to do: ${line}`);
  return parser.read(...match.slice(1));
}

function readCopy(from: string | undefined, sources = "", target = ""): Step {
  return { kind: "COPY", from, sources: sources.split(" "), target };
}
