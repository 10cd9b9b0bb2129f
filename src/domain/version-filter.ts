// A filter in a subset of CEL (docs/filter.md), checked before the first record: what can be wrong with a filter is
// said at once, and no filter can hold the event loop: not by its text (filter-syntax.ts), not over any record
// (filter-cost.ts).

import { type CelInput, celEnv, plan } from "@bufbuild/cel";
import { create, createRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  file_stele_v1_model_version,
  ModelMetadataSchema,
  type ModelVersion,
  ModelVersionSchema,
} from "../../gen/stele/v1/model_version_pb.ts";
import { ATTRIBUTES_VARIABLE, checkFilter } from "./filter-check.ts";
import { MAX_COST_US } from "./filter-cost.ts";
import { type Expression, FilterMistake, parseFilterSyntax } from "./filter-syntax.ts";
import { toFilterValue } from "./filter-value.ts";
import type { Violations } from "./violations.ts";

/** A filter that keeps the rules. */
export interface VersionFilter {
  readonly text: string;
  /** Whether the serialized record (a stele.v1.ModelVersion) passes; an evaluation error is no match. */
  readonly matches: (record: Uint8Array) => boolean;
}

/** The filter in `text`, or undefined after adding what is wrong with `field`. */
export function parseVersionFilter(text: string, field: string, violations: Violations): VersionFilter | undefined {
  try {
    const evaluate = planFilter(checkedTree(text));
    return { text, matches: (record) => evaluate(fromBinary(ModelVersionSchema, record)) };
  } catch (error) {
    if (!(error instanceof FilterMistake)) throw error;
    violations.addInvalid(field, error.message);
    return undefined;
  }
}

function checkedTree(text: string): Expression {
  const syntax = parseFilterSyntax(text);
  const costUs = checkFilter(syntax);
  if (costUs <= MAX_COST_US) return syntax.root;
  const costMs = Math.ceil(costUs / 1000);
  throw new FilterMistake(
    `can take ${costMs} ms for the largest record, at most ${MAX_COST_US / 1000}; ` +
      "look for less in lists, long texts and attributes, or filter on the rest at the caller",
  );
}

const environment = celEnv({ registry: createRegistry(file_stele_v1_model_version) });

function planFilter(tree: Expression): (record: ModelVersion) => boolean {
  const evaluate = plan(environment, tree);
  return (record) => withoutStackTraces(() => evaluate(variablesOf(record))) === true;
}

const emptyMetadata = create(ModelMetadataSchema);

function variablesOf(record: ModelVersion): Record<string, CelInput> {
  const metadata = record.metadata ?? emptyMetadata;
  let attributes: CelInput | undefined;
  return {
    model: record.model,
    version: record.version,
    metadata,
    digest: record.digest,
    ...(record.registeredAt && { registered_at: record.registeredAt }),
    registered_by: record.registeredBy,
    get [ATTRIBUTES_VARIABLE]() {
      attributes ??= toFilterValue(metadata.attributes ?? {});
      return attributes;
    },
  };
}

// An evaluation can make thousands of errors, one for each element without a key; their stack traces would be most of
// its time.
function withoutStackTraces<T>(evaluate: () => T): T {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return evaluate();
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}
