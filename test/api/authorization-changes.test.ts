// Files of rights and tokens that change while the service runs. A change is seen within a second; a call that comes after
// the log tells of it has the new rights.

import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { AccessError } from "../../src/access/watched-files.ts";
import { openPolicy, policyFile, tokensFile } from "../support/access-files.ts";
import { errorOf } from "../support/rpc-error.ts";
import { type FileContent, type SecureClient, startSecureService } from "../support/secure-service.ts";
import { startGuarded, tokenOf, tokensOf } from "../support/token-callers.ts";

const POLICY = "STELE_POLICY_FILE";
const TOKENS = "STELE_TOKENS_FILE";

const secret = "a-secret-that-was-written-by-mistake";

const good = { role: "reader", callers: ["*"], models: ["*"] };

/** Policies that are none, and what the log says of each beside the path. */
const brokenPolicies: readonly [string, FileContent, string][] = [
  ["half of it", `{"grants": [{"role": "${secret}`, "is not JSON"],
  ["an unknown role", { grants: [{ ...good, role: secret }] }, 'grants.0.role: must be "reader" or "registrar"'],
  ["an unknown key", { grants: [good, { ...good, deny: secret }] }, 'grants.1: Unrecognized key: "deny"'],
  [
    "a model's pattern with a star in the middle",
    { grants: [{ ...good, models: ["a", `${secret}*x`] }] },
    "grants.0.models.1: may have a * at its end only",
  ],
  [
    "a model in upper case",
    { grants: [good, { ...good, models: [secret.toUpperCase()] }] },
    'grants.1.models.0: must be a model\'s name, the beginning of one followed by *, or "*"',
  ],
  [
    "a caller without a kind",
    { grants: [{ ...good, callers: [secret] }] },
    'grants.0.callers.0: must be "*", or begin with jwt:, cert: or token:, with an optional * at its end',
  ],
  ["nothing", "", "is not JSON"],
];

const brokenTokens: readonly [string, FileContent, string][] = [
  ["half of it", `{"tokens": [{"name": "ci", "sha256": "${secret}`, "is not JSON"],
  [
    "a token instead of its hash",
    { tokens: [{ name: "ci", sha256: secret }] },
    "tokens.0.sha256: must be the SHA-256 of the token in 64 lower-case hex digits",
  ],
  ["an unknown key", { tokens: [{ name: "ci", token: secret }] }, 'tokens.0: Unrecognized key: "token"'],
];

/** Whether the caller may read the missing model, may not, or is not known. */
async function answerTo(client: SecureClient): Promise<string | undefined> {
  return (await errorOf(client.getExact("missing", "1.0.0"))).reason;
}

// Most of their time is waiting for the service to look at its files.
describe.concurrent("a policy that is replaced", () => {
  it("gives and takes rights with the next call", async () => {
    await using guarded = await startGuarded(["a", "b"], policyFile({ "token:a": { reads: ["*"] } }));
    const { service, as } = guarded;
    expect(await answerTo(as("a"))).toBe("MODEL_NOT_FOUND");
    expect(await answerTo(as("b"))).toBe("PERMISSION_DENIED");
    await service.replace(POLICY, policyFile({ "token:b": { reads: ["*"], registers: ["b/*"] } }));
    await service.untilLogged("read again");
    expect(await answerTo(as("a"))).toBe("PERMISSION_DENIED");
    expect(await answerTo(as("b"))).toBe("MODEL_NOT_FOUND");
    expect((await as("b").registerBare("b/x", "1.0.0"))?.registeredBy).toBe("token:b");
    await service.overwrite(POLICY, policyFile({ "token:a": { reads: ["a"] } }));
    await service.untilLogged("read again");
    expect(await answerTo(as("b"))).toBe("PERMISSION_DENIED");
    expect(await errorOf(as("a").getExact("b/x", "1.0.0"))).toMatchObject({ reason: "MODEL_NOT_FOUND" });
  });

  it("fails no call of those who keep their rights", async () => {
    const steady = { "token:steady": { reads: ["m"], registers: ["m"] } };
    await using guarded = await startGuarded(["steady", "other"], policyFile(steady));
    const { service, as } = guarded;
    await as("steady").registerBare("m", "1.0.0");
    let isOver = false;
    let calls = 0;
    const call = async () => {
      for (; !isOver; calls += 1) {
        await Promise.all([as("steady").getExact("m", "1.0.0"), as("steady").listAll({ model: "m" })]);
        await nextTurn();
      }
    };
    const calling = Promise.all([call(), call(), call(), call()]);
    for (const rights of [{ "token:other": { reads: ["*"] } }, {}, { "token:*": { reads: ["a*"] } }]) {
      await service.replace(POLICY, policyFile({ ...steady, ...rights }));
      await service.untilLogged("read again");
    }
    isOver = true;
    await calling;
    expect(calls).toBeGreaterThan(10);
  });
});

describe.concurrent("a tokens file that is replaced", () => {
  it("makes its tokens known and the others unknown with the next call", async () => {
    await using guarded = await startGuarded(["a", "b"], openPolicy);
    const { service, as } = guarded;
    await service.replace(TOKENS, tokensOf(["b", "c"]));
    await service.untilLogged("read again");
    expect(await answerTo(as("a"))).toBe("CREDENTIALS_INVALID");
    expect(await answerTo(as("b"))).toBe("MODEL_NOT_FOUND");
    await service.replace(TOKENS, tokensFile({ renamed: tokenOf("a") }));
    await service.untilLogged("read again");
    expect((await as("a").registerBare("x", "1.0.0"))?.registeredBy).toBe("token:renamed");
    expect(await answerTo(as("b"))).toBe("CREDENTIALS_INVALID");
  });
});

describe.concurrent.each([
  [POLICY, brokenPolicies],
  [TOKENS, brokenTokens],
] as const)("%s that breaks", (setting, broken) => {
  it("changes nothing, and the log names the place and none of what is written there", async () => {
    await using guarded = await startGuarded(["a"], openPolicy);
    const { service, as } = guarded;
    for (const [, content, mistake] of broken) {
      await service.overwrite(setting, content);
      const { msg, level } = await service.untilLogged(mistake);
      expect(level).toBe(40);
      expect(msg).toContain(service.pathOf(setting));
      expect(msg).toContain("what was read before stays in force");
      expect(await answerTo(as("a"))).toBe("MODEL_NOT_FOUND");
    }
    expect(JSON.stringify(service.log).toLowerCase()).not.toContain(secret);
    expect(await answerTo(as("a"))).toBe("MODEL_NOT_FOUND");
  });
});

describe.each([
  [POLICY, brokenPolicies],
  [TOKENS, brokenTokens],
] as const)("%s", (setting, broken) => {
  it.each(broken)("keeps the service from starting: %s", async (_what, content, mistake) => {
    const files = { [POLICY]: openPolicy, [TOKENS]: tokensOf(["a"]), [setting]: content };
    const failure = await startSecureService({ files }).then(
      () => "none",
      (error: unknown) => (error instanceof AccessError ? error.message : error),
    );
    expect(failure).toContain(mistake);
    expect(failure).toContain(setting);
    expect(String(failure).toLowerCase()).not.toContain(secret);
  });

  it("that is missing keeps the service from starting", async () => {
    const settings = { [setting]: "/nowhere/at-all.json" };
    const others = setting === POLICY ? { [TOKENS]: tokensOf(["a"]) } : { [POLICY]: openPolicy };
    await expect(startSecureService({ files: others, settings })).rejects.toThrow(
      new AccessError("cannot read /nowhere/at-all.json: ENOENT"),
    );
  });
});
