// The request bodies of a load, described by an order that a process of its own can be given.

import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import {
  GetVersionRequestSchema,
  Level,
  RegisterVersionRequestSchema,
} from "../../gen/stele/v1/model_registry_service_pb.ts";
import { ModelVersionSchema } from "../../gen/stele/v1/model_version_pb.ts";
import { type ModelPlan, makeRows, nameModel, versionAt } from "../rows.ts";
import { frameMessage } from "./grpc-call.ts";

/** The bodies of a load: one again and again, or each another. */
export type BodyOrder =
  | { readonly kind: "fixed"; readonly base64: string }
  /** GetVersion of the versions of a model, each another. */
  | { readonly kind: "versions"; readonly plan: ModelPlan }
  /** RegisterVersion of a number that is new, the models in turn. */
  | { readonly kind: "explicit"; readonly models: readonly string[]; readonly major: number }
  /** RegisterVersion of the next minor release, the models in turn. */
  | { readonly kind: "increment"; readonly models: readonly string[] };

/** The bodies that the order describes, without end. */
export function makeBodies(order: BodyOrder): () => Buffer {
  switch (order.kind) {
    case "fixed":
      return always(Buffer.from(order.base64, "base64"));
    case "versions":
      return makeLookUps(order.plan);
    case "explicit":
      return makeRegistrations(order.models, order.major);
    case "increment":
      return inTurn(
        order.models.map((model) => registration(model, { case: "increment", value: { level: Level.MINOR } })),
      );
  }
}

function always(body: Buffer): () => Buffer {
  return () => body;
}

/** Each of the bodies in turn. */
function inTurn(bodies: readonly Buffer[]): () => Buffer {
  let next = 0;
  return () => {
    const body = bodies[next % bodies.length];
    next += 1;
    if (body === undefined) throw new Error("there is no body");
    return body;
  };
}

/** A prime, so that all versions of a model come before one comes again, and neighbours are far apart. */
export const STRIDE = 618_041;

function makeLookUps(plan: ModelPlan): () => Buffer {
  let index = 0;
  return () => {
    index = (index + STRIDE) % plan.versions;
    const selector = { case: "version", value: versionAt(plan, index) } as const;
    return frameMessage(
      toBinary(GetVersionRequestSchema, create(GetVersionRequestSchema, { model: plan.model, selector })),
    );
  };
}

const FIRST_PATCH = 100_000_000;

/** The bodies differ in the digits of the patch number only, so that making one is a copy. */
function makeRegistrations(models: readonly string[], major: number): () => Buffer {
  const first = `${major}.0.${FIRST_PATCH}`;
  const nextTemplate = inTurn(models.map((model) => registration(model, { case: "version", value: first })));
  let patch = FIRST_PATCH;
  return () => {
    patch += 1;
    const body = Buffer.from(nextTemplate());
    body.write(`${major}.0.${patch}`, body.indexOf(first), "latin1");
    return body;
  };
}

type RegistrationNumber = MessageInitShape<typeof RegisterVersionRequestSchema>["number"];

function registration(model: string, number: NonNullable<RegistrationNumber>): Buffer {
  const { metadata } = fromBinary(ModelVersionSchema, typicalRecord());
  const request = create(RegisterVersionRequestSchema, { model, number, ...(metadata && { metadata }) });
  return frameMessage(toBinary(RegisterVersionRequestSchema, request));
}

/** A record as those that are seeded. */
export function typicalRecord(): Uint8Array {
  const [row] = makeRows({ model: nameModel("typical"), versions: 1, recordBytes: 400, prereleasesPerRelease: 0 });
  if (row === undefined) throw new Error("the plan has no row");
  return row.record;
}
