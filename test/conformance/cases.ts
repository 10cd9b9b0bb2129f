// The cases, as they lie in the YAML files beside this one; what does not fit the schema is an error, not a case that passes.

import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import { readDocument } from "../support/document.ts";

const text = z.string().min(1);
const message = z.record(z.string(), z.unknown());
const count = z.int().nonnegative();

/** What a call meets on its way, instead of an undisturbed network. */
const fault = z.union(
  [
    // The connection is closed when the call arrives, by a FIN or a RST; the service never sees the call.
    z.literal("close before the call"),
    z.literal("reset before the call"),
    // The service has done the call, and the connection is reset in place of its answer.
    z.literal("lose the answer"),
    // Every message arrives, and the connection is closed in place of the status.
    z.literal("lose the status"),
    // The call is never answered, or no further after so many messages; the connection is well.
    z.literal("silence"),
    z.strictObject({ silenceAfterMessages: count }),
    // Nothing passes any more after so many messages, in either direction, and nobody is told.
    z.strictObject({ freezeAfterMessages: count }),
    // The connection is closed after so many messages, or in the middle of the next one.
    z.strictObject({ closeAfterMessages: count }),
    z.strictObject({ closeWithinMessage: count }),
    // The stream ends there without a status, and the connection stays.
    z.strictObject({ endAfterMessages: count }),
    z.strictObject({ endWithinMessage: count }),
    // The stream is reset with an error code of HTTP/2, before the call or after so many messages.
    z.strictObject({ resetStream: text, afterMessages: count.optional() }),
    // A status comes in place of the call, after so many messages, or `afterwards`, when the service has done the call.
    z.strictObject({
      status: text,
      reason: text.optional(),
      domain: text.optional(),
      metadata: z.record(z.string(), z.string()).optional(),
      message: z.string().optional(),
      retryDelayMs: count.optional(),
      afterMessages: count.optional(),
      afterwards: z.literal(true).optional(),
      times: count.optional(),
    }),
    // An answer that is no gRPC, as a load balancer gives it.
    z.strictObject({ http: z.int() }),
  ],
  { error: ({ input }) => `${JSON.stringify(input)} is no fault; cases.ts has those that there are` },
);

const expectations = {
  faults: z.array(fault).optional(),
  error: message.optional(),
  /** How many calls arrived since the last step that was no `take`; or a lowest and a highest number. */
  calls: z.union([count, z.tuple([count, count])]).optional(),
  /** How many calls have not ended, in the end. */
  open: count.optional(),
};
const answered = { ...expectations, answer: z.union([message, text]).optional() };
const taken = {
  ...expectations,
  answer: z.array(message).optional(),
  /** The versions of the items, one by one or as "1.0.0 .. 1.0.9". */
  versions: z.union([z.array(text), text]).optional(),
  /** Whether the iteration has ended. */
  done: z.boolean().optional(),
};

const steps = {
  connect: z.strictObject({ connect: message, ...expectations }),
  register: z.strictObject({ register: message, ...answered }),
  get: z.strictObject({ get: z.strictObject({ model: text, version: z.string() }), ...answered }),
  resolve: z.strictObject({
    resolve: z.strictObject({ model: text, range: z.string(), prereleases: text.optional() }),
    ...answered,
  }),
  listVersions: z.strictObject({ listVersions: message, ...expectations }),
  listModels: z.strictObject({ listModels: message, ...expectations }),
  take: z.strictObject({ take: z.union([count, z.literal("all")]), ...taken }),
  digest: z.strictObject({ digest: message, ...answered }),
  /** What becomes of the service: `stop` and `kill` wait until it is gone, `start` does not wait. */
  service: z.strictObject({ service: z.enum(["stop", "kill", "start"]) }),
};

// By the first word that says what is done, so that a mistake is told in a line.
const step = z.record(z.string(), z.unknown()).transform((value, context): Step => {
  const word = Object.keys(steps).find((each): each is keyof typeof steps => each in value);
  const parsed = word && steps[word].safeParse(value);
  if (parsed?.success) return parsed.data;
  const message = parsed ? z.prettifyError(parsed.error) : `does none of ${Object.keys(steps).join(", ")}`;
  context.addIssue({ code: "custom", message, input: value });
  return z.NEVER;
});

const conformanceCase = z.strictObject({
  name: text,
  /** Versions that $model has before the first step: one by one or as "1.0.0 .. 1.0.9". */
  given: z.union([z.array(text), text]).optional(),
  /** How long the description of each given version is. */
  givenDescriptionBytes: count.optional(),
  /** Takes most of a minute, of waiting: run beside the others. */
  slow: z.literal(true).optional(),
  steps: z.array(step).nonempty(),
});

/** What a call meets on its way. */
export type Fault = z.infer<typeof fault>;

/** A status that a call gets. */
export type StatusFault = Extract<Fault, { status: string }>;

/** A reset of a call's stream. */
export type ResetFault = Extract<Fault, { resetStream: string }>;

/** One thing that a client is told to do, and what must come of it. */
export type Step = { [Word in keyof typeof steps]: z.infer<(typeof steps)[Word]> }[keyof typeof steps];

/** One case of the suite: what a client is told to do, and what must come of it. */
export type ConformanceCase = z.infer<typeof conformanceCase> & {
  /** The name of its file, which says what it is about. */
  readonly subject: string;
  /** Its place in that file. */
  readonly place: number;
};

/** The cases of all files, in the order of the files' names, and the vectors of docs/digest.md. */
export function readCases(): ConformanceCase[] {
  const folder = new URL("./", import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith(".yaml"));
  const cases = files.sort().flatMap((file) => {
    const subject = basename(file, ".yaml");
    return parseCases(readFileSync(new URL(file, folder), "utf8"), file).map((each, place) => ({
      ...each,
      subject,
      place,
    }));
  });
  return [...cases, ...readDigestCases()];
}

/** The cases of a file's text; throws with what is wrong and where. */
export function parseCases(yaml: string, file: string): z.infer<typeof conformanceCase>[] {
  const parsed = z.array(conformanceCase).safeParse(parse(yaml));
  if (parsed.success) return parsed.data;
  throw new Error(`${file}: ${z.prettifyError(parsed.error)}`);
}

interface DigestVector {
  readonly name: string;
  readonly record: Record<string, unknown>;
  readonly digest: string;
}

function readDigestCases(): ConformanceCase[] {
  const vectors: DigestVector[] = JSON.parse(readDocument("digest-vectors.json"));
  return vectors.map(({ name, record, digest }, place) => ({
    subject: "digest",
    place,
    name,
    steps: [{ digest: record, answer: digest }],
  }));
}

/** The versions that a case names one by one, or as the first and the last patch of a series, up or down. */
export function expandVersions(versions: string | readonly string[]): readonly string[] {
  if (typeof versions !== "string") return versions;
  const [first, last] = versions.split(" .. ");
  const [line, from, to] = [trainOf(first), patchOf(first), patchOf(last)];
  const direction = Math.sign(to - from);
  return Array.from({ length: Math.abs(to - from) + 1 }, (_, index) => `${line}.${from + index * direction}`);
}

function trainOf(version = ""): string {
  return version.slice(0, version.lastIndexOf("."));
}

function patchOf(version = ""): number {
  return Number(version.slice(version.lastIndexOf(".") + 1));
}
