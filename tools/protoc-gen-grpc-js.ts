// A buf plugin: for every file with services it writes `<proto>_grpc.ts`, which joins the messages of
// protoc-gen-es to grpc-js. Each service gets its definition, the type of its grpc-js handlers and a client.
// Methods that stream requests are refused: the adapter takes none.

import type { DescFile, DescMessage, DescMethod, DescService } from "@bufbuild/protobuf";
import { createEcmaScriptPlugin, type GeneratedFile, type Printable, runNodeJs } from "@bufbuild/protoplugin";

runNodeJs(
  createEcmaScriptPlugin({
    name: "protoc-gen-grpc-js",
    version: "v1",
    generateTs(schema) {
      for (const file of schema.files) {
        if (file.services.length > 0) printFile(schema.generateFile(`${file.name}_grpc.ts`), file);
      }
    },
  }),
);

function printFile(f: GeneratedFile, file: DescFile): void {
  f.preamble(file);
  for (const service of file.services) {
    printDefinition(f, service);
    printHandlers(f, service);
    printClient(f, service);
  }
  f.print(f.jsDoc("The same bytes, not copied, as the Buffer that grpc-js asks for."));
  f.print("function asBuffer(bytes: Uint8Array): Buffer {");
  f.print("  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);");
  f.print("}");
}

function printDefinition(f: GeneratedFile, service: DescService): void {
  f.print(f.jsDoc(`The methods of ${service.typeName}: their paths, shapes and codecs.`));
  f.print(f.export("const", `${service.name}Definition`), " = {");
  for (const method of service.methods) {
    f.print(f.jsDoc(method, "  "));
    f.print("  ", method.localName, ": {");
    f.print("    path: ", f.string(`/${service.typeName}/${method.name}`), ",");
    f.print("    requestStream: false,");
    f.print("    responseStream: ", streamsResponses(method), ",");
    printCodec(f, "request", method.input);
    printCodec(f, "response", method.output);
    f.print("  },");
  }
  f.print("} as const satisfies ", grpcType(f, "ServiceDefinition"), ";");
  f.print();
}

function printCodec(f: GeneratedFile, side: "request" | "response", message: DescMessage): void {
  const { toBinary, fromBinary } = f.runtime;
  const schema = f.importSchema(message);
  const shape = f.importShape(message);
  f.print(`    ${side}Serialize: (message: `, shape, "): Buffer => asBuffer(", toBinary, "(", schema, ", message)),");
  f.print(`    ${side}Deserialize: (bytes: Buffer): `, shape, " => ", fromBinary, "(", schema, ", bytes),");
}

function printHandlers(f: GeneratedFile, service: DescService): void {
  f.print(f.jsDoc(`grpc-js handlers for every method of ${service.typeName}.`));
  f.print("export type ", `${service.name}Handlers`, " = {");
  for (const method of service.methods) {
    const handler = grpcType(f, streamsResponses(method) ? "handleServerStreamingCall" : "handleUnaryCall");
    const [request, response] = [f.importShape(method.input), f.importShape(method.output)];
    f.print(f.jsDoc(method, "  "));
    f.print("  ", method.localName, ": ", handler, "<", request, ", ", response, ">;");
  }
  f.print("};");
  f.print();
}

function printClient(f: GeneratedFile, service: DescService): void {
  const client = `${service.name}Client`;
  const definition = `${service.name}Definition`;
  f.print(f.jsDoc(`A client of ${service.typeName}.`));
  f.print(f.export("interface", client), " extends ", grpcType(f, "Client"), " {");
  for (const method of service.methods) printClientMethod(f, method);
  f.print("}");
  f.print();
  f.print(f.jsDoc(`Makes clients of ${service.typeName}.`));
  f.print(f.export("const", client), " = ", f.import("makeClientConstructor", "@grpc/grpc-js"), "(");
  f.print("  ", definition, ",");
  f.print("  ", f.string(service.typeName), ",");
  f.print(") as unknown as {");
  const credentials = ["credentials: ", grpcType(f, "ChannelCredentials")];
  f.print("  new (address: string, ", credentials, ", options?: ", grpcType(f, "ClientOptions"), "): ", client, ";");
  f.print("  readonly service: typeof ", definition, ";");
  f.print("  readonly serviceName: string;");
  f.print("};");
  f.print();
}

/** One overload for each list of arguments that grpc-js takes. */
function printClientMethod(f: GeneratedFile, method: DescMethod): void {
  const response = f.importShape(method.output);
  const request: Printable[] = ["request: ", f.importShape(method.input)];
  const metadata: Printable[] = [", metadata: ", grpcType(f, "Metadata")];
  const options: Printable[] = [", options: ", grpcType(f, "CallOptions")];
  const last: Printable[] = streamsResponses(method)
    ? ["): ", grpcType(f, "ClientReadableStream"), "<", response, ">;"]
    : [", callback: ", grpcType(f, "requestCallback"), "<", response, ">): ", grpcType(f, "ClientUnaryCall"), ";"];
  f.print(f.jsDoc(method, "  "));
  for (const settings of [[], metadata, options, [metadata, options]]) {
    f.print("  ", method.localName, "(", request, settings, last);
  }
}

function grpcType(f: GeneratedFile, name: string): Printable {
  return f.import(name, "@grpc/grpc-js", true);
}

function streamsResponses(method: DescMethod): boolean {
  switch (method.methodKind) {
    case "unary":
      return false;
    case "server_streaming":
      return true;
    case "client_streaming":
    case "bidi_streaming":
      throw new Error(`${method.parent.typeName}.${method.name} streams requests, which is not supported`);
  }
}
