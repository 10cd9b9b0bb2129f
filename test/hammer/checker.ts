// The judge of a run. Nothing here talks to anything: it compares what clients were told with what the table holds. A
// call whose answer was lost may have stored its row or not; every other answer has to be true.

import { create, fromBinary } from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import { SemVer, satisfies } from "semver";
import { ModelMetadataSchema, ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { formatDigest, recordDigest } from "../../src/domain/digest.ts";
import { type Call, type History, incrementsOnly, isUnknown, type Request, type Row } from "./history.ts";
import { canLeadTo, findGaps, identityOf } from "./numbers.ts";

/** Everything that is wrong, a sentence each. */
export function findViolations(history: History): string[] {
  const table = new Table(history.rows);
  const asked = Map.groupBy(history.calls, requestKey);
  return [
    ...checkRows(table),
    ...checkOrigins(table, asked),
    ...history.calls.flatMap((call) => checkCall(call, table, asked).map((what) => `${describe(call)} ${what}`)),
    ...checkNumbers(history.rows),
  ];
}

type Failure = Extract<Call["outcome"], { kind: "error" }>;
type Asked = ReadonlyMap<string, readonly Call[]>;

/** The rows, found by what is unique about them. */
class Table {
  readonly rows: readonly Row[];
  readonly byVersion: ReadonlyMap<string, readonly Row[]>;
  readonly byRequestId: ReadonlyMap<string, readonly Row[]>;
  readonly byModel: ReadonlyMap<string, readonly Row[]>;

  constructor(rows: readonly Row[]) {
    this.rows = rows;
    this.byVersion = Map.groupBy(rows, versionKey);
    this.byRequestId = Map.groupBy(
      rows.filter(({ requestId }) => requestId !== undefined),
      idKey,
    );
    this.byModel = Map.groupBy(rows, ({ model }) => model);
  }

  find({ model, version }: { model: string; version: string }): Row | undefined {
    return this.byVersion.get(versionKey({ model, version }))?.[0];
  }
}

function versionKey({ model, version }: { model: string; version: string }): string {
  return `${model}@${identityOf(version)}`;
}

function idKey({ model, requestId }: Pick<Row, "model" | "requestId">): string {
  return `${model} ${requestId}`;
}

function requestKey({ model, content }: Pick<Request, "model" | "content">): string {
  return `${model} ${content}`;
}

function checkRows(table: Table): string[] {
  const twice = (groups: ReadonlyMap<string, readonly Row[]>) =>
    [...groups].filter(([, rows]) => rows.length > 1).map(([key, rows]) => `${key} is stored ${rows.length} times`);
  const differing = table.rows.filter((row) => !isConsistent(row));
  return [
    ...twice(table.byVersion),
    ...twice(table.byRequestId),
    ...differing.map((row) => `the record of ${row.model}@${row.version} differs from its columns`),
  ];
}

function isConsistent(row: Row): boolean {
  const { model, version, digest, registeredAt } = decode(row.record);
  return (
    model === row.model &&
    version === row.version &&
    digest === row.digest &&
    digest === digestOf({ model, content: contentOf(row) }, version) &&
    registeredAt !== undefined &&
    timestampDate(registeredAt).getTime() === row.registeredAt.getTime()
  );
}

/** Every row was asked for, and no call made two. */
function checkOrigins(table: Table, asked: Asked): string[] {
  const made = new Map<string, Row>();
  return table.rows.flatMap((row) => {
    const makers = makersOf(row, asked);
    const [maker] = makers;
    const name = `${row.model}@${row.version}`;
    if (maker === undefined) return [`${name} is stored, but nobody asked for it who may have stored it`];
    if (new Set(makers.map(originOf)).size > 1) return [];
    const other = made.get(originOf(maker));
    made.set(originOf(maker), row);
    return other === undefined ? [] : [`${describe(maker)} is stored twice, as ${other.version} and ${row.version}`];
  });
}

/** The calls of one request_id are one attempt to register. */
function originOf({ id, model, requestId }: Call): string {
  return requestId === undefined ? id : idKey({ model, requestId });
}

function makersOf(row: Row, asked: Asked): Call[] {
  const content = contentOf(row);
  return (asked.get(requestKey({ model: row.model, content })) ?? []).filter((call) => mayHaveStored(call, row));
}

function mayHaveStored(call: Call, row: Row): boolean {
  if (call.validateOnly === true || !isAskedForBy(call, row)) return false;
  return call.outcome.kind === "ok" ? decode(call.outcome.record).version === row.version : isUnknown(call);
}

/** Whether the row is what the call asks for, by everything that can be seen of it. */
function isAskedForBy(call: Request, row: Row): boolean {
  return (
    call.model === row.model &&
    call.requestId === row.requestId &&
    call.content === contentOf(row) &&
    canLeadTo(call.number, row.version)
  );
}

function checkCall(call: Call, table: Table, asked: Asked): string[] {
  const { outcome } = call;
  if (outcome.kind === "ok") return call.validateOnly === true ? checkPreview(call) : checkAnswer(call, table);
  if (!isExpected(call, outcome)) return [`was answered ${outcome.code} ${outcome.reason}: ${outcome.message}`];
  switch (outcome.reason) {
    case "VERSION_ALREADY_EXISTS":
      return checkConflict(call, outcome, { table, asked });
    case "REQUEST_ID_REUSED":
      return checkReuse(call, outcome, { table, asked });
    case "NO_BASE_VERSION":
      return checkNoBase(call, table, asked);
    default:
      return [];
  }
}

function checkAnswer(call: Call, table: Table): string[] {
  if (call.outcome.kind !== "ok") return [];
  const { record } = call.outcome;
  const answered = decode(record);
  const row = table.find(answered);
  if (row === undefined) return [`was acknowledged as ${answered.version}, which is not stored`];
  if (row.record !== record) return [`was acknowledged as ${answered.version}, but other bytes are stored`];
  return isAskedForBy(call, row) ? [] : [`was answered with ${answered.version}, which is not what it asked for`];
}

function checkPreview(call: Call): string[] {
  if (call.outcome.kind !== "ok") return [];
  const { model, version, metadata } = decode(call.outcome.record);
  const isRight = model === call.model && metadata?.description === call.content && canLeadTo(call.number, version);
  return isRight ? [] : [`was shown ${version}, which is not what it asked for`];
}

interface Evidence {
  readonly table: Table;
  readonly asked: Asked;
}

function checkConflict(call: Call, { metadata }: Failure, { table, asked }: Evidence): string[] {
  if (call.number.kind !== "explicit") return ["is an increment and was refused for its version"];
  const { version } = call.number;
  const row = table.find({ model: call.model, version });
  if (row === undefined) return [`was refused, but ${version} is not stored`];
  const expected = {
    model: call.model,
    version,
    existing_version: row.version,
    existing_digest: row.digest,
    registered_at: row.registeredAt.toISOString(),
    identical: String(digestOf(call, version) === row.digest),
  };
  if (!isEqual(metadata, expected)) return [`was refused with ${show(metadata)} instead of ${show(expected)}`];
  if (call.requestId !== undefined && row.requestId === call.requestId) return ["was refused for its own request_id"];
  return wasStoredByAnother(call, row, asked) ? [] : [`was refused for ${row.version}, which it stored itself`];
}

function checkReuse(call: Call, { metadata }: Failure, { table, asked }: Evidence): string[] {
  const { model, requestId } = call;
  const [row] = table.byRequestId.get(idKey({ model, requestId })) ?? [];
  if (row === undefined) return ["was refused for a request_id that is not stored"];
  const expected = { model, request_id: requestId, existing_version: row.version };
  if (!isEqual(metadata, expected)) return [`was refused with ${show(metadata)} instead of ${show(expected)}`];
  if (isAskedForBy(call, row)) return [`was refused for its request_id, but ${row.version} has the same content`];
  return wasStoredByAnother(call, row, asked) ? [] : [`was refused for ${row.version}, which it stored itself`];
}

/** False only where a release in the range was acknowledged before the call began. */
function checkNoBase(call: Call, table: Table, asked: Asked): string[] {
  const within = call.number.kind === "increment" ? call.number.within : undefined;
  if (within === undefined) return ["was refused for a base without a range"];
  const base = (table.byModel.get(call.model) ?? []).find(
    (row) =>
      satisfies(row.version, within) &&
      new SemVer(row.version).prerelease.length === 0 &&
      makersOf(row, asked).some(({ outcome, endedAt }) => outcome.kind === "ok" && endedAt < call.startedAt),
  );
  return base === undefined ? [] : [`was refused for want of a base, but ${base.version} was there`];
}

function wasStoredByAnother(call: Call, row: Row, asked: Asked): boolean {
  return makersOf(row, asked).some(({ id, startedAt }) => id !== call.id && startedAt < call.endedAt);
}

/** Whether a call of this kind may be answered so at all; INTERNAL never is. */
function isExpected(call: Call, { code, reason }: Failure): boolean {
  const isIncrement = call.number.kind === "increment";
  switch (reason ?? code) {
    case "VERSION_ALREADY_EXISTS":
      return code === "ALREADY_EXISTS" && !isIncrement;
    case "REQUEST_ID_REUSED":
      return code === "INVALID_ARGUMENT" && call.requestId !== undefined;
    case "NO_BASE_VERSION":
      return code === "FAILED_PRECONDITION" && isIncrement;
    case "INCREMENT_CONTENDED":
      return code === "ABORTED" && isIncrement;
    case "OUTCOME_UNKNOWN":
      return code === "UNKNOWN" && isIncrement && call.requestId === undefined;
    case "DEADLINE_EXCEEDED":
      return code === "DEADLINE_EXCEEDED" && call.deadlineMs !== undefined;
    case "CANCELLED":
      return code === "CANCELLED" && call.cancelAfterMs !== undefined;
    case "DATABASE_UNAVAILABLE":
    case "UNAVAILABLE":
      return code === "UNAVAILABLE";
    default:
      return false;
  }
}

function checkNumbers(rows: readonly Row[]): string[] {
  const models = Map.groupBy(rows, ({ model }) => model);
  return [...models]
    .filter(([model]) => model.startsWith(incrementsOnly))
    .flatMap(([model, ofModel]) =>
      findGaps(ofModel.map(({ version }) => version)).map(
        (version) => `${model}@${version} follows no number: the one before it is missing`,
      ),
    );
}

const contents = new WeakMap<Row, string>();

function contentOf(row: Row): string {
  const content = contents.get(row) ?? decode(row.record).metadata?.description ?? "";
  contents.set(row, content);
  return content;
}

function decode(record: string) {
  return fromBinary(ModelVersionSchema, Buffer.from(record, "base64"));
}

function digestOf({ model, content }: Pick<Request, "model" | "content">, version: string): string {
  const metadata = create(ModelMetadataSchema, { description: content });
  return formatDigest(recordDigest({ model, version, metadata }));
}

function isEqual(a: object, b: object): boolean {
  return show(a) === show(b);
}

function show(values: object): string {
  return JSON.stringify(Object.fromEntries(Object.entries(values).toSorted(([a], [b]) => a.localeCompare(b))));
}

function describe({ id, kind, model, number, requestId }: Call): string {
  const { kind: _, ...asked } = number;
  return `${kind} ${id} of ${model} ${JSON.stringify({ ...asked, requestId })}`;
}
