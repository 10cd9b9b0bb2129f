import { tokensFile } from "./access-files.ts";
import { SecureClient, type SecureService, startSecureService } from "./secure-service.ts";

/** A service whose callers have static tokens, and a client of each. */
export interface GuardedService extends AsyncDisposable {
  readonly service: SecureService;
  /** The client of the caller `token:NAME`. */
  as(name: string): SecureClient;
}

/** Starts a service with this policy and with a token for each name. */
export async function startGuarded(names: readonly string[], policy: object): Promise<GuardedService> {
  await using stack = new AsyncDisposableStack();
  const service = stack.use(
    await startSecureService({ files: { STELE_TOKENS_FILE: tokensOf(names), STELE_POLICY_FILE: policy } }),
  );
  const clients = new Map(
    names.map((name) => {
      const client = stack.use(new SecureClient(service.address, { authorization: `Bearer ${tokenOf(name)}` }));
      return [name, client];
    }),
  );
  const moved = stack.move();
  const as = (name: string) => {
    const client = clients.get(name);
    if (client === undefined) throw new Error(`nobody is called ${name}`);
    return client;
  };
  return { service, as, [Symbol.asyncDispose]: async () => await moved.disposeAsync() };
}

/** The token of the caller `token:NAME`. */
export function tokenOf(name: string): string {
  return `token-of-${name}`;
}

/** The content of a tokens file with the tokens of these callers. */
export function tokensOf(names: readonly string[]): object {
  return tokensFile(Object.fromEntries(names.map((name) => [name, tokenOf(name)])));
}
