// What the servers that the service is compared with have in common: grpc-js with nothing added to it.

import { Server, ServerCredentials, type ServiceDefinition, type UntypedServiceImplementation } from "@grpc/grpc-js";

/** Serves on a free port of the loopback, tells on standard output which one it is, and ends with standard input. */
export function serve(definition: ServiceDefinition, handlers: UntypedServiceImplementation): void {
  const server = new Server();
  server.addService(definition, handlers);
  server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
    if (error !== null) throw error;
    process.stdout.write(`127.0.0.1:${port}\n`);
    process.stdin.on("end", () => process.exit()).resume();
  });
}

/** The codec of a server that leaves bytes as they are. */
export function sameBytes(bytes: Buffer): Buffer {
  return bytes;
}
