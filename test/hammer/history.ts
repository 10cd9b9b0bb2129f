/** An increment as a request asks for it. */
export interface IncrementNumber {
  readonly kind: "increment";
  readonly level: "MAJOR" | "MINOR" | "PATCH";
  readonly within?: string;
  readonly prerelease?: string;
}

/** Which number a call asks for. */
export type RequestedNumber = { readonly kind: "explicit"; readonly version: string } | IncrementNumber;

/** What a call asks for, and how its client behaves. */
export interface Request {
  /** What kind of work it belongs to, for the counts. */
  readonly kind: string;
  readonly model: string;
  readonly number: RequestedNumber;
  /** The description of the record. */
  readonly content: string;
  readonly requestId?: string;
  readonly validateOnly?: boolean;
  readonly cancelAfterMs?: number;
  readonly deadlineMs?: number;
}

/** What a client was told, or found out by itself. */
export type Outcome =
  /** The whole record, in base64. */
  | { readonly kind: "ok"; readonly record: string }
  | {
      readonly kind: "error";
      readonly code: string;
      readonly reason?: string;
      readonly metadata: Readonly<Record<string, string>>;
      readonly message: string;
    };

/** A request that was sent, once, to one replica, and what became of it; times are of one clock, in milliseconds. */
export interface Call extends Request {
  readonly id: string;
  readonly replica: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly outcome: Outcome;
}

/** A row of the table. */
export interface Row {
  readonly model: string;
  readonly version: string;
  /** In base64. */
  readonly record: string;
  /** As in records: `sha256:` and hex. */
  readonly digest: string;
  readonly registeredAt: Date;
  readonly requestId: string | undefined;
}

/** Everything that the clients did and saw, and what the table holds afterwards. */
export interface History {
  readonly calls: readonly Call[];
  readonly rows: readonly Row[];
}

/** Models whose names begin so are asked for increments only. */
export const incrementsOnly = "increments";

const unknownCodes = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"]);

/** Whether the answer leaves open if something was stored. */
export function isUnknown({ outcome }: Pick<Call, "outcome">): boolean {
  return outcome.kind === "error" && (unknownCodes.has(outcome.code) || outcome.reason === "OUTCOME_UNKNOWN");
}
