import { describe, expect, it } from "vitest";
import { formatAddress, readConfig } from "./config.ts";

describe("readConfig", () => {
  it("has a default for every setting", () => {
    expect(readConfig({})).toEqual({
      listen: { host: "127.0.0.1", port: 50051 },
      databaseUrl: undefined,
      dataDirectory: undefined,
      preparedStatements: true,
      roles: { owner: "stele_owner", service: "stele_service" },
      logLevel: "info",
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

  it.each([
    ["STELE_LISTEN", "50051", "host:port"],
    ["STELE_LISTEN", "127.0.0.1", "host:port"],
    ["STELE_LISTEN", "127.0.0.1:65536", "host:port"],
    ["STELE_LISTEN", "::1:50051", "host:port"],
    ["DATABASE_URL", "mysql://localhost", "postgres://"],
    ["STELE_INSECURE", "yes", '"true" or "false"'],
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

  it("names every wrong variable at once", () => {
    expect(() => readConfig({ STELE_LISTEN: "x", STELE_LOG_LEVEL: "x" })).toThrow(/STELE_LISTEN .*\nSTELE_LOG_LEVEL /);
  });
});
