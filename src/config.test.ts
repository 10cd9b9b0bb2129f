import { describe, expect, it } from "vitest";
import { effectiveSettings, formatAddress, readConfig } from "./config.ts";

describe("readConfig", () => {
  it("has a default for every setting", () => {
    expect(readConfig({})).toEqual({
      listen: { host: "127.0.0.1", port: 50051 },
      access: { tls: undefined, jwt: undefined, tokensFile: undefined, policyFile: undefined },
      limits: { calls: { calls: 1000, listings: 200 }, connections: 4096, connectionAgeMs: 3_600_000 },
      reflection: true,
      databaseUrl: undefined,
      databaseReadUrl: undefined,
      databaseConnections: 16,
      startPatienceMs: 30_000,
      dataDirectory: undefined,
      preparedStatements: true,
      recordCacheBytes: 32 * 1024 * 1024,
      roles: { owner: "stele_owner", service: "stele_service" },
      logLevel: "info",
      logFormat: undefined,
      logsCalls: true,
      metricsListen: undefined,
      sendsSpans: false,
      shutdownGraceMs: 10_000,
    });
  });

  it("takes an empty variable for unset", () => {
    expect(readConfig({ STELE_LISTEN: "", DATABASE_URL: "", STELE_SHUTDOWN_GRACE_SECONDS: "" })).toEqual(
      readConfig({}),
    );
  });

  it.each(["127.0.0.1:0", "127.9.9.9:1", "localhost:50051", "[::1]:50051"])("listens on %s", (text) => {
    expect(formatAddress(readConfig({ STELE_LISTEN: text }).listen)).toBe(text);
  });

  it.each(["0.0.0.0:50051", "[::]:50051", "10.0.0.1:1", "registry.example.com:1", "127.example.com:1"])(
    "refuses to listen on %s, unless it is told that this is meant",
    (text) => {
      expect(() => readConfig({ STELE_LISTEN: text })).toThrow(/STELE_INSECURE=true/);
      expect(() => readConfig({ STELE_LISTEN: text, STELE_INSECURE: "false" })).toThrow(/STELE_INSECURE=true/);
      expect(readConfig({ STELE_LISTEN: text, STELE_INSECURE: "true" }).listen.host).not.toBe("");
    },
  );

  it("listens beyond the machine with TLS and authentication, and not with half of it", () => {
    const tls = { STELE_TLS_CERT_FILE: "cert.pem", STELE_TLS_KEY_FILE: "key.pem" };
    const tokens = { STELE_TOKENS_FILE: "tokens.json", STELE_POLICY_FILE: "policy.json" };
    const listen = { STELE_LISTEN: "0.0.0.0:50051" };
    expect(readConfig({ ...listen, ...tls, ...tokens }).listen.host).toBe("0.0.0.0");
    expect(() => readConfig({ ...listen, ...tls })).toThrow(/ and authentication is not set up/);
    expect(() => readConfig({ ...listen, ...tokens })).toThrow(/ and TLS is not set up/);
    expect(() => readConfig(listen)).toThrow(/ and TLS and authentication is not set up/);
  });

  it.each([
    [{ STELE_TLS_CERT_FILE: "x" }, "STELE_TLS_CERT_FILE needs STELE_TLS_KEY_FILE too"],
    [{ STELE_TLS_KEY_FILE: "x" }, "STELE_TLS_KEY_FILE needs STELE_TLS_CERT_FILE too"],
    [{ STELE_TLS_CLIENT_CA_FILE: "x", STELE_POLICY_FILE: "x" }, "needs STELE_TLS_CERT_FILE too"],
    [{ STELE_JWT_ISSUER: "https://issuer.example", STELE_POLICY_FILE: "x" }, "needs STELE_JWT_AUDIENCE too"],
    [{ STELE_JWT_AUDIENCE: "x" }, "needs STELE_JWT_ISSUER too"],
    [{ STELE_JWT_JWKS_FILE: "x" }, "needs STELE_JWT_ISSUER too"],
    [{ STELE_TOKENS_FILE: "x" }, "STELE_TOKENS_FILE needs STELE_POLICY_FILE too"],
    [{ DATABASE_READ_URL: "postgres://x" }, "DATABASE_READ_URL needs DATABASE_URL too"],
    [{ STELE_POLICY_FILE: "x" }, "STELE_POLICY_FILE needs a form of authentication too"],
  ])("refuses the half of a set-up: %o", (settings, message) => {
    expect(() => readConfig(settings)).toThrow(message);
  });

  it.each([
    ["STELE_LISTEN", "50051", "host:port"],
    ["STELE_LISTEN", "127.0.0.1", "host:port"],
    ["STELE_LISTEN", "127.0.0.1:65536", "host:port"],
    ["STELE_LISTEN", "::1:50051", "host:port"],
    ["DATABASE_URL", "mysql://localhost", "postgres://"],
    ["STELE_INSECURE", "yes", '"true" or "false"'],
    ["STELE_JWT_ISSUER", "http://issuer.example", "begin with https://"],
    ["STELE_JWT_ISSUER", "issuer", "a URL"],
    ["STELE_JWT_ALGORITHMS", "HS256", "some of RS256,"],
    ["STELE_JWT_ALGORITHMS", "none", "some of RS256,"],
    ["STELE_MAX_CALLS", "0", "at least 1"],
    ["STELE_MAX_LISTINGS", "many", "a number"],
    ["STELE_MAX_CONNECTIONS", "1.5", "a whole number"],
    ["STELE_PREPARED_STATEMENTS", "1", '"true" or "false"'],
    ["STELE_OWNER_ROLE", "pg_owner", "not begin with pg_"],
    ["STELE_SERVICE_ROLE", "x".repeat(64), "at most 63 bytes"],
    ["STELE_LOG_LEVEL", "loud", "fatal, error, warn"],
    ["STELE_SHUTDOWN_GRACE_SECONDS", "soon", "a number of seconds"],
    ["STELE_SHUTDOWN_GRACE_SECONDS", "-1", "not be negative"],
  ])("says what is wrong with %s=%s", (name, value, advice) => {
    expect(() => readConfig({ [name]: value })).toThrow(
      expect.objectContaining({ name: "ConfigError", message: expect.stringContaining(`${name} must`) }),
    );
    expect(() => readConfig({ [name]: value })).toThrow(advice);
  });

  it.each([
    ["DATABASE_URL", "postgres://u:geheim@h/db"],
    ["DATABASE_URL", "postgres://u:geheim#1@h/db"],
    ["DATABASE_URL", "postgres://u:geheim@h1:5432,h2:5432/db"],
    ["DATABASE_URL", "postgres://h/db?password=geheim"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://u:geheim@h:4318"],
  ])("shows %s=%s without its password", (name, value) => {
    const shown = effectiveSettings({ [name]: value }).find((setting) => setting.name === name);
    expect(shown?.value).not.toBe("");
    expect(JSON.stringify(effectiveSettings({ [name]: value }))).not.toContain("geheim");
  });

  it("names every wrong variable at once", () => {
    expect(() => readConfig({ STELE_LISTEN: "x", STELE_LOG_LEVEL: "x" })).toThrow(/STELE_LISTEN .*\nSTELE_LOG_LEVEL /);
  });
});
