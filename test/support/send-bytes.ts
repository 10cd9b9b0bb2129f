import { Client, credentials, type ServiceError } from "@grpc/grpc-js";

/** Calls a unary method with these bytes as the request message, whatever they are. */
export async function sendBytes(address: string, path: string, bytes: Uint8Array): Promise<Buffer> {
  const client = new Client(address, credentials.createInsecure());
  const same = (buffer: Buffer): Buffer => buffer;
  try {
    return await new Promise<Buffer>((resolve, reject) => {
      client.makeUnaryRequest(path, same, same, Buffer.from(bytes), (error: ServiceError | null, response?: Buffer) => {
        if (error !== null) reject(error);
        else resolve(response ?? Buffer.alloc(0));
      });
    });
  } finally {
    client.close();
  }
}
