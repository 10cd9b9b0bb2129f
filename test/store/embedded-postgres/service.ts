// A service reduced to its embedded Postgres, for tests that kill it: node service.ts DATA_DIRECTORY ADDRESS.
// It writes one JSON object, the connection or the error, and survives SIGINT as a service that drains does.

import { writeSync } from "node:fs";
import {
  EmbeddedPostgresError,
  startEmbeddedPostgres,
} from "../../../src/store/embedded-postgres/embedded-postgres.ts";

const [dataDirectory = "", serviceAddress = ""] = process.argv.slice(2);
const ignore = () => {};

process.on("SIGINT", ignore);
try {
  const postgres = await startEmbeddedPostgres({
    dataDirectory,
    serviceAddress,
    log: { info: ignore, warn: ignore, error: ignore },
  });
  process.once("SIGTERM", () => void postgres.stop().then(() => process.exit(0)));
  report({ connection: postgres.connection, postmasterPid: postgres.postmasterPid() });
} catch (error) {
  if (!(error instanceof EmbeddedPostgresError)) throw error;
  report({ refusal: error.message });
}

function report(outcome: object): void {
  writeSync(1, `${JSON.stringify(outcome)}\n`);
}
