// The front door: accepts connections, secures them, and hands them to grpc-js. grpc-js's own listening has no limit on
// connections, none on how long a TLS handshake may take, and does not show its server.

import { constants } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createServer as createTlsServer, type SecureContextOptions, type Server as TlsServer } from "node:tls";
import { type Server, ServerCredentials } from "@grpc/grpc-js";

/** How connections are accepted. */
export interface ListenOptions {
  readonly host: string;
  readonly port: number;
  readonly maxConnections: number;
  /** undefined: without TLS. */
  readonly tls: TlsOptions | undefined;
}

/** How connections are secured. */
export interface TlsOptions {
  /** Whether clients are asked for a certificate; they need not have one, and one that is no good counts as none. */
  readonly asksForCertificate: boolean;
  /** Calls the listener with the key, the certificate and the authorities, now and whenever they have changed. */
  readonly follow: (listener: (context: SecureContextOptions) => void) => void;
}

/** An open door. */
export interface Listener {
  readonly port: number;
  /** Accepts no more connections; resolves when every one is closed. */
  close(): Promise<void>;
  /** Cuts the connections that are left. */
  cut(): void;
}

// How long a connection may take until it speaks HTTP/2.
const HANDSHAKE_PATIENCE_MS = 10_000;
const PREFACE_BYTES = 24;

/** Accepts connections for the server; rejects with the system's error, such as EADDRINUSE. */
export async function listen(server: Server, { host, port, maxConnections, tls }: ListenOptions): Promise<Listener> {
  // What grpc-js gets is plain or already decrypted.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const accept = (socket: Socket) => {
    expectPreface(socket);
    injector.injectConnection(socket);
  };
  const door = tls === undefined ? createServer(accept) : secure(tls).on("secureConnection", accept);
  door.maxConnections = maxConnections;
  const connections = new Set<Socket>();
  door.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  door.listen(port, host);
  await once(door, "listening");
  return {
    port: portOf(door),
    close: async () => await new Promise<void>((resolve) => void door.close(() => resolve())),
    cut: () => {
      for (const socket of connections) socket.destroy();
    },
  };
}

function secure({ asksForCertificate, follow }: TlsOptions): TlsServer {
  const server = createTlsServer({
    ALPNProtocols: ["h2"],
    requestCert: asksForCertificate,
    // Who shows none that is good is told so by a status, and may still ask for the health.
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_PATIENCE_MS,
  });
  // A session that is resumed would not be asked for its certificate again, whatever the authorities are by then.
  const secureOptions = asksForCertificate ? constants.SSL_OP_NO_TICKET : 0;
  follow((context) => server.setSecureContext({ ...context, minVersion: "TLSv1.2", secureOptions }));
  // A handshake that fails concerns its client alone.
  return server.on("tlsClientError", (_error, socket) => socket.destroy());
}

/** Closes a connection that does not begin to speak HTTP/2. */
function expectPreface(socket: Socket): void {
  socket.on("error", () => undefined);
  const check = () => {
    if (socket.bytesRead < PREFACE_BYTES) socket.destroy();
  };
  const timer = setTimeout(check, HANDSHAKE_PATIENCE_MS).unref();
  socket.once("close", () => clearTimeout(timer));
}

function portOf(server: NetServer): number {
  const address = server.address();
  return address === null || typeof address === "string" ? 0 : address.port;
}
